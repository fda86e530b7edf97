# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends one message of an incident to some audiences, once."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.moments import utc_now
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.job import (
    VARIABLES,
    Request,
    notify,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.people.due import AUDIENCES
from ansible_collections.firebreak.incident.plugins.plugin_utils.with_context import actor

SPEC: dict[str, Any] = {
    "incident": {"type": "str", "required": True},
    "audiences": {"type": "list", "elements": "str", "choices": list(AUDIENCES), "required": True},
    "template": {"type": "str", "default": "update"},
    "values": {"type": "dict", "default": {}},
    "key": {"type": "str", "no_log": False},
}


class ActionModule(ActionBase):
    """Runs once for the play, on the controller; no host is contacted."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        validate: Any = self.validate_argument_spec
        _validation, given = validate(argument_spec=SPEC)
        known = {name: self._templar.template(variables[name]) for name in VARIABLES if name in variables}
        request = Request(
            given["incident"], given["template"], given["audiences"], given["values"], given["key"]
        )
        try:
            return notify(known, request, actor(variables), utc_now, time.sleep, bool(self._task.check_mode))
        except FirebreakError as error:
            return {"failed": True, **error.as_result()}
