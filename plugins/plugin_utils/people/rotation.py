# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose turn it is.

Turns are counted from an anchor on the wall clock of a named time zone, so that people hand over at the same
hour in summer and in winter. Week numbers of the calendar are not used: they begin anew in years that do
not have the same number of weeks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.moments import parse_iso
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import parse_duration

# A shorter turn could begin and end within the hour that a clock skips.
SHORTEST = timedelta(hours=2)


@dataclass(frozen=True)
class Override:
    """`person` has the turn from `begin` until before `end`, whoever would have it."""

    begin: datetime
    end: datetime
    person: str


@dataclass(frozen=True)
class Handover:
    moment: datetime
    person: str


@dataclass(frozen=True)
class Rotation:
    """`anchor` is on the wall clock, without a zone; the first of `people` has the turn that begins there."""

    anchor: datetime
    zone: ZoneInfo
    turn: timedelta
    people: tuple[str, ...]
    overrides: tuple[Override, ...] = ()

    @classmethod
    def of(cls, where: str, given: Any) -> Rotation:
        """`where` is what faults are said of. Raises `BadInput`."""
        if not isinstance(given, Mapping) or not {"anchor", "time_zone", "people"} <= set(given):
            raise BadInput(
                where, "it is incomplete", "Give it anchor, time_zone, turn and people, overrides if any."
            )
        zone = zone_named(str(given["time_zone"]), where)
        people = given["people"]
        if isinstance(people, str) or not people:
            raise BadInput(f"{where}.people", "nobody is in it", "List the people in the order of turns.")
        turn = timedelta(seconds=parse_duration(given.get("turn", "1w")))
        if turn < SHORTEST:
            raise BadInput(f"{where}.turn", f"{given['turn']} is too short", "Give 2h or more.")
        overrides = [
            _override(f"{where}.overrides[{number}]", each, zone)
            for number, each in enumerate(given.get("overrides") or ())
        ]
        return cls(
            anchor=_wall_clock(f"{where}.anchor", given["anchor"]),
            zone=zone,
            turn=turn,
            people=tuple(str(person) for person in people),
            overrides=_apart(where, overrides),
        )

    @property
    def everybody(self) -> tuple[str, ...]:
        return (*self.people, *(override.person for override in self.overrides))

    def on_call(self, now: datetime) -> str:
        for override in self.overrides:
            if override.begin <= now < override.end:
                return override.person
        return self.people[self._number(now) % len(self.people)]

    def next(self, now: datetime) -> Handover | None:
        """When somebody else has it next, and who; None when that is never."""
        current = self.on_call(now)
        number = self._number(now)
        turns = [self._begin(number + ahead) for ahead in range(1, len(self.people) + 1)]
        edges = [edge for override in self.overrides for edge in (override.begin, override.end)]
        ended = [self._begin(self._number(edge) + 1) for edge in edges]
        for moment in sorted({moment for moment in (*turns, *edges, *ended) if moment > now}):
            if self.on_call(moment) != current:
                return Handover(moment, self.on_call(moment))
        return None

    def _begin(self, number: int) -> datetime:
        local = self.anchor + number * self.turn
        return local.replace(tzinfo=self.zone).astimezone(UTC)

    def _number(self, now: datetime) -> int:
        """How many turns have begun since the anchor; negative before it."""
        local = now.astimezone(self.zone).replace(tzinfo=None)
        number = (local - self.anchor) // self.turn
        # Where a clock is put back the same hour comes twice, and a turn begins in the first.
        if self._begin(number + 1) <= now:
            return number + 1
        return number if self._begin(number) <= now else number - 1


def zone_named(name: str, where: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput(where, f"there is no time zone {name!r}", "Write for example Europe/Berlin.") from None


def _wall_clock(where: str, given: Any) -> datetime:
    try:
        moment = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
    except ValueError:
        raise BadInput(where, f"{given!r} is no date with a time", "Write 2026-01-05T09:00.") from None
    if moment.tzinfo is not None:
        raise BadInput(
            where, f"{given} names a zone", "It is on the wall clock of time_zone: leave that off."
        )
    return moment


def _override(where: str, given: Any, zone: ZoneInfo) -> Override:
    if not isinstance(given, Mapping) or not {"from", "until", "person"} <= set(given):
        raise BadInput(where, "it is incomplete", "Give it from, until and person.")
    begin, end = (_moment(f"{where}.{edge}", given[edge], zone) for edge in ("from", "until"))
    if begin >= end:
        raise BadInput(where, "it ends before it begins", "Mend from or until.")
    return Override(begin, end, str(given["person"]))


def _moment(where: str, given: Any, zone: ZoneInfo) -> datetime:
    """UTC when it ends in Z, else on the wall clock of the rotation."""
    if isinstance(given, datetime) and given.tzinfo is not None:
        return given.astimezone(UTC)
    if str(given).endswith("Z"):
        return parse_iso(str(given))
    return _wall_clock(where, given).replace(tzinfo=zone).astimezone(UTC)


def _apart(where: str, overrides: Sequence[Override]) -> tuple[Override, ...]:
    ordered = sorted(overrides, key=lambda override: override.begin)
    for first, second in pairwise(ordered):
        if second.begin < first.end:
            raise BadInput(
                f"{where}.overrides",
                f"those of {first.person} and {second.person} overlap at {second.begin:%Y-%m-%d %H:%M} UTC",
                "Only one person can have the turn: shorten one of them.",
            )
    return tuple(ordered)
