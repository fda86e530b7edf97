# SPDX-License-Identifier: GPL-3.0-or-later
"""Where to look: all local filesystems, or what somebody named. Nothing on a network is touched."""

from __future__ import annotations

import os
import stat
from typing import Callable, Iterator, Sequence

from ..clients.procfs import POOL_KINDS, Mount, Procfs, Space
from ..errors import BadInput
from ..host.filesystems import Filesystem, filesystem_of, filesystems_of
from ..host.parts import Parts
from ..quantities import speak_path
from .model import Place


def find_places(
    paths: Sequence[str], procfs: Procfs, parts: Parts, statvfs: Callable[[str], Space]
) -> tuple[Place, ...]:
    """Raises `BadInput` for a path that cannot be looked at."""
    mounts = procfs.mounts()
    if paths:
        named = (_named(path, mounts, procfs, statvfs) for path in paths)
        return tuple({place.roots: place for place in named}.values())
    found = parts.see("filesystems", filesystems_of, procfs, parts, statvfs) or ()
    return tuple(Place(item, tuple(_roots(item, mounts, statvfs, parts))) for item in found)


def is_remote(path: str, mounts: Sequence[Mount]) -> bool:
    """Whether to ask for it might never end."""
    return any(mount.remote and within(path, mount.point) for mount in mounts)


def within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _named(path: str, mounts: Sequence[Mount], procfs: Procfs, statvfs: Callable[[str], Space]) -> Place:
    subject = f"path {speak_path(path)}"
    if not path.startswith("/"):
        raise BadInput(subject, "it is not absolute", "Write for example /var/log.")
    real = os.path.normpath(path)
    if not is_remote(real, mounts):
        real = os.path.realpath(real)
    if is_remote(real, mounts):
        raise BadInput(subject, "it is on a filesystem of the network", "Look at it on its server.")
    try:
        status = os.lstat(real)
    except OSError as error:
        raise BadInput(subject, str(error.strerror), "Name a directory that is there.") from error
    # Of two mounts on one point the last one is what is seen.
    mount = max((each for each in mounts if within(real, each.point)), key=lambda each: len(each.point))
    mount = [each for each in mounts if each.point == mount.point][-1]
    filesystem = filesystem_of(mount, procfs, statvfs)
    if not filesystem.space.total:
        raise BadInput(subject, f"a filesystem of type {mount.kind} takes no room", "Name another one.")
    if stat.S_ISDIR(status.st_mode) and real != mount.point:
        return Place(filesystem, (real,), whole=False)
    return Place(filesystem, tuple(_roots(filesystem, mounts, statvfs, Parts())))


def _roots(
    filesystem: Filesystem, mounts: Sequence[Mount], statvfs: Callable[[str], Space], parts: Parts
) -> Iterator[str]:
    """The mount point, and others by which parts of the same filesystem are reached that it does not show."""
    yield filesystem.point
    shown = [(mount.device, mount.root) for mount in mounts if mount.point == filesystem.point][-1:]
    topmost = {mount.point: mount for mount in mounts if not mount.remote}
    for mount in sorted(topmost.values(), key=lambda mount: (len(mount.root), mount.point)):
        if mount.point == filesystem.point or any(
            mount.device == device and within(mount.root, root) for device, root in shown
        ):
            continue
        if _same_room(mount, filesystem, statvfs, parts) and _is_directory(mount):
            shown.append((mount.device, mount.root))
            yield mount.point


def _same_room(mount: Mount, filesystem: Filesystem, statvfs: Callable[[str], Space], parts: Parts) -> bool:
    if mount.device == filesystem.device:
        return True
    if filesystem.kind != "overlay" or not mount.source.startswith("/dev/"):
        return False
    # In a container: a volume from the disk that the overlay lies on.
    size = parts.see(f"filesystem {mount.point}", statvfs, mount.point)
    return size is not None and (size.total, size.inodes) == (filesystem.space.total, filesystem.space.inodes)


def _is_directory(mount: Mount) -> bool:
    """What is mounted there may lie hidden below something else."""
    try:
        status = os.lstat(mount.point)
    except OSError:
        return False
    device = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
    return stat.S_ISDIR(status.st_mode) and (device == mount.device or mount.kind in POOL_KINDS)
