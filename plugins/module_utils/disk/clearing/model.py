# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes room and could be made to take less."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Sequence

from ...clients.container_logs import ContainerLog
from ...clients.package_caches import Cache
from ...clients.procfs import Space
from ...postgres.backup.catalogue import Backup

REOPEN, CACHES, COMPRESS, JOURNAL = "reopen", "caches", "compress", "journal"
CONTAINER_LOGS, OLD_LOGS, BACKUPS = "container_logs", "old_logs", "backups"
# The mildest first.
LEVERS = (REOPEN, CACHES, COMPRESS, JOURNAL, CONTAINER_LOGS, OLD_LOGS, BACKUPS)
ROTATED, PACKED, LIVE = "rotated", "packed", "live"


def shown(path: str) -> str:
    """A path as it can be printed and recorded: nothing in it moves a cursor or begins a line."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


@dataclass(frozen=True)
class File:
    """A file as it was found, and what tells it from another one of its name. `bytes`: the room it takes."""

    path: str
    device: int
    inode: int
    size: int
    mtime_ns: int
    bytes: int
    links: int = 1

    @classmethod
    def of(cls, path: str, status: os.stat_result) -> File:
        return cls(
            path=path,
            device=status.st_dev,
            inode=status.st_ino,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            bytes=status.st_blocks * 512,
            links=status.st_nlink,
        )

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def directory(self) -> str:
        return self.path.rpartition("/")[0] or "/"

    @property
    def key(self) -> tuple[int, int]:
        return self.device, self.inode

    def is_still(self, status: os.stat_result) -> bool:
        found = File.of(self.path, status)
        return (found.key, found.size, found.mtime_ns) == (self.key, self.size, self.mtime_ns)

    def as_dict(self) -> dict[str, Any]:
        return {
            "path": shown(self.path),
            "device": self.device,
            "inode": self.inode,
            "size": self.size,
            "mtime_ns": self.mtime_ns,
        }


@dataclass(frozen=True)
class Log:
    """A log file; `place` is the device of the directory it lies in."""

    file: File
    place: int
    kind: str


@dataclass(frozen=True)
class Batch:
    """Files of one directory that one act deals with."""

    directory: str
    files: tuple[File, ...]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    @property
    def digest(self) -> str:
        lines = (
            f"{os.fsencode(file.path)!r} {file.device} {file.inode} {file.size} {file.mtime_ns}\n"
            for file in sorted(self.files, key=lambda file: os.fsencode(file.path))
        )
        digest = hashlib.sha256()
        for line in lines:
            digest.update(line.encode())
        return "sha256:" + digest.hexdigest()

    @property
    def target(self) -> str:
        if len(self.files) == 1:
            return f"log {shown(self.files[0].path)}"
        return f"{len(self.files)} logs in {shown(self.directory)}"

    def identity(self) -> dict[str, Any]:
        """One file is named; of more the digest tells whether they are still the same."""
        one = self.files[0].as_dict() if len(self.files) == 1 else {}
        return {
            "directory": shown(self.directory),
            "files": len(self.files),
            "bytes": self.bytes,
            "digest": self.digest,
            **one,
        }


def by_directory(files: Iterable[File]) -> list[Batch]:
    found: dict[str, list[File]] = {}
    for file in files:
        found.setdefault(file.directory, []).append(file)
    return [Batch(directory, tuple(each)) for directory, each in found.items()]


@dataclass(frozen=True)
class Holder:
    """A process, told by pid and start, that has deleted files open. `signal` has it open its logs anew.

    `appends`: all its writes go to the end of the files.
    """

    pid: int
    started: int
    name: str
    place: int
    files: tuple[File, ...]
    signal: str | None = None
    appends: bool = True
    unit: str | None = None

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True)
class Writer:
    """Who has a log open to write to it; `signal` as in `Holder`."""

    pid: int
    started: int
    name: str
    signal: str | None


@dataclass(frozen=True)
class Place:
    """A filesystem that must get room: `aim` bytes and `aim_inodes` free for ordinary users.

    `device` is that of its files, `probes` are directories in which an application writes.
    """

    point: str
    device: int
    space: Space
    aim: int
    aim_inodes: int
    probes: tuple[str, ...] = ()

    @property
    def missing(self) -> int:
        return max(0, self.aim - self.space.available)

    @property
    def missing_inodes(self) -> int:
        return max(0, self.aim_inodes - self.space.inodes_available) if self.space.inodes else 0


@dataclass(frozen=True)
class Journal:
    """The journal's directory on a place; `bytes` of it, and what is archived already."""

    directory: str
    place: int
    bytes: int


@dataclass(frozen=True)
class Spare:
    """A backup that so many newer ones replace."""

    backup: Backup
    place: int
    bytes: int


@dataclass(frozen=True)
class Incident:
    """Why evidence is kept."""

    reason: str


@dataclass(frozen=True)
class Snapshot:
    """`open` are the devices and inodes of files that somebody has open, `writers` those of live logs.

    `protected` are paths that are left alone, with the reason. `now` in seconds since the epoch.
    """

    now: float
    places: tuple[Place, ...]
    holders: tuple[Holder, ...] = ()
    caches: tuple[Cache, ...] = ()
    logs: tuple[Log, ...] = ()
    open: frozenset[tuple[int, int]] = frozenset()
    writers: Mapping[tuple[int, int], tuple[Writer, ...]] = field(default_factory=dict)
    journals: tuple[Journal, ...] = ()
    containers: tuple[ContainerLog, ...] = ()
    spares: tuple[Spare, ...] = ()
    incident: Incident | None = None
    unseen: Mapping[str, str] = field(default_factory=dict)
    protected: Mapping[str, str] = field(default_factory=dict)

    def place(self, device: int) -> Place | None:
        return next((place for place in self.places if place.device == device), None)


@dataclass(frozen=True)
class Policy:
    """What was asked for. `roots` is None where the caller named none; `journal_keep` in bytes."""

    levers: Sequence[str]
    older_than: int
    journal_keep: int
    keep: int
    roots: Sequence[str] | None
