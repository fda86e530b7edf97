# SPDX-License-Identifier: GPL-3.0-or-later
"""A log compressed in place: the old one goes when the new one is on disk and was read back."""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Callable, Iterator, Mapping, Sequence

from ...clients import beneath
from ...clients.procfs import Space, space
from ...errors import FirebreakError
from .model import File, shown

CHUNK = 1024 * 1024
ENDING, PART = ".gz", ".gz.firebreak"
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
# What must be left beside a copy in memory.
SPARE = 16 * CHUNK
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL


class Left(Exception):
    """The file was left as it is, with the reason."""


class Packer:
    """`staging` are directories on other filesystems, for where there is no room beside the log itself."""

    def __init__(self, staging: Sequence[str], statvfs: Callable[[str], Space] = space) -> None:
        self._staging, self._statvfs = staging, statvfs

    def pack(self, file: File, folder: int) -> int:
        """Compress a log of the directory `folder` and say how many bytes it takes now.

        Raises `Left` when it stays as it was, `FirebreakError` when its lines lie elsewhere.
        """
        name = file.name
        source = _same(file, name, folder)
        with source:
            if beneath.has(name + ENDING, folder):
                raise Left(f"{shown(name)}{ENDING} is there already")
            try:
                return self._beside(file, source, name, folder)
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise Left(error.strerror or str(error)) from error
            source.seek(0)
            return self._staged(file, source, name, folder)

    def _beside(self, file: File, source: BinaryIO, name: str, folder: int) -> int:
        with _part(name, folder) as target:
            _compress(source, target)
            _Dress.of(source).put_on(target)
            _swap(file, name, folder)
            return os.fstat(target.fileno()).st_blocks * 512

    def _staged(self, file: File, source: BinaryIO, name: str, folder: int) -> int:
        place, stage = self._stage(file)
        with stage:
            try:
                _compress(source, stage)
                size = stage.seek(0, os.SEEK_END)
            except OSError as error:
                _remove(place)
                raise Left(f"there is no room for what it becomes, here or in {place.parent}") from error
            if size > file.bytes or not file.is_still(_status(name, folder)):
                _remove(place)
                raise Left(
                    "it was written to meanwhile" if size <= file.bytes else "it would not get smaller"
                )
            dress = _Dress.of(source)
            os.unlink(name, dir_fd=folder)
            # As long as it is open, its room is not free.
            source.close()
            try:
                with _part(name, folder) as target:
                    stage.seek(0)
                    _copy(stage, target)
                    dress.put_on(target)
                    os.fsync(target.fileno())
                    os.link(name + PART, name + ENDING, src_dir_fd=folder, dst_dir_fd=folder)
                    taken = os.fstat(target.fileno()).st_blocks * 512
            except OSError as error:
                raise FirebreakError(
                    f"log {shown(file.path)}",
                    f"somebody else took its room at once ({error.strerror}); its lines are in {place}",
                    f"Make room and put it back: cp {place} {shown(file.path)}{ENDING}",
                ) from error
        _remove(place)
        os.fsync(folder)
        return taken

    def _stage(self, file: File) -> tuple[Path, BinaryIO]:
        for directory in self._staging:
            with contextlib.suppress(OSError):
                Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
                other = Path(directory).stat().st_dev != file.device
                if other and self._statvfs(directory).available > file.bytes + SPARE:
                    path = Path(directory) / f"{file.device}-{file.inode}-{file.mtime_ns}{ENDING}"
                    return path, os.fdopen(os.open(str(path), _NEW | os.O_NOFOLLOW, 0o600), "w+b")
        raise Left("there is no room for what it becomes, here or in memory")


def _remove(staged: Path) -> None:
    with contextlib.suppress(OSError):
        staged.unlink()
        # Only when it was the last one.
        staged.parent.rmdir()


def _same(file: File, name: str, folder: int) -> BinaryIO:
    try:
        stream = os.fdopen(beneath.opened(name, folder, os.O_RDONLY), "rb")
    except OSError as error:
        raise Left(error.strerror or str(error)) from error
    if not file.is_still(os.fstat(stream.fileno())):
        stream.close()
        raise Left("it is another file by now, or was written to")
    return stream


def _status(name: str, folder: int) -> os.stat_result:
    status = beneath.status(name, folder)
    if status is None:
        raise Left("it is gone")
    return status


@contextlib.contextmanager
def _part(name: str, folder: int) -> Iterator[BinaryIO]:
    """A new file beside the log, which is gone afterwards under this name."""
    part = name + PART
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part, dir_fd=folder)
    stream = os.fdopen(beneath.opened(part, folder, _NEW), "w+b")
    try:
        with stream:
            yield stream
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part, dir_fd=folder)


def _compress(source: BinaryIO, target: BinaryIO) -> None:
    """Raises `Left` when what was written cannot be read back, `OSError` when there is no room."""
    digest = hashlib.sha256()
    mtime = int(os.fstat(source.fileno()).st_mtime)
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=target, mtime=mtime) as packed:
        for data in iter(lambda: source.read(CHUNK), b""):
            digest.update(data)
            packed.write(data)
    target.flush()
    os.fsync(target.fileno())
    target.seek(0)
    again = hashlib.sha256()
    try:
        with gzip.GzipFile(mode="rb", fileobj=target) as packed:
            for data in iter(lambda: packed.read(CHUNK), b""):
                again.update(data)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Left(f"what was compressed cannot be read back: {error}") from error
    if again.digest() != digest.digest():
        raise Left("what was compressed reads back as something else")


def _copy(source: BinaryIO, target: BinaryIO) -> None:
    for data in iter(lambda: source.read(CHUNK), b""):
        target.write(data)
    target.flush()


@dataclass(frozen=True)
class _Dress:
    """Owner, rights, attributes and times of a log."""

    status: os.stat_result
    attributes: Mapping[str, bytes]

    @classmethod
    def of(cls, source: BinaryIO) -> _Dress:
        number = source.fileno()
        return cls(os.fstat(number), {name: os.getxattr(number, name) for name in os.listxattr(number)})

    def put_on(self, target: BinaryIO) -> None:
        number, status = target.fileno(), self.status
        os.fchown(number, status.st_uid, status.st_gid)
        for name, value in self.attributes.items():
            with contextlib.suppress(OSError):
                os.setxattr(number, name, value)
        os.fchmod(number, status.st_mode & 0o7777)
        os.utime(number, ns=(status.st_atime_ns, status.st_mtime_ns))


def _swap(file: File, name: str, folder: int) -> None:
    if not file.is_still(_status(name, folder)):
        raise Left("it was written to meanwhile")
    # Unlike a rename, a link never replaces what somebody has put there.
    os.link(name + PART, name + ENDING, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)
    os.unlink(name, dir_fd=folder)
