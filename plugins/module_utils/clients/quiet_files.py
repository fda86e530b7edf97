# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a host that may be the scene of a break-in: read without leaving a trace where that is possible.

Access times stay as they were for root and for the owner. Nothing but a regular file is read, so no pipe
and no device can hold up or be set off.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from itertools import islice
from pathlib import Path
from typing import Iterator

PASSWD = Path("/etc/passwd")
BLOCK = 1024 * 1024
# One pattern never brings more than that: somebody may have filled a directory with a million files.
MOST_PATHS = 20_000
_NOATIME = getattr(os, "O_NOATIME", 0)


@contextlib.contextmanager
def opened(path: str, follow: bool = True) -> Iterator[int]:
    """A descriptor of a regular file. Raises `OSError`, for anything that is no regular file too."""
    descriptor = _open(path, os.O_RDONLY | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        yield descriptor
    finally:
        os.close(descriptor)


def read_start(path: str, most: int) -> bytes:
    """The first bytes of a file, of /proc too, where sizes say nothing."""
    with opened(path) as descriptor:
        return read_up_to(descriptor, most)


def read_up_to(descriptor: int, most: int) -> bytes:
    """From where the descriptor stands, until the file or the room ends."""
    pieces = []
    while most > 0:
        data = os.read(descriptor, min(BLOCK, most))
        if not data:
            break
        pieces.append(data)
        most -= len(data)
    return b"".join(pieces)


def sha256_of(path: str, most: int) -> str | None:
    """None for a file that is larger than `most` bytes. Raises `OSError`."""
    with opened(path, follow=False) as descriptor:
        if os.fstat(descriptor).st_size > most:
            return None
        digest = hashlib.sha256()
        while True:
            data = os.read(descriptor, BLOCK)
            if not data:
                return digest.hexdigest()
            most -= len(data)
            if most < 0:
                return None
            digest.update(data)


def names_in(directory: str) -> list[tuple[str, os.stat_result]]:
    """The entries of a directory, in order, each with its status. Raises `OSError`."""
    descriptor = _open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    found = []
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                try:
                    found.append((entry.name, entry.stat(follow_symlinks=False)))
                except OSError:
                    continue
    finally:
        os.close(descriptor)
    return sorted(found)


def matching(pattern: str) -> list[str]:
    """The paths that a pattern finds. `~/` stands for every home directory, `**` for any depth."""
    if pattern.startswith("~/"):
        found = (path for home in homes() for path in Path(home).glob(pattern[2:]))
    else:
        # Until Python 3.13 a ** at the end means directories only.
        wanted = f"{pattern}/*" if pattern.endswith("**") else pattern
        found = (path for path in Path("/").glob(wanted[1:]))
    return [str(path) for path in islice(_readable(found), MOST_PATHS)]


def _readable(paths: Iterator[Path]) -> Iterator[Path]:
    # Some versions of Python give up at a directory that may not be read or that is gone.
    with contextlib.suppress(OSError):
        yield from paths


def homes() -> list[str]:
    """The home directories of the local users, each once, and root's."""
    try:
        lines = read_start(str(PASSWD), 4 * BLOCK).decode("utf-8", "surrogateescape").splitlines()
    except OSError:
        lines = []
    named = {fields[5].rstrip("/") for fields in (line.split(":") for line in lines) if len(fields) > 6}
    # System users live in directories that are everybody's.
    shared = {"", "/bin", "/sbin", "/usr/sbin", "/dev", "/nonexistent", "/run", "/proc", "/var", "/usr"}
    return sorted(home for home in {"/root", *named} - shared if home.startswith("/") and Path(home).is_dir())


def _open(path: str, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_CLOEXEC | _NOATIME)
    except PermissionError:
        return os.open(path, flags | os.O_CLOEXEC)
