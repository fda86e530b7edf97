# SPDX-License-Identifier: GPL-3.0-or-later
"""The first step of every playbook: inputs, limits, run id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible import context as cli
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.plugin_utils.inventory import inventory
from ansible_collections.firebreak.incident.plugins.plugin_utils.run import Scenario, check_fleet, new_run_id
from ansible_collections.firebreak.incident.plugins.plugin_utils.with_context import actor


class ActionModule(ActionBase):
    """Runs once for the play, on the controller; no host is contacted."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset()
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        try:
            scenario = Scenario.of(Path(self._task.get_path().rpartition(":")[0]))
            given = {
                name: self._templar.template(variables[name])
                for name in scenario.options
                if name in variables
            }
            inputs = scenario.inputs(given, load_extra_vars(self._loader))
            if scenario.changes:
                hosts = variables["ansible_play_hosts_all"]
                check_fleet(hosts, cli.CLIARGS.get("subset"), inputs["all_hosts"])
        except FirebreakError as error:
            return {"failed": True, **error.as_result()}
        run = {
            "id": new_run_id(),
            "playbook": scenario.name,
            "incident": inputs.get("incident") or None,
            "opens": scenario.opens,
            "actor": actor(variables),
            "check_mode": self._task.check_mode,
            "changes": scenario.changes,
        }
        return {"changed": False, "run": run, "inputs": inputs, "inventory": inventory(variables)}
