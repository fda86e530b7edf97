# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at what takes the room, with one walk over each filesystem and others asked meanwhile."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence

from ..clients.open_files import Deleted
from ..clients.procfs import Procfs, Space, space
from ..clients.tree import names_in
from ..deadlines import Deadline, gather
from ..errors import Unreachable
from ..host.filesystems import deleted_on
from ..host.parts import Parts
from ..host.room import CAUSE_SHARE
from ..quantities import share
from .holders import see_backups, see_docker, see_wal
from .kinds import CONTAINER_LOG, LOG, ROTATED, WAL, Context, kind_of
from .model import Backups, Docker, File, Log, Place, Seen, Snapshot, Usage, Wal
from .places import find_places, is_remote
from .usage import measure

# Whoever waits for the disk or a processor goes first; the kernel derives the priority of reads from it too.
NICENESS = 10
# Of each place, and of the names beside one.
LOGS, BESIDE, SLOTS = 10, 20_000, 20
# What the walk leaves of the time, for the rest to be said.
WALK_SHARE = 0.9
_TURNS = (".", "-", "_")


@dataclass(frozen=True)
class Wish:
    """`paths` as given, none for all local filesystems; `timeout` in seconds. `params` name the server."""

    paths: tuple[str, ...]
    top: int
    timeout: float
    backups: str | None = None
    keep: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


def observe(
    wish: Wish,
    procfs: Procfs | None = None,
    statvfs: Callable[[str], Space] = space,
    nice: Callable[[int], Any] = os.nice,
) -> Snapshot:
    """Raises `BadInput` for a path that cannot be looked at, `Unreachable` when there is nothing to see."""
    procfs, parts, now = procfs or Procfs(), Parts(), time.time()
    nice(NICENESS)
    places = find_places(wish.paths, procfs, parts, statvfs)
    if not places:
        raise Unreachable("filesystems", "there are none on local disks", "Name one in paths.")
    started = time.monotonic()
    outcomes = gather(_tasks(wish, places, procfs, now), wish.timeout)
    seconds = time.monotonic() - started
    values = {name: outcome.value for name, outcome in outcomes.items()}
    usages: Mapping[str, Usage] = values["walk"] or {}
    docker: Docker | None = values["docker"]
    if docker is not None and docker.unseen:
        parts.unseen["images"] = docker.unseen
    seen = [
        Seen(place, usages[place.name], tuple(_logs(usages[place.name], place, seconds)))
        if place.name in usages
        else Seen(place, Usage(place.roots, wish.timeout, complete=False))
        for place in places
    ]
    backups: Backups | None = values.get("backups")
    wal: Wal | None = values.get("postgres")
    late = {name: outcome.unseen for name, outcome in outcomes.items() if outcome.unseen}
    return Snapshot(
        now=now,
        top=wish.top,
        seen=tuple(seen),
        deleted=values["open files"] or Deleted(complete=False),
        docker=docker,
        backups=backups,
        wal=wal,
        slots={
            area.path: _slots(area.path) for item in seen for area in item.usage.areas if area.kind == WAL
        },
        unseen={**parts.unseen, **late},
    )


def _tasks(
    wish: Wish, places: Sequence[Place], procfs: Procfs, now: float
) -> dict[str, Callable[[Deadline], Any]]:
    filesystems = [place.filesystem for place in places]
    tasks: dict[str, Callable[[Deadline], Any]] = {
        "walk": partial(_walk, wish, places, now),
        "open files": lambda deadline: deleted_on(procfs, filesystems, lambda: deadline.over),
        "docker": lambda deadline: see_docker(deadline.remaining),
    }
    if wish.backups:
        tasks["backups"] = partial(_backups, wish.backups, wish.keep, procfs)
    if wish.params.get("postgres"):
        tasks["postgres"] = lambda deadline: see_wal(wish.params, deadline.remaining)
    return tasks


def _backups(directory: str, keep: int | None, procfs: Procfs, _deadline: Deadline) -> Backups:
    if is_remote(directory, procfs.mounts()):
        raise Unreachable(
            f"directory {directory}", "it is on a filesystem of the network", "Look at it on its server."
        )
    return see_backups(directory, keep)


def _walk(wish: Wish, places: Sequence[Place], now: float, deadline: Deadline) -> dict[str, Usage]:
    """The smallest first: then the largest one has all the time that is left, and costs the others none."""
    whole = deadline.remaining() * WALK_SHARE
    end = time.monotonic() + whole
    pinned = [wish.backups.rstrip("/")] if wish.backups else []
    return {
        place.name: measure(place.roots, now, wish.top, lambda: time.monotonic() > end, pinned)
        for place in sorted(places, key=_files)
    }


def _files(place: Place) -> int:
    return place.filesystem.space.inodes - place.filesystem.space.inodes_available


def _logs(usage: Usage, place: Place, seconds: float) -> Iterator[Log]:
    """The logs that could fill it, looked at again: a log that grows does so while others are counted."""
    logs = [file for file in usage.biggest if file.kind in (LOG, CONTAINER_LOG)]
    for file in logs[:LOGS]:
        if share(file.bytes, place.filesystem.space.total) < CAUSE_SHARE:
            return
        try:
            status = os.lstat(file.path)
            rotated = _is_rotated(file)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) == (file.device, file.inode):
            yield Log(file, max(0, status.st_blocks * 512 - file.bytes), seconds, rotated)


def _slots(wal: str) -> tuple[str, ...]:
    """Even of a server that is down: each has a directory beside the WAL."""
    try:
        return tuple(sorted(islice(names_in(str(Path(wal).parent / "pg_replslot")), SLOTS)))
    except OSError:
        return ()


def _is_rotated(file: File) -> bool:
    """Whether older ones of it lie beside it."""
    folder, _slash, name = file.path.rpartition("/")
    stem, context = name.partition(".")[0], Context(LOG, False)
    return any(
        other != name
        and other.startswith(stem)
        and other[len(stem) : len(stem) + 1] in _TURNS
        and kind_of(other, context) in (ROTATED, CONTAINER_LOG)
        for other in islice(names_in(folder), BESIDE)
    )
