# SPDX-License-Identifier: GPL-3.0-or-later
"""What responders say of an incident, as events. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso, parse_iso
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import speak_duration

from ..placeholders import refuse_placeholders
from ..severity.judge import Severity, judge, rated
from ..severity.reading import level_of
from ..severity.site import Scale
from .event import CLOSED, OPENED, REOPENED, Draft
from .incident import ACKNOWLEDGED, CONTAINED, PHASES, RESOLVED, ROLE, SEVERITY, Incident

NOTE, UPDATE = "incident.note", "incident.update"
# What the option `event` of the module `incident` says, and the kind of event it is.
WORDS: Mapping[str, str] = {
    "open": OPENED,
    "acknowledge": ACKNOWLEDGED,
    "contain": CONTAINED,
    "resolve": RESOLVED,
    "close": CLOSED,
    "reopen": REOPENED,
    "severity": SEVERITY,
    "role": ROLE,
    "update": UPDATE,
    "note": NOTE,
}
_DUE: Mapping[str, str] = {
    "respond": "somebody responds",
    "notify_executives": "executives are told",
    "status_page": "the status page says so",
}


@dataclass(frozen=True)
class Said:
    """`facts` are those of severity/rules.py; `key` makes what is said again the same event.

    `more` is what messages tell besides: `public`, `public_impact`, `root_cause`, `resolution`.
    """

    word: str
    key: str
    actor: str
    now: datetime
    text: str = ""
    title: str = ""
    severity: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    security: bool = False
    detected: str | None = None
    role: str | None = None
    person: str | None = None
    unresolved: bool = False
    more: Mapping[str, str] = field(default_factory=dict)


def opening(said: Said, scale: Scale) -> Draft:
    """Raises `BadInput`."""
    if not said.title:
        raise BadInput("title", "the incident has none", "Say in a few words what users see.")
    detected = parse_iso(said.detected) if said.detected else said.now
    if detected > said.now:
        raise BadInput(f"detected {said.detected}", "that is in the future", "Say when it was noticed.")
    found = severity_of(said, said.facts, detected, scale)
    data = {
        "title": said.title,
        "text": said.text,
        "detected": iso(detected),
        "security": _about_security(said, said.facts),
        "facts": dict(said.facts),
        **_level(found),
    }
    return _draft(said, OPENED, data)


def event(said: Said, incident: Incident, scale: Scale) -> Draft | None:
    """None when the incident is there already. Raises `BadInput`."""
    kind = WORDS[said.word]
    if kind == REOPENED:
        return _draft(said, kind, {"text": said.text}) if _over(incident) else None
    _refuse(said, kind, incident)
    if kind in PHASES:
        # To take it on again counts: who did so before may not have seen that it became worse.
        if kind != ACKNOWLEDGED and PHASES[kind] in incident.times:
            return None
        by = {"by": said.person or said.actor} if kind == ACKNOWLEDGED else {}
        return _draft(said, kind, {"text": said.text, **by})
    if kind == SEVERITY:
        return _judged(said, incident, scale)
    if kind == ROLE:
        if incident.roles.get(str(said.role)) == said.person:
            return None
        return _draft(said, kind, {"role": said.role, "person": said.person})
    return _draft(said, kind, {"text": said.text})


def _refuse(said: Said, kind: str, incident: Incident) -> None:
    if incident.closed and kind != CLOSED:
        raise BadInput(
            f"incident {incident.id}",
            f"it was closed at {incident.times[PHASES[CLOSED]]}",
            "Reopen it, or open a new one.",
        )
    if kind == CLOSED and not said.unresolved and PHASES[RESOLVED] not in incident.times:
        raise BadInput(
            f"incident {incident.id}",
            "it is not resolved",
            "Resolve it first, or close it with unresolved=true.",
        )
    if kind == ROLE and not (said.role and said.person):
        raise BadInput("role", "who has which is not said", "Give role and person.")
    if kind in (UPDATE, NOTE) and not said.text:
        raise BadInput("text", f"the {said.word} has none", "Say what is to be told.")


def _judged(said: Said, incident: Incident, scale: Scale) -> Draft | None:
    """What was known before still holds unless it is said anew."""
    if not (said.facts or said.severity or said.security):
        raise BadInput("severity", "nothing is said of it", "Give severity, or facts to judge it from.")
    if not said.facts and not said.severity:
        said = replace(said, severity=incident.severity)
    facts = {**incident.facts, **said.facts}
    found = severity_of(said, facts, parse_iso(incident.times["detected"]), scale)
    security = incident.security or _about_security(said, facts)
    if (found.names[0], facts, security) == (incident.severity, incident.facts, incident.security):
        return None
    data = {"facts": dict(said.facts), "text": said.text, "security": security, **_level(found)}
    return _draft(said, SEVERITY, data)


def _about_security(said: Said, facts: Mapping[str, Any]) -> bool:
    return said.security or facts.get("data_breach") not in (None, "no", False)


def severity_of(said: Said, facts: Mapping[str, Any], detected: datetime, scale: Scale) -> Severity:
    """As it was given, else as judged from the facts."""
    found = judge(facts, detected, scale.rules, scale.deadlines)
    if said.severity is None:
        return found
    given = parse_severity(said.severity)
    if given == found.level:
        return found
    return rated(given, [f"{said.actor} says so"], detected, scale.deadlines)


def spoken(incident: str, draft: Draft | None, channel: str | None) -> list[str]:
    """What somebody who has just said it wants to read."""
    if draft is None:
        return [f"{incident}: it was so already"]
    if draft.kind not in (OPENED, SEVERITY):
        return []
    level, due = parse_severity(draft.data["severity"]), draft.data["deadlines"]
    times = [f"{what} by {_minute(due[name])}" for name, what in _DUE.items() if due.get(name)]
    every = [f"an update every {speak_duration(due['updates_every'])}"] if due.get("updates_every") else []
    return [
        f"{incident}: Sev{level} / P{level - 1}, because {'; '.join(draft.data['reasons'])}",
        "; ".join(times + every) or "nothing is due",
        *([f"channel {channel}"] if channel else []),
    ]


def parse_severity(text: str) -> int:
    """Of both scales: Sev1 to Sev4, P0 to P3, or 1 to 4."""
    return level_of("severity", text)


def _minute(time: str) -> str:
    return f"{parse_iso(time):%Y-%m-%d %H:%M} UTC"


def _level(found: Severity) -> dict[str, Any]:
    return {
        "severity": found.names[0],
        "reasons": list(found.reasons),
        "deadlines": dict(found.deadlines),
    }


def _over(incident: Incident) -> bool:
    return PHASES[RESOLVED] in incident.times or incident.closed


def _draft(said: Said, kind: str, data: Mapping[str, Any]) -> Draft:
    more = {name: text for name, text in said.more.items() if text}
    told = {**more, "text": said.text} if kind == UPDATE else more
    for name, text in told.items():
        # It is read by people outside. What is told of a phase may quote a log: [WARN] is fair there.
        refuse_placeholders(name, text)
    return Draft(said.key, iso(said.now), kind, said.actor, None, {**data, **more})
