# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects evidence from a host onto the controller, in the order of volatility."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.firebreak.incident.plugins.module_utils.errors import (
    BadInput,
    FirebreakError,
    Unreachable,
)
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.catalogue import (
    PROFILES,
    of_profile,
)
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import parse_duration, parse_size
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.collection import (
    check_free,
    check_room,
    free_bytes,
    place,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.collector import Lost
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.job import Job, Options
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.session import (
    check_pipelining,
    time_limit,
    unseen,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.run import new_run_id
from ansible_collections.firebreak.incident.plugins.plugin_utils.with_context import actor

MODULE = "firebreak.incident.artefacts_info"
# Stays free on the controller, whatever is collected.
RESERVE = 256 * 1024 * 1024
# Beside what a call may take on the host: the way there and back, and starting Python.
ANSWER_SECONDS = 30
SPEC: dict[str, Any] = {
    "directory": {"type": "path", "required": True},
    "profile": {"type": "str", "choices": list(PROFILES), "default": "standard"},
    "window": {"type": "str", "default": "24h"},
    "max_bytes": {"type": "str", "default": "512mb"},
    "max_seconds": {"type": "str", "default": "10m"},
    "services": {"type": "dict", "default": {}},
}


class ActionModule(ActionBase):
    """Runs `artefacts_info` on the host until it has everything; writes only on the controller."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        validate: Any = self.validate_argument_spec
        _validation, given = validate(argument_spec=SPEC)
        try:
            options = self._options(given, variables)
            check_free(options.path)
            hosts = max(1, len(variables.get("ansible_play_batch") or ()))
            check_room(options.path, options.max_bytes * hosts, RESERVE)
            check_pipelining(self._connection)
            if self._task.check_mode:
                return {**_nothing_yet(options), "changed": False}
            self._variables = variables
            with unseen(self._task, self._play_context, self._connection):
                return Job(options, self._ask, self._run, lambda: free_bytes(options.path), RESERVE).result()
        except FirebreakError as error:
            return {"failed": True, **error.as_result()}

    def _options(self, given: Mapping[str, Any], variables: Mapping[str, Any]) -> Options:
        run = (variables.get("firebreak_run") or {}).get("run") or {}
        run_id, host = str(run.get("id") or new_run_id()), str(variables.get("inventory_hostname", ""))
        parse_duration(given["window"])
        options = Options(
            path=place(Path(given["directory"]).absolute(), run_id, host),
            host=host,
            address=str(getattr(self._play_context, "remote_addr", None) or host),
            run=run_id,
            incident=run.get("incident"),
            playbook=run.get("playbook"),
            actor=actor(variables),
            profile=given["profile"],
            window=given["window"],
            services=given["services"],
            max_bytes=parse_size(given["max_bytes"]),
            max_seconds=parse_duration(given["max_seconds"]),
            transport=str(self._connection.transport),
            become=str(self._connection.become.name) if self._connection.become else None,
        )
        if options.max_bytes < 1 or options.max_seconds < 1:
            raise BadInput("max_bytes, max_seconds", "nothing fits into 0", "Give 64mb and 2m or more.")
        return options

    def _ask(self, arguments: Mapping[str, Any], memory: str, seconds: float) -> Mapping[str, Any]:
        environment = self._task.environment
        # Python unpacks the module there, and leaves no compiled files of its library behind.
        ours = {"TMPDIR": memory, "PYTHONDONTWRITEBYTECODE": "1"}
        self._task.environment = [*(environment or ()), ours]
        try:
            with time_limit(seconds + ANSWER_SECONDS):
                result: Mapping[str, Any] = self._execute_module(
                    module_name=MODULE, module_args=dict(arguments), task_vars=self._variables
                )
                return result
        except (AnsibleConnectionFailure, TimeoutError) as error:
            raise Lost(f"the host was lost: {error}") from error
        except AnsibleError as error:
            return {"failed": True, "msg": str(error)}
        finally:
            self._task.environment = environment

    def _run(self, command: str, become: bool) -> str:
        """What a shell on the host prints."""
        execute: Any = self._low_level_execute_command
        try:
            with time_limit(ANSWER_SECONDS):
                answer = execute(command, sudoable=become)
        except TimeoutError as error:
            raise Unreachable("the host", str(error), "See that it can be reached.") from error
        return str(answer.get("stdout", ""))


def _nothing_yet(options: Options) -> dict[str, Any]:
    return {
        "path": str(options.path),
        "profile": options.profile,
        "would_collect": [f"{step.name}: {step.about}" for step in of_profile(options.profile)],
        "artefacts": 0,
        "bytes": 0,
        "complete": False,
        "not_collected": [],
        "findings": [],
        "seconds": 0.0,
        "manifest_sha256": None,
        "clock_offset_seconds": None,
    }
