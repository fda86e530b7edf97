# SPDX-License-Identifier: GPL-3.0-or-later
"""Says how incidents stand. No host is contacted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.finding import ranked
from ansible_collections.firebreak.incident.plugins.module_utils.moments import utc_now
from ansible_collections.firebreak.incident.plugins.plugin_utils.launcher import launcher_of
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.job import (
    VARIABLES as PEOPLE_VARIABLES,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.people.overview import overview
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import (
    RECORD_VARIABLE,
    Recorder,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.state import (
    Recorded,
    findings,
    means,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.run import parse_id

SPEC: Mapping[str, Any] = {
    "id": {"type": "str"},
    "closed": {"type": "bool", "default": False},
    "events": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        validate: Any = self.validate_argument_spec
        _validation, options = validate(argument_spec=dict(SPEC))
        names = (RECORD_VARIABLE, *PEOPLE_VARIABLES)
        known = {name: self._templar.template(variables[name]) for name in names if name in variables}
        recorder, result = Recorder.of(known), {"changed": False}
        waiting: list[str] = []
        try:
            waiting = [each for each in recorder.outbox.waiting() if options["id"] in (None, "", each)]
            found = _found(recorder, parse_id(options["id"]) if options["id"] else None, options["closed"])
        except FirebreakError as error:
            wrong = [finding.as_dict() for finding in ranked(findings([], waiting))]
            return {**result, "waiting": waiting, "findings": wrong, "failed": True, **error.as_result()}
        told = overview(found, options["events"], known, utc_now(), launcher_of(variables))
        wrong = [finding.as_dict() for finding in ranked([*findings(found, waiting), *told.pop("findings")])]
        # Other callbacks, that of AWX among them, show the message of a task only when they are told to.
        spoken = {"_ansible_verbose_always": True} if "msg" in told else {}
        return {**result, **told, **spoken, "means": means(found), "waiting": waiting, "findings": wrong}


def _found(recorder: Recorder, incident: str | None, closed: bool) -> list[Recorded]:
    with recorder.store() as store:
        ids = [incident] if incident else store.incidents(still_open=not closed)
        return [Recorded(*store.recorded(each)) for each in ids]
