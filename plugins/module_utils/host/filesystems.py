# SPDX-License-Identifier: GPL-3.0-or-later
"""The filesystems whose room matters here and which can be asked without the risk of waiting for ever."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, Iterable, Mapping, Sequence

from ..clients.open_files import Deleted, DeletedFile, deleted_files
from ..clients.procfs import IMAGE_KINDS, POOL_KINDS, Mount, Procfs, Space
from .parts import Parts

# The places in memory that stop services when they are full.
MEMORY_POINTS = frozenset({"/run", "/tmp", "/dev/shm", "/var/tmp"})
# What filesystems say of themselves after they have given up writing because of errors.
GAVE_UP = frozenset({"emergency_ro", "shutdown"})


@dataclass(frozen=True)
class Filesystem:
    """`remounted`: it is read-only although it was mounted to be written to. `device` as in mountinfo."""

    point: str
    kind: str
    source: str
    space: Space
    read_only: bool
    remounted: bool
    device: str = ""


def filesystems_of(procfs: Procfs, parts: Parts, statvfs: Callable[[str], Space]) -> tuple[Filesystem, ...]:
    writable = procfs.meant_to_be_writable()
    found = []
    for mount in local_mounts(procfs.mounts(), procfs.block_kinds()):
        size = parts.see(f"filesystem {mount.point}", statvfs, mount.point)
        if size is not None and size.total:
            found.append(_filesystem(mount, size, writable))
    return tuple(_without_the_disk_below(found))


def filesystem_of(mount: Mount, procfs: Procfs, statvfs: Callable[[str], Space]) -> Filesystem:
    """Raises `Unreachable`."""
    return _filesystem(mount, statvfs(mount.point), procfs.meant_to_be_writable())


def local_mounts(mounts: Sequence[Mount], block_kinds: frozenset[str]) -> list[Mount]:
    """Each local filesystem once, at its shortest mount point."""
    remote = [mount.point.rstrip("/") + "/" for mount in mounts if mount.remote]
    # What is mounted last over a point hides what was there before.
    topmost = {mount.point: mount for mount in mounts}
    chosen: dict[str, Mount] = {}
    for mount in sorted(topmost.values(), key=lambda mount: len(mount.point)):
        if _is_local(mount, block_kinds) and not any(mount.point.startswith(point) for point in remote):
            chosen.setdefault(mount.device, mount)
    return sorted(chosen.values(), key=lambda mount: mount.point)


def _is_local(mount: Mount, block_kinds: frozenset[str]) -> bool:
    if mount.remote or mount.kind in IMAGE_KINDS:
        return False
    if mount.kind == "tmpfs":
        return mount.point in MEMORY_POINTS
    # Inside a container the root is an overlay; on the container's host the overlays are its many roots.
    if mount.kind == "overlay":
        return mount.point == "/"
    return mount.kind in block_kinds or mount.kind in POOL_KINDS


def _filesystem(mount: Mount, size: Space, writable: frozenset[str]) -> Filesystem:
    read_only = "ro" in mount.super_options or "ro" in mount.options
    # An administrator's remount sets both; a filesystem that met an error sets only its own.
    stopped_itself = "ro" in mount.super_options and "ro" not in mount.options
    return Filesystem(
        point=mount.point,
        kind=mount.kind,
        source=mount.source,
        space=size,
        read_only=read_only,
        remounted=stopped_itself
        or bool(GAVE_UP & mount.super_options)
        or (read_only and mount.point in writable),
        device=mount.device,
    )


def deleted_on(
    procfs: Procfs, filesystems: Sequence[Filesystem], time_is_over: Callable[[], bool]
) -> Deleted:
    """The deleted files that take room on one of these filesystems; with its mount `point`."""
    mounts = procfs.mounts()
    found = deleted_files(procfs, time_is_over, [mount.point for mount in mounts if mount.remote])
    points = {item.device: item.point for item in filesystems}
    for mount in mounts:
        if mount.device not in points:
            below = _holder(mount, mounts)
            if below is not None and below.device in points:
                points[mount.device] = points[below.device]
    files = (_placed(file, points, mounts) for file in found.files)
    return replace(found, files=tuple(file for file in files if file is not None))


def _holder(mount: Mount, mounts: Sequence[Mount]) -> Mount | None:
    """The mount in which an overlay, such as the root of a container, keeps what is written to it."""
    for option in mount.super_options:
        if mount.kind == "overlay" and option.startswith("upperdir="):
            return _over(option[len("upperdir=") :], mounts)
    return None


def _over(path: str, mounts: Sequence[Mount]) -> Mount | None:
    above = [mount for mount in mounts if path.startswith(mount.point.rstrip("/") + "/")]
    return max(above, key=lambda mount: len(mount.point), default=None)


def _placed(file: DeletedFile, points: Mapping[str, str], mounts: Sequence[Mount]) -> DeletedFile | None:
    point = points.get(file.device)
    if point is None:
        # Volumes of a pool show other device numbers in stat than in mountinfo.
        mount = _over(file.path, mounts)
        point = points.get(mount.device) if mount and mount.kind in POOL_KINDS else None
    return None if point is None else replace(file, point=point)


def _without_the_disk_below(found: Sequence[Filesystem]) -> Iterable[Filesystem]:
    """An overlay reports the disk it lies on; files and volumes mounted from that disk would repeat it."""
    overlays = {(item.space.total, item.space.inodes) for item in found if item.kind == "overlay"}
    for item in found:
        if item.kind == "overlay" or (item.space.total, item.space.inodes) not in overlays:
            yield item
