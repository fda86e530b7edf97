# SPDX-License-Identifier: GPL-3.0-or-later
"""Which filesystems must get room, and how much."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Callable, Sequence

from ...clients.procfs import Mount, Procfs, Space, space
from ...errors import BadInput, FirebreakError, Unreachable
from ...host.filesystems import filesystems_of, local_mounts
from ...host.parts import Parts
from ...host.room import DISK_LOW, DISK_LOW_BYTES, INODES_LOW, inode_shortage, shortage
from ...quantities import MIB, parse_size
from ...services import Service
from .model import Place
from .roots import directories_of, within

_PERCENT = re.compile(r"(\d{1,2})(?:\.(\d+))?\s*%")


def aim_of(free: str | None, size: Space) -> int:
    """The bytes that are to be free for ordinary users. Raises `BadInput`."""
    usable = size.total - size.free + size.available
    if free is None:
        return min(math.ceil(usable * DISK_LOW / 100), DISK_LOW_BYTES)
    if free.strip().endswith("%"):
        if not _PERCENT.fullmatch(free.strip()):
            raise BadInput(f"free {free!r}", "it is no share of a filesystem", "Write for example 15%.")
        return math.ceil(usable * float(free.strip().rstrip("% ")) / 100)
    aim = parse_size(free)
    # Who writes 15 means percent or gigabytes, and 15 bytes are free on a disk that is full.
    if aim < MIB:
        raise BadInput(f"free {free!r}", "these are bytes, and fewer than 1 MiB", "Write 15% or 15g.")
    if aim > usable:
        raise BadInput(
            f"free {free!r}", f"the filesystem has {usable} bytes in all", "Ask for less, or write 15%."
        )
    return aim


def places(
    procfs: Procfs,
    path: str | None,
    free: str | None,
    services: Sequence[Service],
    statvfs: Callable[[str], Space] = space,
) -> tuple[Place, ...]:
    """The filesystem of `path`, or every local one that is short. Raises `BadInput` and `Unreachable`."""
    mounts = procfs.mounts()
    if path is not None:
        return (_place(_mount_of(path, mounts), path, free, mounts, services, statvfs),)
    # What triage warns of, by the same judgement.
    short = {
        each.point
        for each in filesystems_of(procfs, Parts(), statvfs)
        if not each.read_only and (shortage(each) or inode_shortage(each))
    }
    return tuple(
        _place(mount, mount.point, free, mounts, services, statvfs)
        for mount in local_mounts(mounts, procfs.block_kinds())
        if mount.point in short
    )


def _place(
    mount: Mount,
    path: str,
    free: str | None,
    mounts: Sequence[Mount],
    services: Sequence[Service],
    statvfs: Callable[[str], Space],
) -> Place:
    if "ro" in mount.options or "ro" in mount.super_options:
        raise Unreachable(
            f"filesystem {mount.point}", "it is read-only", "See the kernel log for why, then remount it."
        )
    size = statvfs(path)
    return Place(
        point=mount.point,
        device=Path(path).stat().st_dev,
        space=size,
        aim=aim_of(free, size),
        aim_inodes=math.ceil(size.inodes * INODES_LOW / 100),
        probes=_probes(mount, path, mounts, services),
    )


def _probes(mount: Mount, path: str, mounts: Sequence[Mount], services: Sequence[Service]) -> tuple[str, ...]:
    named = [each for service in services for pattern in service.logs for each in _directories(pattern)]
    real = [os.path.realpath(each) for each in named]
    found = [each for each in real if _over(each, mounts) == mount]
    return tuple(dict.fromkeys([*found, path if Path(path).is_dir() else str(Path(path).parent)]))


def _directories(pattern: str) -> tuple[str, ...]:
    try:
        return directories_of(pattern)
    except FirebreakError:
        return ()


def _mount_of(path: str, mounts: Sequence[Mount]) -> Mount:
    if not path.startswith("/"):
        raise BadInput(f"path {path!r}", "it is not absolute", "Write for example /var.")
    # Before anything is asked of the path itself: a dead server never answers.
    mount = _over(os.path.normpath(path), mounts)
    if mount is not None and not mount.remote:
        if not Path(path).exists():
            raise BadInput(f"path {path!r}", "it is not there", "Name a path that is.")
        mount = _over(os.path.realpath(path), mounts)
    if mount is None or mount.remote:
        raise BadInput(f"path {path!r}", "it lies on a network filesystem", "Make room on its server.")
    return mount


def _over(path: str, mounts: Sequence[Mount]) -> Mount | None:
    topmost = {mount.point: mount for mount in mounts if within(path, mount.point)}
    return max(topmost.values(), key=lambda mount: len(mount.point), default=None)
