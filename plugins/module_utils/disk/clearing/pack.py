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
from typing import Any, BinaryIO, Callable, Iterator, Mapping, Sequence

from ...clients import beneath
from ...clients.procfs import Space, space
from ...errors import FirebreakError
from .model import File, shown

CHUNK = 1024 * 1024
ENDING, PART = ".gz", ".gz.firebreak"
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
# What must be left beside a copy in memory.
SPARE = 16 * CHUNK
# These speak of what is in a file, and what is in it becomes something else.
OF_THE_CONTENT = frozenset({"security.capability", "security.evm", "security.ima"})
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL


class Left(Exception):
    """The file was left as it is, with the reason."""


class Packer:
    """`staging` are directories on other filesystems, for where there is no room beside the log itself.

    What lies only there for a moment is written down by `note` before: a run may be ended in between.
    """

    def __init__(
        self,
        staging: Sequence[str],
        note: Callable[[Mapping[str, Any]], None],
        statvfs: Callable[[str], Space] = space,
    ) -> None:
        self._staging, self._note, self._statvfs = staging, note, statvfs

    def pack(self, file: File, folder: int, time_is_over: Callable[[], bool]) -> int:
        """Compress a log of the directory `folder` and say how many bytes it takes now.

        Raises `Left` when it stays as it was, `FirebreakError` when its lines lie elsewhere.
        """
        name = file.name
        source = _same(file, name, folder)
        with source:
            if beneath.has(name + ENDING, folder):
                raise Left(f"{shown(name)}{ENDING} is there already")
            dress = _Dress.of(source)
            try:
                return self._beside(file, source, dress, folder, time_is_over)
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise Left(error.strerror or str(error)) from error
            source.seek(0)
            return self._staged(file, source, dress, folder, time_is_over)

    def _beside(
        self, file: File, source: BinaryIO, dress: _Dress, folder: int, time_is_over: Callable[[], bool]
    ) -> int:
        with _part(file.name, folder) as target:
            _compress(source, target, time_is_over)
            dress.put_on(target)
            _swap(file, target, folder)
            return os.fstat(target.fileno()).st_blocks * 512

    def _staged(
        self, file: File, source: BinaryIO, dress: _Dress, folder: int, time_is_over: Callable[[], bool]
    ) -> int:
        name = file.name
        place, stage = self._stage(file)
        with stage:
            try:
                self._fill(file, source, stage, place, time_is_over)
                _unchanged(file, folder)
            except BaseException:
                _remove(place)
                raise
            os.unlink(name, dir_fd=folder)
            # As long as it is open, its room is not free.
            source.close()
            try:
                with _part(name, folder) as target:
                    stage.seek(0)
                    _copy(stage, target)
                    dress.put_on(target)
                    os.fsync(target.fileno())
                    beneath.name_it(target.fileno(), name + ENDING, folder)
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

    def _fill(
        self, file: File, source: BinaryIO, stage: BinaryIO, place: Path, time_is_over: Callable[[], bool]
    ) -> None:
        try:
            _compress(source, stage, time_is_over)
            size = stage.seek(0, os.SEEK_END)
        except OSError as error:
            raise Left(f"there is no room for what it becomes, here or in {place.parent}") from error
        if size > file.bytes:
            raise Left("it would not get smaller")
        try:
            self._note({"action": "disk.logs.compress", "path": shown(file.path), "staged": str(place)})
        except FirebreakError as error:
            raise Left(f"where its lines are meanwhile cannot be written down: {error}") from error

    def _stage(self, file: File) -> tuple[Path, BinaryIO]:
        for directory in self._staging:
            with contextlib.suppress(OSError):
                Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
                other = Path(directory).stat().st_dev != file.device
                if other and self._statvfs(directory).available > file.bytes + SPARE:
                    path = Path(directory) / f"{file.device}-{file.inode}-{file.mtime_ns}{ENDING}"
                    # A run that was ended before it took the log away, which is still there.
                    with contextlib.suppress(FileNotFoundError):
                        path.unlink()
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
    status, because = os.fstat(stream.fileno()), None
    if not file.is_still(status):
        because = "it is another file by now, or was written to"
    elif status.st_nlink > 1:
        because = "it has another name somewhere, so that nothing would be freed"
    if because is not None:
        stream.close()
        raise Left(because)
    return stream


def _unchanged(file: File, folder: int) -> None:
    status = beneath.status(file.name, folder)
    if status is None:
        raise Left("it is gone")
    if not file.is_still(status):
        raise Left("it was written to meanwhile")


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


def _chunks(source: BinaryIO | gzip.GzipFile, time_is_over: Callable[[], bool]) -> Iterator[bytes]:
    """Bounded, for a file with holes may be as long as it likes."""
    for data in iter(lambda: source.read(CHUNK), b""):
        if time_is_over():
            raise Left("there was no time for it")
        yield data


def _compress(source: BinaryIO, target: BinaryIO, time_is_over: Callable[[], bool]) -> None:
    """Raises `Left` when what was written cannot be read back, `OSError` when there is no room."""
    digest = hashlib.sha256()
    mtime = int(os.fstat(source.fileno()).st_mtime)
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=target, mtime=mtime) as packed:
        for data in _chunks(source, time_is_over):
            digest.update(data)
            packed.write(data)
    target.flush()
    os.fsync(target.fileno())
    target.seek(0)
    again = hashlib.sha256()
    try:
        with gzip.GzipFile(mode="rb", fileobj=target) as packed:
            for data in _chunks(packed, time_is_over):
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
    """Owner, rights, attributes and times of a log, as they were before it was read."""

    status: os.stat_result
    attributes: Mapping[str, bytes]

    @classmethod
    def of(cls, source: BinaryIO) -> _Dress:
        number = source.fileno()
        names = (name for name in os.listxattr(number) if name not in OF_THE_CONTENT)
        return cls(os.fstat(number), {name: os.getxattr(number, name) for name in names})

    def put_on(self, target: BinaryIO) -> None:
        number, status = target.fileno(), self.status
        os.fchown(number, status.st_uid, status.st_gid)
        for name, value in self.attributes.items():
            with contextlib.suppress(OSError):
                os.setxattr(number, name, value)
        os.fchmod(number, status.st_mode & 0o777)
        os.utime(number, ns=(status.st_atime_ns, status.st_mtime_ns))


def _swap(file: File, target: BinaryIO, folder: int) -> None:
    _unchanged(file, folder)
    beneath.name_it(target.fileno(), file.name + ENDING, folder)
    os.fsync(folder)
    os.unlink(file.name, dir_fd=folder)
