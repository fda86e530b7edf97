# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything below a directory, on its filesystem and no other, as fast as names can be asked for."""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass
from itertools import chain, islice
from typing import Callable, Collection, Generator, Iterator, Tuple

from .procfs import Procfs

# Only directories are opened: a pipe would wait for its writer, a device may act.
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# The kernel takes no path of 4096 bytes; a character has 4 at most.
_PIECE = 1000
# On a disk that turns, the inodes of a large directory are asked for in the order in which they lie.
_BATCH, _SORTED = 4096, 1024
NAMED = 5

Entry = Tuple[str, os.stat_result]


@dataclass(frozen=True)
class Folder:
    """One directory: `path` (the root has `depth` 0), its own `status`, and what is in it but directories.

    The `files` come as names with their `os.lstat`, as long as this folder is the one that is looked at.
    """

    path: str
    depth: int
    status: os.stat_result
    files: Iterator[Entry]


class Tree:
    """Iterating yields path and `os.lstat` of everything below `root`, a directory before what is in it.

    Links are not followed, mounts not entered, an inode with several names comes once. Names that are not
    UTF-8 are as `os.fsdecode` has them. What vanishes meanwhile is left out. Nothing is written, not even the
    time of access. The directories in `skip` are left out, and what is in them.

    Afterwards `complete` is False when the time was over before the end, `unreadable` counts the directories
    that could not be looked into (`first_unreadable`: path and reason), and `mounts` are the mount points
    that were passed over. Raises `OSError` when `root` itself cannot be read.
    """

    def __init__(
        self,
        root: str,
        time_is_over: Callable[[], bool],
        skip: Collection[str] = (),
        mounts: Collection[str] | None = None,
    ) -> None:
        self.root = root.rstrip("/") or "/"
        self.complete = True
        self.unreadable = 0
        self.first_unreadable: dict[str, str] = {}
        self.mounts: list[str] = []
        self._is_over, self._skip = time_is_over, frozenset(skip)
        self._device = -1
        self._known: set[tuple[int, int]] = set()
        self._points: dict[str, set[str]] = {}
        for point in {mount.point for mount in Procfs().mounts()} if mounts is None else mounts:
            folder, _slash, name = point.rpartition("/")
            self._points.setdefault(folder or "/", set()).add(name)

    def __iter__(self) -> Iterator[Entry]:
        for folder in self.folders():
            prefix = folder.path.rstrip("/") + "/"
            if folder.depth:
                yield folder.path, folder.status
            for name, status in folder.files:
                yield prefix + name, status

    def folders(self) -> Iterator[Folder]:
        """The root and every directory below it; what a reader leaves of `files` is gone through for it."""
        # Names by level, for paths would take much more room: a directory may hold a million others.
        levels: list[tuple[str, list[str]]] = []
        path = self.root
        below = yield from self._folder(path, 0)
        while True:
            if below:
                levels.append((path.rstrip("/") + "/", below))
            while levels and not levels[-1][1]:
                levels.pop()
            if not levels:
                return
            if not self.complete or self._is_over():
                self.complete = False
                return
            path, below = levels[-1][0] + levels[-1][1].pop(), []
            if path in self._skip:
                continue
            try:
                below = yield from self._folder(path, len(levels))
            except OSError as error:
                self._not_read(path, error)

    def _folder(self, path: str, depth: int) -> Generator[Folder, None, list[str]]:
        """Gives back the names of the directories in it."""
        below: list[str] = []
        descriptor = _opened(path)
        try:
            status = os.fstat(descriptor)
            if depth == 0:
                self._device = status.st_dev
            elif status.st_dev != self._device:
                self.mounts.append(path)
                return below
            with os.scandir(descriptor) as entries:
                files = self._files(path, entries, below)
                yield Folder(path, depth, status, files)
                for _rest in files:
                    pass
        finally:
            os.close(descriptor)
        return below

    def _files(self, path: str, entries: Iterator[os.DirEntry[str]], below: list[str]) -> Iterator[Entry]:
        points = self._points.get(path, ())
        try:
            for entry in chain.from_iterable(self._batches(entries)):
                name = entry.name
                if name in points:
                    self.mounts.append(path.rstrip("/") + "/" + name)
                elif entry.is_dir(follow_symlinks=False):
                    below.append(name)
                else:
                    # A method for this would be called a million times.
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if status.st_nlink == 1 or self._is_new(status):
                        yield name, status
        except OSError as error:
            self._not_read(path, error)

    def _batches(self, entries: Iterator[os.DirEntry[str]]) -> Iterator[list[os.DirEntry[str]]]:
        while True:
            batch = list(islice(entries, _BATCH))
            if not batch:
                return
            if self._is_over():
                self.complete = False
                return
            if len(batch) > _SORTED:
                batch.sort(key=_inode)
            yield batch

    def _is_new(self, status: os.stat_result) -> bool:
        """Whether this is the first of the names of an inode."""
        if status.st_nlink < 2:
            return True
        known = status.st_dev, status.st_ino
        new = known not in self._known
        self._known.add(known)
        return new

    def _not_read(self, path: str, error: OSError) -> None:
        # It was removed, or something else has its name now.
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return
        self.unreadable += 1
        if len(self.first_unreadable) < NAMED:
            self.first_unreadable[path] = error.strerror or str(error)


def names_in(directory: str) -> Iterator[str]:
    """Of what is in it, with the same care. Raises `OSError`."""
    descriptor = _opened(directory)
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                yield entry.name
    finally:
        os.close(descriptor)


def _inode(entry: os.DirEntry[str]) -> int:
    return entry.inode()


def _opened(path: str) -> int:
    """A descriptor of a directory, however long its path is."""
    try:
        return _open(path)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
    descriptor, rest = -1, path
    try:
        while True:
            # Up to a slash, for a single name is never too long.
            cut = len(rest) if len(rest) <= _PIECE else rest.rfind("/", 0, _PIECE)
            following = _open(rest[:cut], descriptor)
            if descriptor >= 0:
                os.close(descriptor)
            descriptor, rest = following, rest[cut + 1 :]
            if not rest:
                return descriptor
    except BaseException:
        if descriptor >= 0:
            os.close(descriptor)
        raise


def _open(path: str, directory: int = -1) -> int:
    beneath = None if directory < 0 else directory
    with contextlib.suppress(PermissionError):
        return os.open(path, _FLAGS | os.O_NOATIME, dir_fd=beneath)
    # The time of access can be left alone by the owner only.
    return os.open(path, _FLAGS, dir_fd=beneath)
