# SPDX-License-Identifier: GPL-3.0-or-later
"""Says how incidents stand. No host is contacted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible.plugins.action import ActionBase

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.finding import ranked
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import (
    RECORD_VARIABLE,
    Recorder,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.state import (
    Recorded,
    findings,
    means,
    state,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.run import parse_id

if TYPE_CHECKING:
    from ansible_collections.firebreak.incident.plugins.plugin_utils.record.store import Store

RETRIES = 5
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
        validate: Any = self.validate_argument_spec
        _validation, options = validate(argument_spec=dict(SPEC))
        record = self._templar.template((task_vars or {}).get(RECORD_VARIABLE))
        recorder, result = Recorder.of({RECORD_VARIABLE: record}), {"changed": False}
        waiting = [each for each in recorder.outbox.waiting() if options["id"] in (None, "", each)]
        try:
            found = _found(recorder, parse_id(options["id"]) if options["id"] else None, options["closed"])
        except FirebreakError as error:
            return {**result, **_told([], waiting), "failed": True, **error.as_result()}
        incidents = [state(each, options["events"]) for each in found]
        return {**result, "incidents": incidents, "means": means(found), **_told(found, waiting)}


def _found(recorder: Recorder, incident: str | None, closed: bool) -> list[Recorded]:
    with recorder.store() as store:
        ids = [incident] if incident else store.incidents(still_open=not closed)
        return [_whole(store, each) for each in ids]


def _whole(store: Store, incident: str) -> Recorded:
    """Read again when something was added meanwhile."""
    events, head = store.events(incident), store.head(incident)
    for _attempt in range(RETRIES):
        if len(events) == head[0]:
            break
        events, head = store.events(incident), store.head(incident)
    return Recorded(events, *head)


def _told(found: list[Recorded], waiting: list[str]) -> dict[str, Any]:
    ranks = ranked(findings(found, waiting))
    return {"waiting": waiting, "findings": [finding.as_dict() for finding in ranks]}
