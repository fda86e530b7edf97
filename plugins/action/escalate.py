# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what is due in the incidents that are open, to whom it is due."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.moments import utc_now
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.job import VARIABLES, escalate
from ansible_collections.firebreak.incident.plugins.plugin_utils.with_context import actor


class ActionModule(ActionBase):
    """Runs once for the play, on the controller; no host is contacted."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        validate: Any = self.validate_argument_spec
        _validation, options = validate(argument_spec={"incident": {"type": "str"}})
        known = {name: self._templar.template(variables[name]) for name in VARIABLES if name in variables}
        try:
            return escalate(
                known, options["incident"], actor(variables), utc_now, time.sleep, bool(self._task.check_mode)
            )
        except FirebreakError as error:
            return {"failed": True, **error.as_result()}
