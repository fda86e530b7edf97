# SPDX-License-Identifier: GPL-3.0-or-later
"""The last step of a playbook: what all hosts said, and what to type next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.moments import utc_now
from ansible_collections.firebreak.incident.plugins.plugin_utils.launcher import current_launcher
from ansible_collections.firebreak.incident.plugins.plugin_utils.private_file import write_privately
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.report import as_markdown, as_text
from ansible_collections.firebreak.incident.plugins.plugin_utils.summary import Run, Seen, see, summarise


class ActionModule(ActionBase):
    """Runs once for the play, on the controller; no host is contacted."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        validate: Any = self.validate_argument_spec
        _validation, options = validate(
            argument_spec={
                "results": {"type": "list", "elements": "str", "required": True},
                "report": {"type": "path"},
            }
        )
        run = self._run_of(variables)
        playbook = Path(variables["playbook_dir"]) / f"{run.playbook}.yml"
        launcher = current_launcher(playbook, in_awx="awx_job_id" in variables)
        summary = summarise(_seen(variables, options["results"]), run, launcher)
        result = {"changed": False, **summary.as_dict(), "msg": as_text(summary)}
        # Other callbacks, that of AWX among them, show the message of a task only when they are told to.
        result["_ansible_verbose_always"] = True
        if options["report"]:
            try:
                path = write_privately(Path(options["report"]), as_markdown(summary, run, utc_now()))
                result["report"] = str(path)
            except OSError as error:
                failure = BadInput(
                    f"report {options['report']}",
                    error.strerror or str(error),
                    "Name a file that can be written.",
                )
                return {**result, "failed": True, **failure.as_result()}
        return result

    def _run_of(self, variables: Mapping[str, Any]) -> Run:
        begun = variables.get("firebreak_run") or {}
        run = begun.get("run") or {}
        given = load_extra_vars(self._loader)
        return Run(
            id=run.get("id"),
            playbook=run.get("playbook"),
            check_mode=bool(self._task.check_mode),
            inputs={name: value for name, value in (begun.get("inputs") or {}).items() if name in given},
        )


def _seen(variables: Mapping[str, Any], names: Iterable[str]) -> dict[str, Seen]:
    """Every host of the play, with the registered results that it has of those that were named."""
    active = set(variables["ansible_play_hosts"])
    found = {}
    for host in variables["ansible_play_hosts_all"]:
        # Results are data: to look through all of them for templates takes longer than to sum them up.
        known = variables["hostvars"].raw_get(host)
        found[host] = see([known[name] for name in names if name in known], host in active)
    return found
