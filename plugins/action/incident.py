# SPDX-License-Identifier: GPL-3.0-or-later
"""Says something of an incident to its record. No host is contacted."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.firebreak.incident.plugins.module_utils.errors import (
    BadInput,
    FirebreakError,
    Unreachable,
)
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso, utc_now
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import speak_list
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.content import channel_name
from ansible_collections.firebreak.incident.plugins.plugin_utils.people.contacts import (
    PEOPLE,
    ROLES,
    check_names,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.desk import (
    WORDS,
    Said,
    event,
    opening,
    spoken,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import Draft
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.incident import Incident
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import (
    RECORD_VARIABLE,
    Recorder,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.run import parse_id
from ansible_collections.firebreak.incident.plugins.plugin_utils.severity.reading import facts_of
from ansible_collections.firebreak.incident.plugins.plugin_utils.severity.site import (
    VARIABLES as SEVERITY_VARIABLES,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.severity.site import Scale
from ansible_collections.firebreak.incident.plugins.plugin_utils.with_context import actor

# How many incidents are named where none was.
MOST = 5
# Of what messages tell besides.
MORE = ("public", "public_impact", "root_cause", "resolution")
# What cannot be judged without knowing how the incident stands.
NEED_THE_RECORD = ("close", "reopen", "severity")
VARIABLES = (RECORD_VARIABLE, *SEVERITY_VARIABLES, PEOPLE, ROLES)
SPEC: Mapping[str, Any] = {
    "event": {"type": "str", "required": True, "choices": list(WORDS)},
    "id": {"type": "str"},
    "title": {"type": "str", "default": ""},
    "text": {"type": "str", "default": ""},
    "severity": {"type": "str"},
    "facts": {"type": "dict", "default": {}},
    "security": {"type": "bool", "default": False},
    "detected": {"type": "str"},
    "role": {"type": "str"},
    "person": {"type": "str"},
    "key": {"type": "str", "no_log": False},
    "unresolved": {"type": "bool", "default": False},
    **{name: {"type": "str", "default": ""} for name in MORE},
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
        known = {name: self._templar.template(variables[name]) for name in VARIABLES if name in variables}
        now = utc_now()
        try:
            said = _said(options, actor(variables), now)
            recorder, scale = Recorder.of(known), Scale.of(known)
            check_names(options["person"] or None, options["role"] or None, known)
            if said.word == "open":
                return self._open(recorder, parse_id(options["id"] or new_id(now)), said, scale)
            if not options["id"]:
                raise BadInput("id", "which incident is meant is not said", _open_ones(recorder))
            return self._tell(recorder, parse_id(options["id"]), said, scale)
        except FirebreakError as error:
            return {"failed": True, **error.as_result()}

    def _open(self, recorder: Recorder, incident: str, said: Said, scale: Scale) -> dict[str, Any]:
        draft = opening(said, scale)
        if not self._task.check_mode:
            _warn(incident, recorder.open(incident, draft))
        return self._result(incident, draft, channel_name(said.now))

    def _tell(self, recorder: Recorder, incident: str, said: Said, scale: Scale) -> dict[str, Any]:
        try:
            known = recorder.incident(incident)
        except Unreachable:
            if said.word in NEED_THE_RECORD:
                raise
            # What is said waits here; what is so already cannot be told from what is new.
            known = Incident(incident, times={"detected": iso(said.now)})
        draft = event(said, known, scale)
        if draft is not None and not self._task.check_mode:
            _warn(incident, recorder.record(incident, [draft]))
        return self._result(incident, draft, None)

    def _result(self, incident: str, draft: Draft | None, channel: str | None) -> dict[str, Any]:
        told = {"kind": draft.kind, "time": draft.time, **draft.data} if draft else None
        result: dict[str, Any] = {
            "changed": draft is not None,
            "incident": incident,
            "event": told,
            "recorded": draft is not None and not self._task.check_mode,
        }
        if channel:
            result["channel"] = channel
        text = spoken(incident, draft, channel)
        # Other callbacks, that of AWX among them, show the message of a task only when they are told to.
        return {**result, "msg": "\n".join(text), "_ansible_verbose_always": True} if text else result


def new_id(now: datetime) -> str:
    """The runbook's name of a channel without its `#`."""
    return channel_name(now).lstrip("#")


def _said(options: Mapping[str, Any], who: str, now: datetime) -> Said:
    given = {name: options[name] for name in ("title", "text", "security", "role", "person", "unresolved")}
    return Said(
        options["event"],
        options["key"] or secrets.token_hex(12),
        who,
        now,
        severity=options["severity"] or None,
        detected=options["detected"] or None,
        # What is left empty is not known.
        facts=facts_of({name: each for name, each in options["facts"].items() if each not in (None, "", [])}),
        more={name: options[name] for name in MORE},
        **given,
    )


def _open_ones(recorder: Recorder) -> str:
    """The cure: nobody knows an id by heart."""
    with suppress(FirebreakError), recorder.store() as store:
        ids = store.incidents()
        if ids:
            return f"Give its id. Open are {speak_list(ids, MOST)}."
    return "Give its id."


def _warn(incident: str, problem: FirebreakError | None) -> None:
    if problem is not None:
        Display().warning(f"What was said of incident {incident} waits here: {problem}")
