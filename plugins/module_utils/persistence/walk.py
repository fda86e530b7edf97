# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the files that lend their owner's rights to whoever runs them."""

from __future__ import annotations

import contextlib
import os
import stat
import struct
from pathlib import Path
from typing import Callable, Iterable, Iterator, Sequence

from ..clients.procfs import IMAGE_KINDS, POOL_KINDS, REMOTE_KINDS, Mount, Procfs
from .model import Item, Walk

# Where programs are and where intruders may write; the bulk of the data comes last.
FIRST = ("/usr", "/bin", "/sbin", "/opt", "/tmp", "/var/tmp", "/dev/shm", "/home", "/root", "/etc", "/srv")
# Root filesystems of containers: what lends rights there does so inside.
CONTAINERS = frozenset(
    {"/var/lib/docker", "/var/lib/containerd", "/var/lib/containers", "/var/lib/lxc", "/snap"}
)
EVERY = 512
# What is left when there is no time any more, in seconds.
SHORTEST = 0.1

CAPABILITY_NAMES = (
    "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable "
    "net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot "
    "sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease "
    "audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read "
    "perfmon bpf checkpoint_restore"
)


def observe_privileged(remaining: Callable[[], float], procfs: Procfs | None = None) -> Walk:
    """SUID and SGID programs and those with capabilities, on the local filesystems that honour them."""
    procfs = procfs or Procfs()
    devices = _devices(procfs.mounts(), procfs.block_kinds())
    return walk([*FIRST, "/"], devices, remaining)


def walk(roots: Sequence[str], devices: Iterable[int], remaining: Callable[[], float]) -> Walk:
    """The roots in their order; each folder once, on `devices` only."""
    found: list[Item] = []
    files = 0
    for folder, entry in _entries(roots, frozenset(devices)):
        # An empty folder costs time too.
        if (entry is None or files % EVERY == 0) and remaining() <= SHORTEST:
            return Walk(tuple(found), files, folder)
        if entry is not None:
            files += 1
            item = _privileged(entry)
            if item is not None:
                found.append(item)
    return Walk(tuple(found), files)


def _entries(roots: Sequence[str], allowed: frozenset[int]) -> Iterator[tuple[str, os.DirEntry[str] | None]]:
    """Each folder, and each of the files in it."""
    seen = set()
    for root in roots:
        stack = [root]
        while stack:
            folder = stack.pop()
            yield folder, None
            status = _enterable(folder, allowed)
            if status is None or (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        yield folder, entry


def parse_capabilities(value: bytes) -> tuple[str, ...]:
    """The permitted ones of the attribute security.capability, by name."""
    if len(value) < 12:
        return ()
    permitted = int(struct.unpack_from("<I", value, 4)[0])
    if len(value) >= 20:
        permitted |= int(struct.unpack_from("<I", value, 12)[0]) << 32
    return tuple(name for bit, name in enumerate(CAPABILITY_NAMES.split()) if permitted >> bit & 1)


def _devices(mounts: Sequence[Mount], block_kinds: frozenset[str]) -> set[int]:
    """Of the root and of every other local filesystem on which such files have an effect."""
    devices = {Path("/").stat().st_dev}
    for mount in mounts:
        local = mount.kind in block_kinds or mount.kind in POOL_KINDS or mount.kind == "tmpfs"
        if mount.kind in REMOTE_KINDS or mount.kind in IMAGE_KINDS or not local or "nosuid" in mount.options:
            continue
        major, _colon, minor = mount.device.partition(":")
        devices.add(os.makedev(int(major), int(minor)))
    return devices


def _enterable(folder: str, allowed: frozenset[int]) -> os.stat_result | None:
    """None for other filesystems, for roots of containers, and where nobody but root gets in anyway."""
    if folder in CONTAINERS:
        return None
    try:
        status = os.lstat(folder)
    except OSError:
        return None
    if not stat.S_ISDIR(status.st_mode) or status.st_dev not in allowed:
        return None
    others = status.st_mode & (stat.S_IXOTH if status.st_gid == 0 else stat.S_IXOTH | stat.S_IXGRP)
    private = status.st_uid == 0 and not others
    return None if private else status


def _privileged(entry: os.DirEntry[str]) -> Item | None:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    mode = stat.S_IMODE(status.st_mode)
    if not mode & 0o111:
        return None
    lends = bool(mode & stat.S_ISUID) or bool(mode & stat.S_ISGID and mode & stat.S_IXGRP)
    capabilities: tuple[str, ...] = ()
    with contextlib.suppress(OSError):
        attribute = os.getxattr(entry.path, "security.capability", follow_symlinks=False)
        capabilities = parse_capabilities(attribute)
    if not lends and not capabilities:
        return None
    return Item(
        kind="capability" if capabilities and not lends else "suid",
        path=entry.path,
        uid=status.st_uid,
        gid=status.st_gid,
        mode=mode,
        size=status.st_size,
        mtime=status.st_mtime,
        ctime=status.st_ctime,
        detail={"capabilities": list(capabilities)} if capabilities else {},
    )
