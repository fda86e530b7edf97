# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory opened step by step from the root, so that no link anywhere on its way leads elsewhere."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import PurePosixPath
from typing import Iterator

from ..errors import IdentityChanged

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def directory(path: str, device: int | None = None) -> Iterator[int]:
    """A descriptor of the directory, on `device` if one is given. `path` is absolute and without links.

    Raises `IdentityChanged` when a link, another filesystem or nothing is in its place.
    """
    descriptor = os.open("/", _DIRECTORY)
    try:
        for part in PurePosixPath(path).parts[1:]:
            try:
                following = os.open(part, _DIRECTORY, dir_fd=descriptor)
            except OSError as error:
                raise IdentityChanged(
                    f"directory {path!r}", f"{error.strerror} at {part!r}", "Look again."
                ) from error
            os.close(descriptor)
            descriptor = following
        if device is not None and os.fstat(descriptor).st_dev != device:
            raise IdentityChanged(f"directory {path!r}", "another filesystem is mounted there", "Look again.")
        yield descriptor
    finally:
        os.close(descriptor)


def status(name: str, beneath: int) -> os.stat_result | None:
    """Of a regular file in the directory `beneath`; None for anything else and when it is gone."""
    try:
        found = os.stat(name, dir_fd=beneath, follow_symlinks=False)
    except OSError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def opened(name: str, beneath: int, flags: int, mode: int = 0o600) -> int:
    """Never through a link, never waiting for a pipe. Raises `OSError`."""
    return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode, dir_fd=beneath)


def name_it(descriptor: int, name: str, beneath: int) -> None:
    """Give what is open another name, whatever its first one leads to by now. Raises `OSError`.

    Unlike a rename, it never replaces what somebody has put there.
    """
    os.link(f"/proc/self/fd/{descriptor}", name, dst_dir_fd=beneath, follow_symlinks=True)


def has(name: str, beneath: int) -> bool:
    try:
        os.stat(name, dir_fd=beneath, follow_symlinks=False)
    except OSError:
        return False
    return True
