# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site wants: who is told of what, and how often. Pure; a fault is named with its cure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import parse_duration

from ..severity.reading import level_of
from ..severity.site import DEADLINES_VARIABLE, Scale
from . import defaults
from .conditions import Condition, severities_of
from .contacts import People
from .rotation import zone_named

ESCALATION = "firebreak_escalation"
_KEYS = (
    "path",
    "matrix",
    "updates_every",
    "executives",
    "status_page",
    "customers",
    "customers_from_percent",
    "summary_at",
    "time_zone",
)
_NAME = re.compile(r"[a-z0-9_]{1,40}")

Read = TypeVar("Read")


@dataclass(frozen=True)
class Step:
    after: timedelta
    to: str
    severities: tuple[int, ...]


@dataclass(frozen=True)
class Row:
    name: str
    when: Condition
    to: tuple[str, ...]
    within: timedelta
    because: str


@dataclass(frozen=True)
class Policy:
    """`executives`, `status_page` and `customers` have the time allowed by severity, where they are told;
    `respond` that until somebody has to be on it."""

    people: People
    path: tuple[Step, ...]
    matrix: tuple[Row, ...]
    updates_every: Mapping[int, timedelta | None]
    executives: Mapping[int, timedelta]
    status_page: Mapping[int, timedelta]
    customers: Mapping[int, timedelta]
    customers_from: float
    summary_at: time
    zone: ZoneInfo
    respond: Mapping[int, timedelta]

    @classmethod
    def of(cls, variables: Mapping[str, Any]) -> Policy:
        """From the inventory. Raises `BadInput`."""
        given = variables.get(ESCALATION) or {}
        if not isinstance(given, Mapping) or set(given) - set(_KEYS):
            raise BadInput(ESCALATION, "it cannot be read", f"It has {', '.join(_KEYS)}, or some of them.")

        def of(name: str, default: Any) -> Any:
            return default if given.get(name) is None else given[name]

        clocks = Scale.of({DEADLINES_VARIABLE: variables.get(DEADLINES_VARIABLE)}).deadlines
        rhythm = defaults.updates_every(clocks)
        chiefs, public = (defaults.within(name, clocks) for name in ("notify_executives", "status_page"))
        every = _by_severity("updates_every", of("updates_every", rhythm), _seconds)
        path = of("path", "by_time")
        matrix = _listed("matrix", of("matrix", defaults.MATRIX), _row)
        names = [row.name for row in matrix]
        if len(set(names)) < len(names):
            raise BadInput(f"{ESCALATION}.matrix", "two rows have one name", "Give each its own.")
        return cls(
            people=People.of(variables),
            path=tuple(_listed("path", defaults.PATHS.get(str(path), path), _step)),
            matrix=tuple(matrix),
            updates_every={**_by_severity("updates_every", rhythm, _seconds), **every},
            executives=_set(_by_severity("executives", of("executives", chiefs), _seconds)),
            status_page=_set(_by_severity("status_page", of("status_page", public), _seconds)),
            customers=_set(_by_severity("customers", of("customers", public), _seconds)),
            customers_from=float(of("customers_from_percent", defaults.CUSTOMERS_FROM)),
            summary_at=_clock(of("summary_at", defaults.SUMMARY_AT)),
            zone=zone_named(str(of("time_zone", defaults.TIME_ZONE)), f"{ESCALATION}.time_zone"),
            respond=_set(_by_severity("respond", defaults.within("respond", clocks), _seconds)),
        )

    def roles(self) -> tuple[str, ...]:
        """Every role that somebody must have for this policy to work."""
        named = [step.to for step in self.path] + [role for row in self.matrix for role in row.to]
        return tuple(dict.fromkeys(named))

    def unfilled(self, now: datetime) -> list[str]:
        """What is wrong with it: the roles that nobody has."""
        return [str(error) for error in self.people.without_anybody(self.roles(), now)]


def _listed(name: str, given: Any, read: Callable[[str, Mapping[str, Any]], Read]) -> list[Read]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise BadInput(f"{ESCALATION}.{name}", "it is no list", "Write one entry for each step.")
    return [read(f"{ESCALATION}.{name}[{number}]", each) for number, each in enumerate(given)]


def _step(where: str, given: Mapping[str, Any]) -> Step:
    _check(where, given, {"after", "to"}, {"severities"})
    severities = severities_of(f"{where}.severities", given.get("severities") or [1, 2, 3, 4])
    return Step(timedelta(seconds=parse_duration(given["after"])), str(given["to"]), severities)


def _row(where: str, given: Mapping[str, Any]) -> Row:
    _check(where, given, {"name", "when", "to"}, {"within", "because"})
    name, to = str(given["name"]), given["to"]
    if not _NAME.fullmatch(name):
        raise BadInput(f"{where}.name", f"{name!r} is no name", "Use small letters, digits and underscores.")
    if isinstance(to, str) or not isinstance(to, Sequence) or not to:
        raise BadInput(f"{where}.to", "it is no list of roles", "Write [engineering_manager].")
    return Row(
        name=name,
        when=Condition.of(f"{where}.when", given["when"]),
        to=tuple(str(role) for role in to),
        within=timedelta(seconds=parse_duration(given.get("within", 0))),
        because=str(given.get("because") or name.replace("_", " ")),
    )


def _check(where: str, given: Any, needed: set[str], allowed: set[str]) -> None:
    if not isinstance(given, Mapping) or not needed <= set(given) or set(given) - needed - allowed:
        cure = f"Give it {', '.join(sorted(needed))}, and {', '.join(sorted(allowed))} if need be."
        raise BadInput(where, "it cannot be read", cure)


def _by_severity(
    name: str, given: Any, read: Callable[[str, Any], timedelta | None]
) -> dict[int, timedelta | None]:
    where = f"{ESCALATION}.{name}"
    if not isinstance(given, Mapping):
        raise BadInput(where, "it is no mapping", "Write for example {1: 15m}.")
    return {level_of(where, level): read(where, value) for level, value in given.items()}


def _seconds(_where: str, given: Any) -> timedelta | None:
    return None if given is None else timedelta(seconds=parse_duration(given))


def _set(given: Mapping[int, timedelta | None]) -> dict[int, timedelta]:
    return {level: value for level, value in given.items() if value is not None}


def _clock(given: Any) -> time:
    try:
        # YAML reads 18:00 as a number to the base of sixty.
        return time(*divmod(given, 60)) if isinstance(given, int) else time.fromisoformat(str(given))
    except ValueError:
        raise BadInput(f"{ESCALATION}.summary_at", f"{given!r} is no time of day", "Write '18:00'.") from None
