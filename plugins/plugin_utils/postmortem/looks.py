# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found wrong, and whether it was still there when the same was looked at again. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.finding import LEVELS

from ..record.event import Event
from ..record.timeline import FINDINGS, RUN_FINISHED

THERE, GONE, UNSEEN = "still there", "gone", "not looked at again"


@dataclass(frozen=True)
class Sighting:
    """One finding on one host; `state` is how it was in the last run that could have seen it, at `looked`.

    `summary` is what was said first, `last` what was said last where that is something else.
    """

    host: str
    level: str
    subject: str
    summary: str
    last: str
    seen: str
    looked: str
    state: str


@dataclass
class _Found:
    first: Mapping[str, Any]
    seen: str
    last: Mapping[str, Any] = field(default_factory=dict)
    last_time: str = ""
    runs: set[str] = field(default_factory=set)
    playbooks: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class _Look:
    number: int
    time: str
    run: str
    host: str
    playbook: str


def sightings(events: Sequence[Event]) -> tuple[Sighting, ...]:
    """By host, the worst first."""
    found: dict[tuple[str, str, str], _Found] = {}
    looks = [look for event in events for look in _looks(event)]
    for event in events:
        if event.kind == FINDINGS and event.host:
            for each in event.data.get("findings") or ():
                key = (event.host, str(each.get("id")), str(each.get("subject")))
                one = found.setdefault(key, _Found(each, event.time))
                one.last, one.last_time = each, event.time
                one.runs.add(str(event.data.get("run")))
                one.playbooks.add(str(event.data.get("playbook")))
    told = [_sighting(host, one, looks) for (host, _id, _subject), one in found.items()]
    return tuple(sorted(told, key=lambda one: (one.host, _rank(one.level), one.seen)))


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)


def _looks(event: Event) -> Iterator[_Look]:
    """A run in which nothing is wrong says nothing of a host but that it came through there."""
    run, playbook = str(event.data.get("run")), str(event.data.get("playbook"))
    if event.kind == FINDINGS and event.host:
        yield _Look(event.number, event.time, run, event.host, playbook)
    if event.kind == RUN_FINISHED and isinstance(event.data.get("hosts"), Mapping):
        for host, stats in event.data["hosts"].items():
            whole = isinstance(stats, Mapping) and not stats.get("failures") and not stats.get("unreachable")
            if whole and stats.get("ok"):
                yield _Look(event.number, event.time, run, str(host), playbook)


def _sighting(host: str, one: _Found, looks: Sequence[_Look]) -> Sighting:
    could = [look for look in looks if look.host == host and look.playbook in one.playbooks]
    latest = max(could, key=lambda look: look.number)
    state = GONE if latest.run not in one.runs else THERE if len(one.runs) > 1 else UNSEEN
    told = {name: str(one.first.get(name) or "") for name in ("level", "subject", "summary")}
    last = str(one.last.get("summary") or "")
    return Sighting(
        host=host,
        **told,
        last=last if last != told["summary"] else "",
        seen=one.seen,
        looked=latest.time if state == GONE else one.last_time,
        state=state,
    )
