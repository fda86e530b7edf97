# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks again and again whether a host is well, until it has been for long enough."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.utils.display import Display

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import RESOLVED, UNCHANGED
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import (
    parse_duration,
    speak_duration,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.launcher import launcher_of
from ansible_collections.firebreak.incident.plugins.plugin_utils.recovery.watch import Watch, lost
from ansible_collections.firebreak.incident.plugins.plugin_utils.with_context import ActionModule as Base

# What the module finds where there is no URL to ask.
NOTHING_TO_ASK = "recovery.check.missing"
OWN: Mapping[str, str] = {"window": "30m", "interval": "30s", "give_up_after": "2h"}


class ActionModule(Base):
    """Runs the module `recovery_info` each time; an interval counts from the beginning of the look before."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        arguments = dict(self._task.args)
        try:
            given = {name: parse_duration(arguments.pop(name, default)) for name, default in OWN.items()}
            passes = _passes(arguments.pop("passes", 3))
            if given["give_up_after"] < given["window"]:
                raise BadInput(
                    f"give_up_after {given['give_up_after']} s",
                    f"it is shorter than the window of {given['window']} s",
                    "Give it more time.",
                )
        except FirebreakError as error:
            return {"failed": True, **error.as_result()}
        self._task.args = arguments
        return self._watch(Watch(given["window"], passes), given, tmp, task_vars or {})

    def _watch(
        self, watch: Watch, given: Mapping[str, int], tmp: str | None, task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        end = time.monotonic() + given["give_up_after"]
        while True:
            began = time.monotonic()
            result = self._look(watch, tmp, task_vars)
            if result.get("failed") or result.get("unreachable"):
                return result
            now = time.monotonic()
            watch = watch.look(now, bool(result.get("healthy")), result.get("reasons") or ())
            if self._task.check_mode:
                return {**result, **watch.as_dict(), "recovered": None}
            if watch.recovered(now):
                return {**result, **watch.as_dict(), "recovered": True, **_success(watch, given, task_vars)}
            if _blind(result):
                return {**result, **watch.as_dict(), "recovered": False, **_never(watch)}
            self._tell(watch, now, task_vars)
            if watch.too_late(now, end):
                return {**result, **watch.as_dict(), "recovered": False, **_failure(watch, given)}
            time.sleep(max(0.0, began + given["interval"] - time.monotonic()))

    def _look(self, watch: Watch, tmp: str | None, task_vars: dict[str, Any]) -> dict[str, Any]:
        """A host that cannot be reached any more is not well; one that never was is for Ansible to tell."""
        try:
            return super().run(tmp, task_vars)
        except AnsibleConnectionFailure as error:
            if not watch.looks:
                raise
            return lost(task_vars.get("inventory_hostname", ""), str(error).splitlines()[0])

    def _tell(self, watch: Watch, now: float, task_vars: Mapping[str, Any]) -> None:
        host = task_vars.get("inventory_hostname", "")
        if watch.since is None:
            said = f"look {watch.looks}: not well: {'; '.join(watch.last_reasons)}"
        else:
            left = speak_duration(watch.left(now))
            said = f"look {watch.looks}: well, {watch.row} in a row, {left} to go"
        Display().display(f"{host}: {said}")

    def _execute_module(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        kwargs["module_name"] = "firebreak.incident.recovery_info"
        result: dict[str, Any] = super()._execute_module(*args, **kwargs)
        return result

    @property
    def _changes(self) -> bool:
        return False


def _passes(value: Any) -> int:
    try:
        passes = int(value)
    except (TypeError, ValueError):
        passes = 0
    if passes < 1:
        raise BadInput(f"passes {value!r}", "it is no number of looks", "Give 1 or more.")
    return passes


def _success(watch: Watch, given: Mapping[str, int], task_vars: Mapping[str, Any]) -> dict[str, Any]:
    said = f"well for {speak_duration(given['window'])} without a break, {watch.row} looks in a row"
    incident = ((task_vars.get("firebreak_run") or {}).get("run") or {}).get("incident")
    if incident:
        inputs = {"incident": incident, "event": "resolve"}
        command = launcher_of(task_vars).command("update_incident", [], inputs)
        said += f"\nwhen every host is well: {command}"
    return {"verdict": RESOLVED, "after": watch.as_dict(), "msg": said, "_ansible_verbose_always": True}


def _blind(result: Mapping[str, Any]) -> bool:
    """Whether nothing is configured that could be looked at: no waiting mends that."""
    ids = {finding["id"] for finding in result.get("findings") or ()}
    return NOTHING_TO_ASK in ids and not result.get("measured")


def _never(watch: Watch) -> dict[str, Any]:
    return {
        "failed": True,
        "verdict": UNCHANGED,
        "after": watch.as_dict(),
        "msg": f"recovery: {'; '.join(watch.last_reasons)}. Give a service of firebreak_services its health "
        "URL, name firebreak_endpoints, or leave the host out with --limit.",
    }


def _failure(watch: Watch, given: Mapping[str, int]) -> dict[str, Any]:
    why = "; ".join(watch.last_reasons) or "it was not looked at often enough"
    return {
        "failed": True,
        "verdict": UNCHANGED,
        "after": watch.as_dict(),
        "msg": f"recovery: not well for {speak_duration(given['window'])} without a break within "
        f"{speak_duration(given['give_up_after'])} ({watch.failures} of {watch.looks} looks failed, the "
        f"last: {why}). Run triage.",
    }
