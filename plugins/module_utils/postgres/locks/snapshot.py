# SPDX-License-Identifier: GPL-3.0-or-later
"""Who waits for which lock, behind whom, at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from ..sessions.session import Session
from .look import PREPARED

# Table 13.2 of the manual: with which of the others each mode conflicts.
_MODES = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
_CONFLICTS = ("7", "67", "4567", "34567", "23567", "234567", "1234567", "01234567")


@dataclass(frozen=True)
class Wanted:
    """A lock somebody waits for. `relation` is the name as SQL writes it, the oid where it is in another
    `database` than the one that was asked; `object` tells which one of its kind it is."""

    kind: str
    mode: str
    relation: str | None = None
    database: str | None = None
    object: str | None = None


@dataclass(frozen=True)
class Wait:
    """`blockers` are keys: pids, those of `Snapshot.prepared`, or 0 for a prepared transaction that has
    gone."""

    pid: int
    seconds: float
    wanted: Wanted
    blockers: tuple[int, ...]


@dataclass(frozen=True)
class Prepared:
    """A prepared transaction: `since` is the server's own text, `transactions` how many began after it."""

    gid: str
    since: str
    user: str
    database: str
    seconds: float
    transactions: int


@dataclass(frozen=True)
class Snapshot:
    """`waiting` counts everybody who waits, `waits` has those that wait longest, `beyond` the seconds of the
    others. `sessions` are who waits and who is waited for. A prepared transaction has a negative key."""

    waiting: int
    waits: tuple[Wait, ...]
    beyond: tuple[float, ...]
    sessions: Mapping[int, Session]
    prepared: Mapping[int, Prepared]
    subject: str = ""
    sees_all: bool = True


def conflict(wanted: str, held: str) -> bool:
    """Whether two modes exclude each other; those of unknown name do."""
    if wanted not in _MODES or held not in _MODES:
        return True
    return str(_MODES.index(held)) in _CONFLICTS[_MODES.index(wanted)]


def read(row: Mapping[str, Any], subject: str) -> Snapshot:
    """From a row of the looks WAITS and SERVER."""
    prepared = {-1 - number: Prepared(**one) for number, one in enumerate(row["prepared"])}
    keys = {one.gid: key for key, one in prepared.items()}
    holders: dict[int, list[int]] = {}
    for one in row["held"]:
        if conflict(one["wanted"], one["held"]):
            holders.setdefault(one["pid"], []).append(keys[one["gid"]])
    waits = [_wait(one, holders.get(one["pid"], [])) for one in row["waits"]]
    # Who is blocked by nobody has got its lock between the two looks.
    blocked = tuple(wait for wait in waits if wait.blockers)
    return Snapshot(
        waiting=row["waiting"] - len(waits) + len(blocked),
        waits=blocked,
        beyond=tuple(row["beyond"]),
        # Those of others have no start for who may not see them.
        sessions={one["pid"]: Session.of(one) for one in row["concerned"] if one["backend_start"]},
        prepared=prepared,
        subject=subject,
        sees_all=row["sees_all"],
    )


def _wait(one: Mapping[str, Any], holders: list[int]) -> Wait:
    blockers = [pid for pid in one["blockers"] if pid != PREPARED or not holders]
    if PREPARED in one["blockers"]:
        blockers += dict.fromkeys(holders)
    wanted = Wanted(one["kind"], one["mode"], one["relation"], one["database"], one["object"])
    return Wait(one["pid"], max(0.0, one["seconds"]), wanted, tuple(blockers))
