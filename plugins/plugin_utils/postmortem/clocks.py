# SPDX-License-Identifier: GPL-3.0-or-later
"""When each phase began, and whether that was in time. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso, parse_iso

from ..people.due import EXECUTIVES, STATUS_PAGE
from ..people.story import SENT
from ..record.event import OPENED, Event
from ..record.incident import ACKNOWLEDGED, PHASES, SEVERITY, Incident

# What a deadline of severity/rules.py asks for, and how a phase or a first message answers it.
RESPOND = "respond"
AUDIENCES = (
    ("notify_executives", EXECUTIVES, "told to executives"),
    ("status_page", STATUS_PAGE, "on the status page"),
)


@dataclass(frozen=True)
class Phase:
    """`seconds` count from the detection, None where it has not begun; `due` is None where nothing is."""

    name: str
    time: str | None
    seconds: float | None
    due: str | None
    allowed: float | None
    late: bool


def detected_at(events: Sequence[Event]) -> datetime:
    opened = next((event for event in events if event.kind == OPENED), events[0])
    return parse_iso(str(opened.data.get("detected") or opened.time))


def phases(incident: Incident, events: Sequence[Event]) -> tuple[Phase, ...]:
    found = []
    for kind, name in PHASES.items():
        begun = next((event for event in events if event.kind == kind), None)
        # What was reopened is not resolved.
        time = incident.times.get(name)
        wanted = RESPOND if kind == ACKNOWLEDGED else None
        found.append(_phase(name, time, wanted, begun, events))
    return (*found[:2], *_told(events), *found[2:])


def _told(events: Sequence[Event]) -> Iterator[Phase]:
    for wanted, audience, name in AUDIENCES:
        first = next((e for e in events if e.kind == SENT and e.data.get("audience") == audience), None)
        phase = _phase(name, first.time if first else None, wanted, first, events)
        if first or phase.due:
            yield phase


def _phase(
    name: str, time: str | None, wanted: str | None, answer: Event | None, events: Sequence[Event]
) -> Phase:
    detected = detected_at(events)
    due = _due(wanted, answer, events) if wanted else None
    answered = parse_iso(time) if time else None
    reached = answered or parse_iso(max(event.time for event in events))
    return Phase(
        name,
        time,
        max(0.0, (answered - detected).total_seconds()) if answered else None,
        iso(due) if due else None,
        (due - detected).total_seconds() if due else None,
        due is not None and reached > due,
    )


def _due(wanted: str, answer: Event | None, events: Sequence[Event]) -> datetime | None:
    """As it was known when it was answered. Where it became worse, the clock began again with that."""
    detected, due, severity = detected_at(events), None, None
    for event in events:
        if event.kind not in (OPENED, SEVERITY) or (answer and event.number > answer.number):
            continue
        given = (event.data.get("deadlines") or {}).get(wanted)
        if event.kind == SEVERITY and str(event.data["severity"]) == severity:
            continue
        worse = event.kind == SEVERITY and severity is not None and str(event.data["severity"]) < severity
        began = parse_iso(event.time) if worse else detected
        due = began + (parse_iso(str(given)) - detected) if given else None
        severity = str(event.data.get("severity"))
    return due
