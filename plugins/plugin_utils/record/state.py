# SPDX-License-Identifier: GPL-3.0-or-later
"""How incidents stand, and what is wrong with their record. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.finding import CRITICAL, WARNING, Finding

from .event import Event
from .incident import PHASES, Incident, fold, seconds_to_all
from .verify import altered

_MEASURED = ("acknowledged", "contained", "resolved")


@dataclass(frozen=True)
class Recorded:
    """All events of one incident as they lie there, and how many there must be, the last with `digest`."""

    events: Sequence[Event]
    count: int
    digest: str

    @property
    def problems(self) -> list[str]:
        return list(altered(self.events, self.count, self.digest))


def state(recorded: Recorded, with_events: bool) -> dict[str, Any]:
    incident = fold(recorded.events)
    passed = {phase: incident.seconds_until(phase) for phase in PHASES.values()}
    told = {
        **asdict(incident),
        "seconds": {phase: seconds for phase, seconds in passed.items() if seconds is not None},
        "digest": recorded.digest,
        "intact": not recorded.problems,
    }
    return {**told, "timeline": [asdict(event) for event in recorded.events]} if with_events else told


def means(found: Sequence[Recorded]) -> dict[str, Any]:
    incidents: list[Incident] = [fold(each.events) for each in found]
    return {phase: seconds_to_all(incidents, phase) for phase in _MEASURED}


def findings(found: Sequence[Recorded], waiting: Sequence[str]) -> Iterator[Finding]:
    for each in found:
        incident, problems = each.events[0].incident, each.problems
        if problems:
            yield Finding(
                id="incident.record.altered",
                level=CRITICAL,
                subject=incident,
                summary=f"the record is not what was recorded: {'; '.join(problems[:5])}",
                evidence={"problems": problems},
            )
    for incident in waiting:
        yield Finding(
            id="incident.outbox.waiting",
            level=WARNING,
            subject=incident,
            summary="events wait on this controller and are not in the record; the next run with this "
            "incident delivers them",
        )
