# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that have no name any more and still take room, because a process holds them open."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from typing import Callable, Iterator, Sequence

from .procfs import Procfs

_MARK = " (deleted)"
# Memory of the kernel's own filesystem, which no room on a disk or a mount belongs to.
_MEMORY = ("/memfd:", "/SYSV", "/dev/zero", "/drm mm object", "/i915", "/[aio]")


@dataclass(frozen=True)
class DeletedFile:
    """`bytes` is the room it takes, `pid` the first of its `holders`.

    `device` as in mountinfo, `point` is where that is mounted.
    """

    path: str
    device: str
    bytes: int
    pid: int
    name: str = ""
    holders: int = 1
    point: str = ""


@dataclass(frozen=True)
class Deleted:
    """The biggest first. Not `complete` when the time was over or other users' files cannot be seen."""

    files: tuple[DeletedFile, ...] = ()
    complete: bool = True


def deleted_files(procfs: Procfs, time_is_over: Callable[[], bool], remote: Sequence[str] = ()) -> Deleted:
    """Looks at what every process has open, until `time_is_over`.

    Below the `remote` directories nothing is asked of a file: a dead server never answers.
    """
    found: dict[tuple[int, int], DeletedFile] = {}
    complete = True
    away = tuple(point.rstrip("/") + "/" for point in remote)
    for pid in procfs.pids():
        if time_is_over():
            complete = False
            break
        try:
            for path, status in _of(f"{procfs.root}/{pid}/fd", away):
                _add(found, path, status, pid, procfs)
        except PermissionError:
            complete = False
        except OSError:
            continue
    return Deleted(tuple(sorted(found.values(), key=lambda file: -file.bytes)), complete)


def _add(
    found: dict[tuple[int, int], DeletedFile], path: str, status: os.stat_result, pid: int, procfs: Procfs
) -> None:
    key = status.st_dev, status.st_ino
    known = found.get(key)
    if known is None:
        device = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
        found[key] = DeletedFile(path, device, status.st_blocks * 512, pid, procfs.name(pid) or "")
    elif known.pid != pid:
        found[key] = replace(known, holders=known.holders + 1)


def _of(directory: str, away: tuple[str, ...]) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            try:
                link = os.readlink(entry.path)
                if not link.endswith(_MARK) or link.startswith(_MEMORY) or link.startswith(away):
                    continue
                status = entry.stat()
            except OSError:
                continue
            # A name may end like that without having been deleted.
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 0 and status.st_blocks:
                yield link[: -len(_MARK)], status
