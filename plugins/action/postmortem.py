# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what is told of an incident afterwards. No host is contacted."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.plugin_utils.postmortem.job import write
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import RECORD_VARIABLE

SPEC = {"id": {"type": "str", "required": True}, "directory": {"type": "str", "default": "postmortems"}}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        validate: Any = self.validate_argument_spec
        _validation, options = validate(argument_spec=dict(SPEC))
        record = self._templar.template((task_vars or {}).get(RECORD_VARIABLE))
        try:
            told = write(
                {RECORD_VARIABLE: record}, options["id"], options["directory"], bool(self._task.check_mode)
            )
        except FirebreakError as error:
            return {"failed": True, **error.as_result()}
        # Callbacks show the message of a task only when they are told to.
        return {**told, "_ansible_verbose_always": True}
