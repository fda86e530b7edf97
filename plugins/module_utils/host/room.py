# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a filesystem has room, and what takes of it without having a name. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Iterator, Sequence

from ..clients.open_files import DeletedFile
from ..finding import CRITICAL, NOTICE, WARNING, Finding, Remedy
from ..quantities import GIB, MIB, share, speak_count, speak_path, speak_size
from .filesystems import Filesystem

# A share says little about a big disk and bytes little about a small one: both must be short.
DISK_LOW, DISK_LOW_BYTES = 10.0, 20 * GIB
DISK_CRITICAL, DISK_CRITICAL_BYTES = 3.0, 2 * GIB
INODES_LOW, INODES_CRITICAL = 10.0, 1.0
# Of a filesystem that is short: below this share it is not what fills it.
CAUSE_SHARE = 2.0
# Of one that is not: worth knowing before it is.
CAUSE_MUCH = 10.0
NAMED = 3


def judge_room(filesystem: Filesystem) -> Iterator[Finding]:
    space, subject = filesystem.space, f"filesystem {filesystem.point}"
    evidence = {"point": filesystem.point, "kind": filesystem.kind, **asdict(space)}
    if filesystem.remounted:
        yield Finding(
            id="host.filesystem.read_only",
            level=CRITICAL,
            subject=subject,
            summary=f"{filesystem.point} ({filesystem.source}) is read-only and was meant to be written to: "
            f"the kernel log says whether it met an error",
            evidence=evidence,
        )
    elif filesystem.read_only:
        return
    level = shortage(filesystem)
    if level:
        reserved = space.free - space.available
        kept = f"; {speak_size(reserved)} more is kept for root" if reserved >= MIB else ""
        yield Finding(
            id="host.filesystem.full",
            level=level,
            subject=subject,
            summary=f"{filesystem.point} is {used_percent(filesystem):.0f} % full: "
            f"{speak_size(space.available)} of {speak_size(space.total)} is left{kept}",
            evidence=evidence,
            remedy=remedy(filesystem),
        )
    level = inode_shortage(filesystem)
    if level:
        yield Finding(
            id="host.filesystem.inodes",
            level=level,
            subject=subject,
            summary=f"{filesystem.point} has room for {space.inodes_available} more files of {space.inodes} "
            f"whatever space is free",
            evidence=evidence,
            remedy=remedy(filesystem),
        )


def judge_deleted(filesystem: Filesystem, deleted: Sequence[DeletedFile]) -> Iterator[Finding]:
    """`deleted` are files that are still open, the biggest first, on whatever filesystem."""
    files = [file for file in deleted if file.point == filesystem.point]
    held = sum(file.bytes for file in files)
    level = cause_level(held, filesystem)
    if level is None or filesystem.read_only:
        return
    named = "; ".join(
        f"{speak_path(file.path)}, {speak_size(file.bytes)}, by {file.name} (pid {file.pid})"
        f"{f' and {file.holders - 1} more' if file.holders > 1 else ''}"
        for file in files[:NAMED]
    )
    listed = [{**asdict(file), "path": speak_path(file.path)} for file in files[:10]]
    yield Finding(
        id="host.disk.deleted_open",
        level=level,
        subject=f"filesystem {filesystem.point}",
        summary=f"{speak_size(held)} of {filesystem.point} ({share(held, filesystem.space.total):.0f} %) is "
        f"taken by {speak_count(len(files), 'deleted file')} still open: {named}. It comes back when the "
        f"process lets go: truncate it through /proc/<pid>/fd, or restart the process",
        evidence={"point": filesystem.point, "bytes": held, "files": listed},
        remedy=remedy(filesystem),
    )


def remedy(filesystem: Filesystem, *levers: str) -> Remedy:
    chosen = {"levers": list(levers)} if levers else {}
    return Remedy("fix_disk_space", {"path": filesystem.point, **chosen})


def cause_level(held: int, filesystem: Filesystem) -> str | None:
    """How bad it is that something takes `held` bytes; None where it is no matter."""
    of_all = share(held, filesystem.space.total)
    if shortage(filesystem):
        return WARNING if of_all >= CAUSE_SHARE else None
    return NOTICE if of_all >= CAUSE_MUCH and held >= GIB else None


def shortage(filesystem: Filesystem) -> str | None:
    """The level of what is left to ordinary users, or None when there is room."""
    space = filesystem.space
    part = share(space.available, space.total - space.free + space.available)
    if space.available == 0 or (part < DISK_CRITICAL and space.available < DISK_CRITICAL_BYTES):
        # Nothing is written there but by the next update of the kernel.
        return WARNING if filesystem.point.startswith("/boot") else CRITICAL
    if part < DISK_LOW and space.available < DISK_LOW_BYTES and space.total >= GIB:
        return WARNING
    return None


def inode_shortage(filesystem: Filesystem) -> str | None:
    space = filesystem.space
    left = share(space.inodes_available, space.inodes) if space.inodes else 100.0
    if left >= INODES_LOW:
        return None
    return CRITICAL if left < INODES_CRITICAL else WARNING


def used_percent(filesystem: Filesystem) -> float:
    """As df counts: blocks kept for root belong to neither side."""
    space = filesystem.space
    used = space.total - space.free
    return share(used, used + space.available)


def inodes_used_percent(filesystem: Filesystem) -> float | None:
    space = filesystem.space
    return share(space.inodes - space.inodes_available, space.inodes) if space.inodes else None
