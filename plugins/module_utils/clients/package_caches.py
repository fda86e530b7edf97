# SPDX-License-Identifier: GPL-3.0-or-later
"""What package managers have fetched and keep although it is installed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping, Sequence

from ..errors import Declined
from .command import find, run
from .tree import Tree

TIMEOUT = 120.0
# The directory, and the command that empties it and takes the manager's own lock.
COMMANDS: Mapping[str, Sequence[str]] = {
    "/var/cache/apt": ("apt-get", "clean"),
    "/var/cache/dnf": ("dnf", "-q", "clean", "packages"),
    "/var/cache/libdnf5": ("dnf5", "-q", "clean", "packages"),
    "/var/cache/yum": ("yum", "-q", "clean", "packages"),
    "/var/cache/zypp": ("zypper", "--quiet", "clean"),
    "/var/cache/pacman/pkg": ("pacman", "-Scc", "--noconfirm"),
}
PACKAGES = (".deb", ".rpm", ".drpm", ".pkg.tar.zst", ".pkg.tar.xz", ".bin")


@dataclass(frozen=True)
class Cache:
    """What `command` would give back of the filesystem with that device number."""

    directory: str
    device: int
    bytes: int
    files: tuple[tuple[str, os.stat_result], ...]

    @property
    def command(self) -> Sequence[str]:
        return COMMANDS[self.directory]


def caches(time_is_over: Callable[[], bool]) -> tuple[Cache, ...]:
    """Those that hold something and whose manager is there."""
    found = []
    for directory, command in COMMANDS.items():
        if os.path.realpath(directory) == directory and Path(directory).is_dir() and find(command[0]):
            try:
                files = tuple(
                    (path, status)
                    for path, status in Tree(directory, time_is_over)
                    if path.endswith(PACKAGES)
                )
            except OSError:
                continue
            taken = sum(status.st_blocks * 512 for _path, status in files)
            if taken:
                found.append(Cache(directory, Path(directory).stat().st_dev, taken, files))
    return tuple(found)


def clean(directory: str) -> None:
    """Raises `Declined` when the package manager would not, `Unreachable` when it is not there."""
    command = COMMANDS[directory]
    answer = run([find(command[0]) or command[0], *command[1:]], TIMEOUT)
    if not answer.ok:
        raise Declined(
            f"cache {directory}", f"{' '.join(command)}: {answer.complaint}", "See what holds its lock."
        )
