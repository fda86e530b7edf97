# SPDX-License-Identifier: GPL-3.0-or-later
"""The module of the same name, with the run's context and what the incident record knows of evidence."""

from __future__ import annotations

from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.incident import AUTO
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import (
    RECORD_VARIABLE,
    Recorder,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.security import open_security
from ansible_collections.firebreak.incident.plugins.plugin_utils.with_context import (
    ActionModule as WithContext,
)


class ActionModule(WithContext):
    """No host can know of an incident that left nothing on it."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        given = self._task.args
        # Who says it needs no record, and does not wait for one that is away.
        if given.get("security_incident", AUTO) == AUTO:
            record = self._templar.template((task_vars or {}).get(RECORD_VARIABLE))
            known = open_security(Recorder.of({RECORD_VARIABLE: record}))
            self._task.args = {**given, "context": {"evidence": known, **(given.get("context") or {})}}
        result: dict[str, Any] = super().run(tmp, task_vars)
        return result
