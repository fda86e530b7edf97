# SPDX-License-Identifier: GPL-3.0-or-later
"""The module of the same name, with the run's context."""

from __future__ import annotations

from ansible_collections.firebreak.incident.plugins.plugin_utils.with_context import ActionModule

__all__ = ["ActionModule"]
