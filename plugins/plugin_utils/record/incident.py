# SPDX-License-Identifier: GPL-3.0-or-later
"""What an incident is: a fold over its events. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.moments import parse_iso

from .event import CLOSED, OPENED, REOPENED, Event

ACKNOWLEDGED, CONTAINED, RESOLVED = "incident.acknowledged", "incident.contained", "incident.resolved"
SEVERITY, ROLE = "incident.severity", "incident.role"
# The phases of an incident, in the order in which they come; each is what an event of its kind begins.
PHASES: Mapping[str, str] = {
    OPENED: "open",
    ACKNOWLEDGED: "acknowledged",
    CONTAINED: "contained",
    RESOLVED: "resolved",
    CLOSED: "closed",
}


@dataclass(frozen=True)
class Incident:
    """`times` has when each phase began first, as recorded, and `detected`; `roles` who has which; `facts` is
    what is known of its impact."""

    id: str
    title: str = ""
    severity: str | None = None
    security: bool = False
    phase: str = "open"
    times: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    events: int = 0

    @property
    def closed(self) -> bool:
        return self.phase == PHASES[CLOSED]

    def seconds_until(self, phase: str) -> float | None:
        """From its detection; None when that phase has not begun. MTTA, MTTC and MTTR are means of these."""
        if phase not in self.times or "detected" not in self.times:
            return None
        passed: timedelta = parse_iso(self.times[phase]) - parse_iso(self.times["detected"])
        return max(0.0, passed.total_seconds())


def fold(events: Sequence[Event]) -> Incident:
    """From all events of one incident, in their order."""
    incident = Incident(events[0].incident)
    for event in events:
        incident = replace(_after(incident, event), events=event.number)
    return incident


def _after(incident: Incident, event: Event) -> Incident:
    data = event.data
    if event.kind == OPENED and event.number == 1:
        return replace(
            incident,
            title=str(data.get("title", "")),
            severity=data.get("severity"),
            security=bool(data.get("security")),
            times={"detected": str(data.get("detected") or event.time), "open": event.time},
            facts=dict(data.get("facts") or {}),
        )
    if event.kind == SEVERITY:
        facts = {**incident.facts, **(data.get("facts") or {})}
        return replace(
            incident,
            severity=data.get("severity", incident.severity),
            facts=facts,
            # What was about security once stays so: somebody may have read what was not meant for them.
            security=incident.security or bool(data.get("security")),
        )
    if event.kind == ROLE:
        return replace(incident, roles={**incident.roles, str(data["role"]): str(data["person"])})
    if event.kind == REOPENED:
        # What was resolved was not; who took it on and what was contained stays true.
        kept = {name: time for name, time in incident.times.items() if name not in ("resolved", "closed")}
        last = next(name for name in reversed(list(PHASES.values())) if name in kept)
        return replace(incident, times=kept, phase=last)
    return _begun(incident, event) if event.kind in PHASES else incident


def _begun(incident: Incident, event: Event) -> Incident:
    phase = PHASES[event.kind]
    order = list(PHASES.values())
    further = order.index(phase) > order.index(incident.phase)
    return replace(
        incident,
        times={phase: event.time, **incident.times},
        phase=phase if further else incident.phase,
    )


def seconds_to_all(incidents: Sequence[Incident], phase: str) -> Mapping[str, Any]:
    """The mean over those in which the phase has begun, and of how many."""
    known = [seconds for each in incidents if (seconds := each.seconds_until(phase)) is not None]
    return {"mean_seconds": sum(known) / len(known) if known else None, "incidents": len(known)}
