# SPDX-License-Identifier: GPL-3.0-or-later
"""The backups that lie in a directory: those taken here and those of the site's own scripts."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import stat
import zlib
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO, Iterator, Mapping, Sequence
from urllib.parse import quote, unquote

from ...errors import Unreachable
from ...moments import iso_at

CUSTOM, CUSTOM_GZ, SQL, SQL_GZ, GLOBALS = "custom", "custom_gz", "sql", "sql_gz", "globals"
MANIFEST, GLOBALS_ENDING = ".json", ".globals.sql"
STAMP, STAMP_LENGTH = "%Y%m%dT%H%M%SZ", 16
# What a file has until it is whole and proved.
PART = ".part"
# By how much the clock that gave a file its time may be ahead.
CLOCK_SECONDS = 300
MOST_ENTRIES = 20_000
MANIFEST_BUDGET = 65536
HEAD = 4096
# What scripts call a dump when they leave out of what.
ANONYMOUS = frozenset(
    {"", "backup", "backups", "dump", "db", "database", "pg", "pgdump", "pg_dump", "postgresql"}
)

_NAME = re.compile(r"(?P<stem>.+?)\.(?:dump|sql|pgdump|pgsql|custom|backup)(?:\.gz)?", re.DOTALL)
_GLOBALS = re.compile(rf"cluster-\d{{8}}T\d{{6}}Z{re.escape(GLOBALS_ENDING)}")
_PART = re.compile(rf".+-\d{{8}}T\d{{6}}Z(?:\.dump|{re.escape(GLOBALS_ENDING)}){re.escape(PART)}", re.DOTALL)
_STAMP = re.compile(r"[-_. ]?\d{8}T\d{6}Z$")
# 20261122, 2026-11-22, with or without a time after it, or seconds since the epoch.
_DATE = re.compile(
    r"[-_. ]?(?:\d{4}([-_.]?)\d\d\1\d\d(?:[-_.T ]?\d\d[-_:.]?\d\d(?:[-_:.]?\d\d)?)?Z?|\d{10})$"
)


@dataclass(frozen=True)
class Backup:
    """One dump. `database` is None where neither the file nor its name says; `size` in bytes.

    `created` is when it was begun, in seconds since the epoch: as the manifest or the name says, else when
    it was last written to. `inode` and `mtime_ns` tell it from another one of its name.
    """

    path: str
    kind: str
    database: str | None
    size: int
    created: float
    inode: int
    mtime_ns: int
    manifest: Mapping[str, Any] | None = None

    @property
    def sha256(self) -> str | None:
        """As recorded when it was verified."""
        return (self.manifest or {}).get("sha256")

    @property
    def identity(self) -> tuple[str, int, int, int]:
        return self.path, self.inode, self.mtime_ns, self.size

    @property
    def proved(self) -> bool:
        """Whether it was verified once and has not been written to since; it may still have rotted."""
        manifest = self.manifest or {}
        recorded = (manifest.get("verified_at"), manifest.get("size"), manifest.get("mtime_ns"))
        return bool(recorded[0]) and recorded[1:] == (self.size, self.mtime_ns)

    def as_dict(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "kind": self.kind,
            "database": self.database,
            "size_bytes": self.size,
            "created": iso_at(self.created),
            "recorded": dict(self.manifest) if self.manifest else None,
        }


def found(directory: str, database: str | None = None) -> tuple[Backup, ...]:
    """The dumps in `directory` itself, newest first; of one database, those without a name among them.

    None where there is no such directory. Links are not followed. Raises `Unreachable`.
    """
    return tuple(one for one in everything(directory) if one.kind != GLOBALS and _of(one, database))


def _of(backup: Backup, database: str | None) -> bool:
    return database is None or backup.database in (None, database)


def everything(directory: str) -> tuple[Backup, ...]:
    """The same of all databases, and the roles and tablespaces that were dumped beside them."""
    return tuple(sorted(_listed(directory), key=lambda one: (one.created, one.path), reverse=True))


def by_age(backups: Sequence[Backup], now: float) -> tuple[Backup, ...]:
    """Those that were begun in the future come last: when they were, nobody knows."""
    return tuple(sorted(backups, key=lambda one: one.created > now + CLOCK_SECONDS))


def unfinished(directory: str) -> tuple[tuple[str, int], ...]:
    """Path and size in bytes of what runs that were cut off have left; not what is being written."""
    left = []
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if not (_PART.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)):
                continue
            with contextlib.suppress(OSError), regular(entry.path) as stream:
                if stream is not None:
                    fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    left.append((entry.path, os.fstat(stream.fileno()).st_size))
    return tuple(sorted(left))


def name_for(database: str, moment: datetime) -> str:
    """The file name of a dump begun then, fit for any name a database can have."""
    safe = quote(database, safe="")
    hidden = safe.startswith(".")
    return f"{'%2E' + safe[1:] if hidden else safe}-{moment.astimezone(timezone.utc):{STAMP}}.dump"


def globals_name_for(moment: datetime) -> str:
    return f"cluster-{moment.astimezone(timezone.utc):{STAMP}}{GLOBALS_ENDING}"


def manifest_of(path: str) -> str:
    return path + MANIFEST


def looked_at(path: str, name: str | None = None) -> Backup | None:
    """The dump at `path`; None for what is no regular file or has no dump's name. Raises `OSError`.

    `name` is the one it will get, of a file that has not got it yet.
    """
    name = name or Path(path).name
    named = _NAME.fullmatch(name)
    if named is None:
        return None
    with regular(path) as stream:
        if stream is None:
            return None
        status = os.fstat(stream.fileno())
        head, packed = _head(stream)
    manifest, stem = _manifest(path + MANIFEST), named.group("stem")
    if _GLOBALS.fullmatch(name):
        kind, database = GLOBALS, None
    else:
        dumped = head.startswith(b"PGDMP")
        kind = (CUSTOM_GZ if packed else CUSTOM) if dumped else (SQL_GZ if packed else SQL)
        database = _text(manifest, "database") or _dumped_database(head) or _named_database(stem)
    return Backup(
        path=path,
        kind=kind,
        database=database,
        size=status.st_size,
        created=_begun(stem, manifest, status.st_mtime),
        inode=status.st_ino,
        mtime_ns=status.st_mtime_ns,
        manifest=manifest,
    )


@contextlib.contextmanager
def regular(path: str) -> Iterator[BinaryIO | None]:
    """The file opened, None when it is a directory, a pipe or the like. Links raise `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        yield stream if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


def _listed(directory: str) -> Iterator[Backup]:
    try:
        with os.scandir(directory) as entries:
            for number, entry in enumerate(entries):
                if number >= MOST_ENTRIES:
                    raise Unreachable(
                        f"directory {directory}", f"it has more than {MOST_ENTRIES} entries", "Tidy it up."
                    )
                if entry.is_file(follow_symlinks=False):
                    try:
                        backup = looked_at(entry.path)
                    except FileNotFoundError:
                        continue
                    if backup:
                        yield backup
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unreachable(
            f"directory {directory}", str(error.strerror), "Run as root (become: true)."
        ) from error


def _head(stream: BinaryIO) -> tuple[bytes, bool]:
    """The first of what was dumped, and whether it was compressed as a whole."""
    head = stream.read(HEAD)
    if not head.startswith(b"\x1f\x8b"):
        return head, False
    try:
        return zlib.decompressobj(wbits=31).decompress(head, HEAD), True
    except zlib.error:
        return b"", True


def _manifest(path: str) -> Mapping[str, Any] | None:
    try:
        with regular(path) as stream:
            read = json.loads(stream.read(MANIFEST_BUDGET).decode("utf-8")) if stream else None
    except (OSError, ValueError):
        return None
    return read if isinstance(read, dict) and isinstance(read.get("sha256"), str) else None


def _text(manifest: Mapping[str, Any] | None, key: str) -> str | None:
    value = (manifest or {}).get(key)
    return value if isinstance(value, str) else None


def _named_database(stem: str) -> str | None:
    bare = unquote(_DATE.sub("", _STAMP.sub("", stem)))
    return None if bare.lower() in ANONYMOUS else bare


def _dumped_database(head: bytes) -> str | None:
    """As the head of a custom-format archive (version 1.12 and later) says it."""
    if not head.startswith(b"PGDMP") or len(head) < 12:
        return None
    version, size = (head[5], head[6]), head[8]
    position = 11
    # A byte for the method of compression, before that an integer for its level; then seven for the time.
    position += 1 if version >= (1, 15) else 1 + size
    position += 7 * (1 + size)
    length = int.from_bytes(head[position + 1 : position + 1 + size], "little")
    name = head[position + 1 + size :][:length]
    if len(name) != length or not 0 < length < 1024:
        return None
    return name.decode("utf-8", "replace")


def _begun(stem: str, manifest: Mapping[str, Any] | None, modified: float) -> float:
    said = ((_text(manifest, "started"), "%Y-%m-%dT%H:%M:%S.%fZ"), (stem[-STAMP_LENGTH:], STAMP))
    for text, form in said:
        try:
            moment = datetime.strptime(text or "", form).replace(tzinfo=timezone.utc).timestamp()
        except ValueError:
            continue
        # Nothing is begun after it was last written to.
        if moment <= modified:
            return moment
    return modified
