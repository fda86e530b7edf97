# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the room on filesystems and of what takes it. Bytes are those of blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from ..clients.container_logs import ContainerLog
from ..clients.open_files import Deleted
from ..host.filesystems import Filesystem

# The ages of what is there by when it was last written to: below so many seconds, None for what is older.
AGES = (("day", 86400.0), ("week", 7 * 86400.0), ("month", 30 * 86400.0), ("older", None))


@dataclass(frozen=True)
class File:
    """`modified` in seconds since the epoch; `inode` and `device` as in `os.lstat`."""

    path: str
    kind: str
    bytes: int
    size: int
    modified: float
    device: int
    inode: int


@dataclass(frozen=True)
class Directory:
    """`bytes` and `entries` of it and of everything below but other directories that are listed."""

    path: str
    bytes: int
    entries: int
    total_bytes: int
    total_entries: int


@dataclass(frozen=True)
class Area:
    """A directory that serves one purpose: a cache, a journal, pg_wal, a volume. Everything below counts.

    `name` says whose it is: apt, pip, journald; the `waiting` are files that wait for an archiver.
    """

    path: str
    kind: str
    name: str
    bytes: int
    entries: int
    waiting: int = 0


@dataclass(frozen=True)
class Share:
    """Of one kind and one age."""

    kind: str
    age: str
    bytes: int
    files: int


@dataclass(frozen=True)
class Usage:
    """What a walk found below `roots`.

    `size` is what the files claim to hold; `sparse` is the number of those that claim a good deal more than
    they take, and `sparse_bytes` by how much. Not `complete` when the time was over; `unreadable` directories
    are counted in any case. `mounts` were passed over. `biggest` are the first few of every kind.
    """

    roots: tuple[str, ...]
    seconds: float
    bytes: int = 0
    size: int = 0
    files: int = 0
    directories: int = 0
    sparse: int = 0
    sparse_bytes: int = 0
    complete: bool = True
    unreadable: int = 0
    first_unreadable: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[str, ...] = ()
    shares: tuple[Share, ...] = ()
    biggest: tuple[File, ...] = ()
    large: tuple[Directory, ...] = ()
    crowded: tuple[Directory, ...] = ()
    areas: tuple[Area, ...] = ()

    def of_kind(self, kind: str) -> int:
        return sum(share.bytes for share in self.shares if share.kind == kind)


@dataclass(frozen=True)
class Place:
    """What is looked at: a filesystem, from all the `roots` by which it can be reached, or a part of it."""

    filesystem: Filesystem
    roots: tuple[str, ...]
    whole: bool = True

    @property
    def name(self) -> str:
        return self.filesystem.point if self.whole else self.roots[0]


@dataclass(frozen=True)
class Log:
    """A large log. `grown` bytes in `seconds`; `rotated` when older ones of it lie beside it."""

    file: File
    grown: int
    seconds: float
    rotated: bool


@dataclass(frozen=True)
class Seen:
    """One place, and what takes its room."""

    place: Place
    usage: Usage
    logs: tuple[Log, ...] = ()


@dataclass(frozen=True)
class Volume:
    name: str
    path: str
    used: bool


@dataclass(frozen=True)
class Docker:
    """`layers` maps the directory that a container writes to to its name. Sizes are the engine's own.

    `unseen` is why there are none.
    """

    logs: tuple[ContainerLog, ...] = ()
    layers: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()
    images: int | None = None
    images_unused: int | None = None
    build_cache: int | None = None
    build_cache_unused: int | None = None
    unseen: str | None = None


@dataclass(frozen=True)
class Backups:
    """The dumps in a directory. `beyond` those to keep of each database: how many, and their bytes."""

    directory: str
    keep: int | None
    count: int
    bytes: int
    oldest: float | None = None
    newest: float | None = None
    beyond: int = 0
    beyond_bytes: int = 0


@dataclass(frozen=True)
class Wal:
    """What a PostgreSQL server says of its WAL: the rows of the looks of postgres/storage."""

    subject: str
    bytes: int | None
    max_bytes: int
    slots: tuple[Mapping[str, Any], ...]
    archiver: Mapping[str, Any]
    waiting: int | None


@dataclass(frozen=True)
class Snapshot:
    """`now` in seconds since the epoch; `unseen` maps a part to the reason why nothing is known of it.

    `slots` are the names of replication slots by the WAL directory of their server.
    """

    now: float
    top: int
    seen: tuple[Seen, ...]
    deleted: Deleted
    docker: Docker | None = None
    backups: Backups | None = None
    wal: Wal | None = None
    slots: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unseen: Mapping[str, str] = field(default_factory=dict)
