# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of an incident afterwards, out of its events. Markdown and HTML draw the same account. Pure.

Nothing in it depends on when it is asked for: of an incident that is not over, the last event is the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso, parse_iso

from ..people.story import SENT
from ..record.event import OPENED, REOPENED, Event
from ..record.incident import PHASES, ROLE, SEVERITY, Incident, fold
from ..record.timeline import RUN_STARTED, VERDICT
from ..rendering.lock_tree import draw
from .acts import DONE, Done, acts
from .clocks import Phase, detected_at, phases
from .lines import Line, lines, one_line
from .looks import Sighting, sightings

# Who writes the document is no part of what happened.
WRITER = "write_postmortem"
TOLD = ("root_cause", "resolution")


@dataclass(frozen=True)
class Band:
    """From when to when the incident was in a phase."""

    phase: str
    begin: str
    end: str


@dataclass(frozen=True)
class Verdict:
    """What was measured on a host after the acts of a playbook."""

    time: str
    host: str
    playbook: str
    verdict: str


@dataclass(frozen=True)
class Account:
    """`reasons` are those of the last severity, `end` is the time of the last event, `said` what responders
    have told under the names of TOLD, `responders` who took part, `trees` are hosts with the lock tree that
    was found there, drawn. `doubts` says where the record is not what was recorded; nothing here can be
    relied on then."""

    incident: Incident
    detected: str
    end: str
    lines: tuple[Line, ...]
    phases: tuple[Phase, ...]
    bands: tuple[Band, ...]
    acts: tuple[Done, ...]
    findings: tuple[Sighting, ...]
    verdicts: tuple[Verdict, ...]
    trees: tuple[tuple[str, str], ...]
    said: Mapping[str, str]
    reasons: tuple[str, ...]
    responders: tuple[str, ...]
    doubts: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        return self.incident.closed or "resolved" in self.incident.times

    @property
    def duration(self) -> float | None:
        """From the detection until it was resolved, in seconds."""
        return self.incident.seconds_until("resolved")


def account(recorded: Sequence[Event], doubts: Sequence[str] = ()) -> Account:
    """From all events of one incident, in their order. Raises `BadInput` when none can be read."""
    events, unread = _readable(recorded)
    if not events:
        raise BadInput(
            "incident record", "none of its events can be read", "Look who altered it, and restore it."
        )
    incident = fold(events)
    rated = [event for event in events if event.kind in (OPENED, SEVERITY) and event.data.get("reasons")]
    done = acts(events)
    return Account(
        incident=incident,
        detected=iso(detected_at(events)),
        end=max(event.time for event in events),
        lines=lines(events, done),
        phases=phases(incident, events),
        bands=tuple(_bands(events)),
        acts=done,
        findings=sightings(events),
        verdicts=tuple(_verdicts(events)),
        trees=tuple(_trees(events)),
        said=_said(events),
        reasons=tuple(map(str, rated[-1].data["reasons"])) if rated else (),
        responders=tuple(dict.fromkeys(_responders(events))),
        doubts=(*doubts, *unread),
    )


def _readable(recorded: Sequence[Event]) -> tuple[list[Event], list[str]]:
    """Whoever alters a record must not keep the rest of it from being told."""
    events: list[Event] = []
    unread: list[str] = []
    for event in recorded:
        if not _whole(event):
            unread.append(f"event {event.number} ({event.kind}) cannot be read and is left out")
        elif event.data.get("playbook") != WRITER:
            events.append(event)
    return events, unread


def _whole(event: Event) -> bool:
    data = event.data
    if not isinstance(data, Mapping):
        return False
    needed = {ROLE: ("role", "person"), SEVERITY: ("severity",)}.get(event.kind, ())
    needed = ("action", "target", "reason") if event.kind.startswith("act.") else needed
    lists = [data.get(name) or [] for name in ("reasons", "findings")]
    maps = [data.get(name) or {} for name in ("facts", "deadlines", "undo", "before", "after")]
    try:
        moments = [event.time, data.get("detected") or event.time, *_moments(data.get("deadlines") or {})]
        for moment in moments:
            parse_iso(str(moment))
    except BadInput:
        return False
    return (
        all(name in data for name in needed)
        and all(isinstance(each, list) for each in lists)
        and all(isinstance(each, Mapping) for each in maps)
        and all(isinstance(each, Mapping) for each in data.get("findings") or ())
    )


def _moments(deadlines: Any) -> Iterator[str]:
    if isinstance(deadlines, Mapping):
        yield from (str(due) for name, due in deadlines.items() if due and name != "updates_every")


def _said(events: Sequence[Event]) -> Mapping[str, str]:
    """What was said last."""
    return {name: one_line(event.data[name]) for event in events for name in TOLD if event.data.get(name)}


def _responders(events: Sequence[Event]) -> Iterator[str]:
    """Who took it on, was given a role, said or did something, or was called."""
    for event in events:
        if event.kind in (SENT, ROLE) and event.data.get("person"):
            yield str(event.data["person"])
        elif event.kind.startswith("incident.") or event.kind in (DONE, RUN_STARTED):
            yield str(event.data.get("by") or event.actor).partition("@")[0]


def _bands(events: Sequence[Event]) -> Iterator[Band]:
    """What leads back, leads back here too."""
    marks = [event for event in events if event.kind in PHASES or event.kind == REOPENED]
    end = max(event.time for event in events)
    band: Band | None = None
    for number, event in enumerate(marks, 1):
        phase = fold(marks[:number]).phase
        if band is None:
            begin = iso(detected_at(events))
            if begin < event.time:
                yield Band("detected", begin, event.time)
            band = Band(phase, event.time, end)
        elif phase != band.phase:
            yield replace(band, end=event.time)
            band = Band(phase, event.time, end)
    if band is not None:
        yield band


def _verdicts(events: Sequence[Event]) -> Iterator[Verdict]:
    for event in events:
        if event.kind == VERDICT and event.data.get("verdict") != "not_needed":
            told = (str(event.data.get(name) or "") for name in ("playbook", "verdict"))
            yield Verdict(event.time, event.host or "", *told)


def _trees(events: Sequence[Event]) -> Iterator[tuple[str, str]]:
    for event in events:
        if event.kind == VERDICT:
            tree = (event.data.get("before") or {}).get("tree")
            if isinstance(tree, list) and tree and all(map(_is_lock, tree)):
                yield str(event.host), _drawn(tree)


def _is_lock(entry: Any) -> bool:
    return isinstance(entry, Mapping) and "waiting_behind" in entry


def _drawn(tree: Sequence[Mapping[str, Any]]) -> str:
    try:
        return draw(tree)
    except (AttributeError, KeyError, TypeError, ValueError):
        # Altered, or of another release.
        return "it was recorded in a way that cannot be drawn"
