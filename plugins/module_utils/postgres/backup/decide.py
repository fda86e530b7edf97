# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backup is the one to fall back on, whether another one is needed, and which ones are not any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Sequence

from ...finding import Finding
from ...lifecycle import Decision
from ...moments import iso_at
from ...plan import DESTRUCTIVE, DISRUPTIVE, Act, Plan
from ...quantities import speak_count, speak_duration
from .catalogue import Backup
from .findings import estimate, judge, lacking, latest, passed_over, reserve
from .observe import Examined, Snapshot

# What stands for the age of a backup that does not exist, in seconds: ten years.
NEVER = 315_360_000


@dataclass(frozen=True)
class Wishes:
    """`since`: a backup begun then or later is fresh, in seconds since the epoch; `max_age` says how long
    that is ago, in seconds.

    `keep` verified ones of each database stay when `prune` is set. `command` is the site's own script.
    """

    since: float
    max_age: float
    keep: int
    prune: bool = False
    command: tuple[str, ...] = ()
    command_user: str | None = None


def inform(snapshot: Snapshot, max_age: float) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    data = {
        "directory": _directory(snapshot),
        "server": snapshot.subject,
        "unseen": snapshot.unseen or None,
        "databases": [
            {"database": database, **_listing(snapshot, snapshot.examined[database])}
            for database in snapshot.databases
        ],
    }
    return data, judge(snapshot, max_age)


def change(snapshot: Snapshot, wishes: Wishes) -> Decision:
    """`symptom` is by how many seconds all wished backups together are too old, and how many are too many."""
    late = {name: _lateness(snapshot, snapshot.examined[name], wishes) for name in snapshot.databases}
    needed = [name for name, seconds in late.items() if seconds]
    surplus = _surplus(snapshot, needed, wishes) if wishes.prune else []
    acts = [*_backups(snapshot, needed, wishes)]
    because = lacking(snapshot.room, estimate(snapshot, needed)) if acts else None
    deletions = [_deletion(backup, snapshot, wishes) for backup in surplus]
    return Decision(
        symptom=sum(late.values()) + len(surplus),
        state={
            "directory": _directory(snapshot),
            "databases": {name: _state(snapshot, snapshot.examined[name]) for name in snapshot.databases},
            "surplus": [backup.path for backup in surplus],
        },
        findings=tuple(judge(snapshot, wishes.max_age)),
        # One database's dump does not rest on another's. What is deleted is looked at again before that.
        plan=Plan(
            acts=(*(() if because else acts), *deletions),
            refusals=tuple(act.refused(because) for act in acts) if because else (),
            sequential=False,
        ),
    )


def _backups(snapshot: Snapshot, needed: Sequence[str], wishes: Wishes) -> Iterator[Act]:
    if not needed:
        return
    place = {"directory": snapshot.room.directory}
    reasons = {name: _reason(snapshot, name, wishes) for name in needed}
    if wishes.command:
        yield Act(
            "postgres.backup.command",
            f"{wishes.command[0]} to {snapshot.room.directory}",
            {
                **place,
                "command": list(wishes.command),
                "user": wishes.command_user,
                "databases": list(needed),
            },
            DISRUPTIVE,
            "; ".join(reasons.values()),
        )
        return
    for name in needed:
        yield Act(
            "postgres.backup",
            f"database {name} to {snapshot.room.directory}",
            {**place, "database": name},
            DISRUPTIVE,
            reasons[name],
        )
    yield Act(
        "postgres.backup.globals",
        f"roles and tablespaces to {snapshot.room.directory}",
        {**place},
        DISRUPTIVE,
        "no dump of a database holds them",
    )


def _reason(snapshot: Snapshot, name: str, wishes: Wishes) -> str:
    examined = snapshot.examined[name]
    good = latest(examined)
    broken = [one for one in passed_over(examined) if one.verified is False]
    said = f"; {broken[0].backup.path} cannot be restored: {broken[0].reason}" if broken else ""
    if good is None:
        return f"{name} has no backup that can be restored{said}"
    if not wishes.max_age:
        return f"a new backup of {name} is wished"
    age = speak_duration(snapshot.now - good.backup.created)
    return (
        f"the newest backup of {name} is {age} old, wished is at most {speak_duration(wishes.max_age)}{said}"
    )


def _lateness(snapshot: Snapshot, examined: Sequence[Examined], wishes: Wishes) -> float:
    """Seconds by which the newest that was verified is too old."""
    known = [one for one in examined if not snapshot.in_future(one.backup)]
    if any(one.verified and one.backup.created >= wishes.since for one in known):
        return 0
    good = next((one for one in known if one.verified or one.backup.proved), None)
    return max(1.0, round(wishes.since - good.backup.created, 1)) if good else NEVER


def _surplus(snapshot: Snapshot, needed: Sequence[str], wishes: Wishes) -> list[Backup]:
    """Verified ones beyond those to keep, one that is about to be taken counted among these.

    Those that do not verify are neither counted nor deleted: somebody has to look at them.
    """
    surplus: list[Backup] = []
    for name in snapshot.databases:
        # What was not taken here, or from nobody knows when or of what, is somebody else's to delete.
        good = [one for one in _dated(snapshot, name) if one.verified]
        extra = [one.backup for one in good[wishes.keep - (name in needed) :]]
        surplus += [one for one in extra if one.database == name and one.manifest]
    globals_ = [one for one in snapshot.globals if not snapshot.in_future(one)]
    return [*surplus, *globals_[wishes.keep - bool(needed and not wishes.command) :]]


def _dated(snapshot: Snapshot, name: str) -> list[Examined]:
    return [one for one in snapshot.examined[name] if not snapshot.in_future(one.backup)]


def _deletion(backup: Backup, snapshot: Snapshot, wishes: Wishes) -> Act:
    what = f"of {backup.database}" if backup.database else "of the roles"
    return Act(
        "postgres.backup.delete",
        backup.path,
        {
            "path": backup.path,
            "inode": backup.inode,
            "mtime_ns": backup.mtime_ns,
            "database": backup.database,
            "keep": wishes.keep,
        },
        DESTRUCTIVE,
        f"begun {iso_at(backup.created)}; {speak_count(wishes.keep, 'newer one')} {what} can be restored",
    )


def _directory(snapshot: Snapshot) -> Mapping[str, Any]:
    room, needed = snapshot.room, estimate(snapshot, snapshot.databases)
    return {
        "path": room.directory,
        "exists": room.exists,
        "size_bytes": room.space.total,
        "free_bytes": room.space.available,
        "needed_bytes": needed,
        "reserve_bytes": reserve(room.space.total),
        "holds_data": room.holds_data,
        "room": lacking(room, needed) is None,
    }


def _listing(snapshot: Snapshot, examined: Sequence[Examined]) -> Mapping[str, Any]:
    return {
        **_state(snapshot, examined),
        "backups": [_described(snapshot, one) for one in examined],
    }


def _state(snapshot: Snapshot, examined: Sequence[Examined]) -> Mapping[str, Any]:
    good = latest(examined)
    return {
        "latest": _described(snapshot, good) if good else None,
        "passed_over": [{"path": one.backup.path, "reason": one.reason} for one in passed_over(examined)],
    }


def _described(snapshot: Snapshot, one: Examined) -> Mapping[str, Any]:
    return {
        **one.backup.as_dict(),
        "age_seconds": round(snapshot.now - one.backup.created, 1),
        "verified": one.verified,
        "reason": one.reason,
        "tables": one.tables,
        "rows": one.rows,
    }
