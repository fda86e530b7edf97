# SPDX-License-Identifier: GPL-3.0-or-later
"""The module of the same name, with the run's context and without the contents: those may be secret."""

from __future__ import annotations

from typing import Any

from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.session import unseen
from ansible_collections.firebreak.incident.plugins.plugin_utils.with_context import (
    ActionModule as WithContext,
)


class ActionModule(WithContext):
    """What is read as a task is listed; only `evidence` keeps it."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        with unseen(self._task, self._play_context, self._connection):
            result = super().run(tmp, task_vars)
        for artefact in result.get("artefacts") or ():
            artefact.pop("data", None)
        return result
