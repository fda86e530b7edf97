# SPDX-License-Identifier: GPL-3.0-or-later
"""Remedies that more than one domain names."""

from __future__ import annotations

from .finding import Remedy

# Isolation keeps an intruder from doing more; that somebody was inside stays as true as before.
CONTAIN_COMPROMISE = Remedy("contain_security", {"threat": "compromise"}, cures=False)
