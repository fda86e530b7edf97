# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are there whole or not at all, and that never fill a filesystem."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator, Mapping

from ...clients.procfs import Space
from ...errors import Unreachable
from ...quantities import speak_size
from .catalogue import MANIFEST, PART
from .findings import reserve

CHECK_EVERY = 32 * 1024 * 1024
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def becoming(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file, for nobody else to read, and the name it has until all has gone well and it gets `path`.

    Else nothing is left of it, nor the manifest of `path`. Raises `Unreachable`.
    """
    part = path.with_name(path.name + PART)
    with named(f"directory {path.parent}"):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.path.lexists(str(path)):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        stream = _create(part)
    try:
        # Never opened again by its name: the directory may be somebody else's, who puts a link there.
        with stream:
            # Held as long as somebody writes it: what is left of a run that was cut off is not.
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield part, stream
        with named(f"backup {path}"):
            part.rename(path)
            _sync_directory(path.parent)
    except BaseException:
        _remove(part, manifest_of(path))
        raise


class Careful:
    """A file that stops growing before its filesystem is full, whatever was expected."""

    def __init__(self, stream: BinaryIO, directory: Path, statvfs: Callable[[str], Space]) -> None:
        self._stream, self._directory, self._statvfs, self._unseen = stream, directory, statvfs, 0

    def write(self, data: bytes) -> None:
        self._unseen += len(data)
        if self._unseen >= CHECK_EVERY:
            self._unseen, left = 0, self._statvfs(str(self._directory))
            if left.available < reserve(left.total):
                raise Unreachable(
                    f"directory {self._directory}",
                    f"the dump grew beyond what was expected, and only {speak_size(left.available)} are free",
                    "Nothing was kept of it. Make room, or name another directory.",
                )
        self._stream.write(data)


def manifest_of(path: Path) -> Path:
    return path.with_name(path.name + MANIFEST)


def write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    """Beside the dump of that path, in the place of the one that may be there. Raises `Unreachable`."""
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    whole = manifest_of(path)
    part = whole.with_name(whole.name + PART)
    with named(f"manifest {whole}"):
        _remove(part)
        try:
            with _create(part) as stream:
                stream.write(text.encode())
                sync(stream)
            part.replace(whole)
        except BaseException:
            _remove(part)
            raise


def sync(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())


@contextlib.contextmanager
def named(subject: str) -> Iterator[None]:
    """What the system refuses, said of that. Raises `Unreachable`."""
    try:
        yield
    except OSError as error:
        problem = error.strerror or str(error)
        raise Unreachable(subject, problem, "See its rights, and that there is room.") from error


def _create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(str(path), _NEW, 0o600), "wb")


def _remove(*paths: Path) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(str(directory), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
