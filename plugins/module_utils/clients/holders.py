# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process has which file open, and how."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping

from .procfs import Procfs

MARK = " (deleted)"


@dataclass(frozen=True)
class Use:
    """One open file: `path` as its process named it, `link` leads to it whether it is deleted or not."""

    pid: int
    link: str
    path: str
    deleted: bool
    status: os.stat_result


@dataclass(frozen=True)
class Uses:
    """By device and inode. Not `complete` when the time was over or other users' files cannot be seen."""

    of: Mapping[tuple[int, int], tuple[Use, ...]]
    complete: bool


def uses(procfs: Procfs, time_is_over: Callable[[], bool]) -> Uses:
    """Every regular file that a process has open; of one on a network filesystem nothing is asked."""
    remote = tuple(mount.point.rstrip("/") + "/" for mount in procfs.mounts() if mount.remote)
    found: dict[tuple[int, int], list[Use]] = {}
    complete = True
    for pid in procfs.pids():
        if time_is_over():
            complete = False
            break
        try:
            with os.scandir(f"{procfs.root}/{pid}/fd") as entries:
                links = [entry.path for entry in entries]
        except PermissionError:
            complete = False
            continue
        except OSError:
            continue
        for link in links:
            use = _use(pid, link, remote)
            if use is not None:
                found.setdefault((use.status.st_dev, use.status.st_ino), []).append(use)
    return Uses({key: tuple(each) for key, each in found.items()}, complete)


def _use(pid: int, link: str, remote: tuple[str, ...]) -> Use | None:
    try:
        path = os.readlink(link)
        if not path.startswith("/") or (remote and path.startswith(remote)):
            return None
        status = Path(link).stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    deleted = status.st_nlink == 0 and path.endswith(MARK)
    return Use(pid, link, path[: -len(MARK)] if deleted else path, deleted, status)


def flags(use: Use) -> int:
    """How it was opened (`os.O_APPEND`, `os.O_WRONLY`, …); -1 when that is not known any more."""
    link = Path(use.link)
    try:
        lines = (link.parent.parent / "fdinfo" / link.name).read_text(encoding="ascii").splitlines()
    except OSError:
        return -1
    found = next((line.split()[1] for line in lines if line.startswith("flags:")), "")
    return int(found, 8) if found.isdigit() else -1


def writes(use: Use) -> bool:
    """Where it is not known, it is taken to be so."""
    return (flags(use) & os.O_ACCMODE) != os.O_RDONLY


def appends(use: Use) -> bool:
    """Whether every write goes to the end, wherever that is by then."""
    found = flags(use)
    return found >= 0 and bool(found & os.O_APPEND)
