# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the backups of a server, and how much room another one needs."""

from __future__ import annotations

from typing import Iterator, Mapping, Sequence

from ...finding import NOTICE, WARNING, Finding, Remedy
from ...moments import iso_at
from ...quantities import GIB, share, speak_count, speak_duration, speak_list, speak_size
from .observe import Cluster, Examined, Room, Snapshot

REMEDY = Remedy("backup_database")
# What is to stay free: the smaller of the two.
RESERVE_SHARE, RESERVE_BYTES = 0.1, GIB
# In percent; a dump on the filesystem of the data could stop the server.
NEARLY_FULL = 90.0
# How much a database may have grown since it was last dumped.
GROWTH = 2
LISTED, EVIDENCE = 3, 100


def judge(snapshot: Snapshot, max_age: float) -> list[Finding]:
    """`max_age` in seconds."""
    found: list[Finding] = []
    for database in snapshot.databases:
        subject = f"backup of {database}, {snapshot.subject}"
        found += _of_database(snapshot, snapshot.examined[database], subject, max_age)
    return [*found, *_room(snapshot), *_left(snapshot)]


def latest(examined: Sequence[Examined]) -> Examined | None:
    """The newest that can be read; where none was tried, the newest."""
    return next((one for one in examined if one.verified), None) or next(
        (one for one in examined if one.verified is None and not one.reason), None
    )


def passed_over(examined: Sequence[Examined]) -> tuple[Examined, ...]:
    """Those that are newer than the latest."""
    good = latest(examined)
    return tuple(examined if good is None else examined[: examined.index(good)])


def estimate(snapshot: Snapshot, databases: Sequence[str]) -> int:
    """Bytes that dumps of these need at most: the databases as they are, or twice what the last ones took."""
    sizes: Mapping[str, int | None] = snapshot.cluster.databases if snapshot.cluster else {}
    total = 0
    for database in databases:
        good = next((one for one in snapshot.examined[database] if one.verified or one.backup.proved), None)
        known = [GROWTH * good.backup.size] if good else []
        size = sizes.get(database)
        total += min([*known, *([] if size is None else [size])], default=0)
    return total


def reserve(total: int) -> int:
    """Bytes of a filesystem of that size that must stay free."""
    return min(int(total * RESERVE_SHARE), RESERVE_BYTES)


def lacking(room: Room, needed: int) -> str | None:
    """Why there is no room for that many bytes, or None."""
    space = room.space
    used = share(space.total - space.available, space.total)
    if room.holds_data and used >= NEARLY_FULL:
        return f"{room.directory} lies on the filesystem of the server's data, which is {used:g} % full"
    if space.inodes and not space.inodes_available:
        return f"the filesystem of {room.directory} has no inode left"
    left = space.available - needed
    if left < reserve(space.total):
        return (
            f"{room.directory} has {speak_size(space.available)} free, the dump may take "
            f"{speak_size(needed)} and {speak_size(reserve(space.total))} must stay free"
        )
    return None


def unmeasured(cluster: Cluster | None, databases: Sequence[str]) -> list[str]:
    """The databases whose size nobody tells."""
    return [name for name in databases if cluster and cluster.databases.get(name) is None]


def _of_database(
    snapshot: Snapshot, examined: Sequence[Examined], subject: str, max_age: float
) -> Iterator[Finding]:
    directory, good = snapshot.room.directory, latest(examined)
    if not examined:
        yield Finding(
            id="postgres.backup.missing",
            level=WARNING,
            subject=subject,
            summary=f"there is no dump of it in {directory}"
            + ("" if snapshot.room.exists else ", which does not exist"),
            evidence={"directory": directory, "exists": snapshot.room.exists},
            remedy=REMEDY,
        )
    yield from _unreadable(examined, subject)
    # That a new one is demanded whatever there is says nothing against what there is.
    if good and max_age and snapshot.now - good.backup.created > max_age:
        age = snapshot.now - good.backup.created
        kind = "can be read" if good.verified else "is there"
        yield Finding(
            id="postgres.backup.old",
            level=WARNING,
            subject=subject,
            summary=f"the newest that {kind} is {speak_duration(age)} old ({good.backup.path}); "
            f"wished is one of at most {speak_duration(max_age)}",
            evidence={
                "path": good.backup.path,
                "created": iso_at(good.backup.created),
                "age_seconds": round(age, 1),
                "wished_seconds": max_age,
            },
            remedy=REMEDY,
        )


def _unreadable(examined: Sequence[Examined], subject: str) -> Iterator[Finding]:
    good = latest(examined)
    broken = [one for one in passed_over(examined) if one.verified is False]
    unread = [one for one in passed_over(examined) if one.verified is None]
    if broken:
        instead = f"{good.backup.path} is used instead" if good else "no other one can be"
        yield Finding(
            id="postgres.backup.broken",
            level=WARNING,
            subject=subject,
            summary=f"{broken[0].backup.path} cannot be restored: {broken[0].reason}; {instead}",
            evidence={
                "broken": [{"path": one.backup.path, "reason": one.reason} for one in broken],
                "latest": good.backup.path if good else None,
            },
            remedy=REMEDY,
        )
    if unread:
        yield Finding(
            id="postgres.backup.unverified",
            level=WARNING,
            subject=subject,
            summary=f"{speak_count(len(unread), 'dump')} could not be tried: {unread[0].reason}",
            evidence={"unread": [{"path": one.backup.path, "reason": one.reason} for one in unread]},
        )


def _left(snapshot: Snapshot) -> Iterator[Finding]:
    everyone = [one.backup for examined in snapshot.examined.values() for one in examined]
    future = sorted({one.path for one in everyone if snapshot.in_future(one)})
    if future:
        yield Finding(
            id="postgres.backup.future",
            level=WARNING,
            subject=f"directory {snapshot.room.directory}",
            summary=f"by its time, {speak_list(future, LISTED)} was begun in the future: a clock was or is "
            f"wrong; it is used last, is never new enough, and is not deleted",
            evidence={"paths": future[:EVIDENCE]},
        )
    if snapshot.unfinished:
        size = sum(each for _path, each in snapshot.unfinished)
        paths = [path for path, _size in snapshot.unfinished]
        yield Finding(
            id="postgres.backup.unfinished",
            level=NOTICE,
            subject=f"directory {snapshot.room.directory}",
            summary=f"{speak_list(paths, LISTED)} ({speak_size(size)}) was left by a dump that was cut off, "
            f"and nobody writes it any more: delete it",
            evidence={"paths": paths[:EVIDENCE], "bytes": size},
        )


def _room(snapshot: Snapshot) -> Iterator[Finding]:
    room, needed = snapshot.room, estimate(snapshot, snapshot.databases)
    because = lacking(room, needed)
    if because:
        yield Finding(
            id="postgres.backup.no_room",
            level=WARNING,
            subject=f"directory {room.directory}",
            summary=f"there is no room for a dump: {because}",
            evidence={
                "free_bytes": room.space.available,
                "size_bytes": room.space.total,
                "needed_bytes": needed,
                "holds_data": room.holds_data,
            },
        )
    unknown = unmeasured(snapshot.cluster, snapshot.databases)
    if snapshot.unseen or unknown:
        said = snapshot.unseen or f"the size of {', '.join(unknown)} is told to those who may connect only"
        yield Finding(
            id="postgres.backup.unmeasured",
            level=NOTICE,
            subject=snapshot.subject,
            summary=f"how much room a dump needs is not known: {said}",
            evidence={"reason": said},
        )
    cluster = snapshot.cluster
    if cluster and cluster.standby:
        behind = cluster.behind_seconds
        age = "nobody knows how old" if behind is None else f"{speak_duration(behind)} old"
        yield Finding(
            id="postgres.backup.standby",
            level=NOTICE,
            subject=snapshot.subject,
            summary=f"this is a standby whose last transaction is {age}: so is what a dump of it holds",
            evidence={"behind_seconds": behind},
        )
