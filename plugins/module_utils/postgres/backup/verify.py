# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a dump can be read to its end.

`pg_restore -l` and `gzip -t` pass a dump that was cut off; only reading all of it tells.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import time
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Callable, Iterator, Match

from ...clients.pipes import CHUNK, Sink, Source
from ...clients.postgres_programs import Ran, run_program
from ...clients.postgres_session import Access
from ...deadlines import Deadline
from ...errors import IdentityChanged, Unreachable
from .catalogue import CUSTOM, CUSTOM_GZ, GLOBALS, SQL_GZ, Backup, regular

END = re.compile(rb"^-- PostgreSQL database (?:cluster )?dump complete", re.MULTILINE)
# After the end mark there may still be \unrestrict and a key.
END_WITHIN = 4096
LONGEST_LINE = 1024 * 1024

Run = Callable[..., Ran]


@dataclass(frozen=True)
class Verification:
    """`reason` says why not, else is empty. `tables` and `rows` are those whose data was read."""

    ok: bool
    reason: str
    seconds: float
    tables: int = 0
    rows: int = 0
    sha256: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "reason": self.reason,
            "seconds": self.seconds,
            "tables": self.tables,
            "rows": self.rows,
            "sha256": self.sha256,
        }


class DumpText:
    """Takes the SQL of a dump as it comes, and counts what it brings."""

    # In the body of a function a COPY is but text: what comes is announced in a comment.
    _MARK = re.compile(
        rb"^(?:(?P<data>-- Data for Name: )|(?P<entry>-- Name: .*; Type: (?P<type>[A-Z ]+); Schema: )"
        rb"|(?P<copy>COPY .* FROM stdin;\n)|(?P<insert>INSERT INTO )|(?P<create>CREATE TABLE )"
        rb"|(?P<by>PARTITION BY ))",
        re.MULTILINE,
    )
    _DONE = re.compile(rb"^\\\.\n", re.MULTILINE)

    def __init__(self) -> None:
        self.tables = self.rows = self.size = 0
        self._copying, self._rest, self._last = False, b"", b""
        self._announced = b""
        self._types: set[bytes] = set()
        # Tables that have rows of their own, and whether some rows came as INSERT.
        self._made, self._inserted = 0, False

    def write(self, data: bytes) -> None:
        self.size += len(data)
        self._last = (self._last + data)[-END_WITHIN:]
        whole, newline, rest = data.rpartition(b"\n")
        if not newline:
            # Of a line without end only the beginning matters.
            self._rest = (self._rest + data)[:LONGEST_LINE]
            return
        self._count(self._rest + whole + newline)
        self._rest = rest

    @property
    def complete(self) -> bool:
        return END.search(self._last) is not None

    @property
    def lacks(self) -> str:
        """What no restore can do without and it does not hold; empty when that is nothing."""
        data = bool(self.tables or self._inserted)
        if self._made and not data:
            return "it holds the tables and no data of them, as of pg_dump --schema-only"
        if data and not self._types & {b"TABLE", b"EXTENSION"}:
            return "it holds data and no tables to put them in, as of pg_dump --data-only"
        return ""

    def _count(self, lines: bytes) -> None:
        position = 0
        while True:
            found = (self._DONE if self._copying else self._MARK).search(lines, position)
            if self._copying:
                self.rows += lines.count(b"\n", position, found.start() if found else len(lines))
            if found is None:
                return
            if self._copying:
                self._copying = False
            else:
                self._met(found)
            position = found.end()

    def _met(self, found: Match[bytes]) -> None:
        kind = found.lastgroup if found.lastgroup != "type" else "entry"
        if kind == "data":
            self._announced = b"DATA"
        elif kind == "entry":
            self._announced = found.group("type")
            self._types.add(self._announced)
        elif self._announced == b"DATA" and kind == "copy":
            self.tables, self._copying, self._announced = self.tables + 1, True, b""
        elif self._announced == b"DATA" and kind == "insert":
            self._inserted = True
        elif self._announced == b"TABLE" and kind in ("create", "by"):
            # A partitioned table has none itself.
            self._made += 1 if kind == "create" else -1


def verify(backup: Backup, access: Access, seconds: float, run: Run = run_program) -> Verification:
    """Read all of it and throw it away; nothing is asked of the server. `seconds` bound the whole.

    Raises `Unreachable` when it cannot be told: pg_restore is missing, its container does not run, the
    time is over.
    """
    started, deadline, text = time.monotonic(), Deadline(seconds), DumpText()
    try:
        with _opened(backup) as stream:
            digest = _Digest(stream)
            reason = _read(backup, digest, text, access, deadline, run)
            # pg_restore leaves alone what comes after the last of its data.
            _drain(digest, _Nowhere(), deadline, backup)
    except OSError as error:
        raise Unreachable(
            f"backup {backup.path}", str(error.strerror or error), "See that it can be read."
        ) from error
    if not reason and backup.sha256 not in (None, digest.hexdigest):
        reason = "its content is no longer what was recorded when it was taken (sha256 differs)"
    took = round(time.monotonic() - started, 3)
    return Verification(not reason, reason, took, text.tables, text.rows, digest.hexdigest)


def _read(
    backup: Backup, digest: _Digest, text: DumpText, access: Access, deadline: Deadline, run: Run
) -> str:
    """What is wrong with it; empty when nothing is."""
    if not backup.size:
        return "it is empty"
    source: Source = digest
    if backup.kind in (CUSTOM_GZ, SQL_GZ):
        source = gzip.GzipFile(fileobj=digest, mode="rb")
    try:
        if backup.kind in (CUSTOM, CUSTOM_GZ):
            ran = run(access, "pg_restore", ["-f", "-"], deadline.remaining(), source, text)
            if re.search(r"unsupported version \(1\.\d+\)", ran.complaint):
                raise Unreachable(
                    f"backup {backup.path}",
                    f"pg_restore here is older than the pg_dump that made it: {ran.complaint}",
                    "Install the client package of the server's release.",
                )
            if not ran.ok:
                return f"pg_restore cannot read it to its end: {ran.complaint}"
        else:
            _drain(source, text, deadline, backup)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return f"it cannot be decompressed: {error}"
    if not text.complete:
        return "it lacks the mark at its end: it was cut off, or it is no dump of PostgreSQL"
    return "" if backup.kind == GLOBALS else text.lacks


def _drain(source: Source, sink: Sink, deadline: Deadline, backup: Backup) -> None:
    while True:
        data = source.read(CHUNK)
        if not data:
            return
        sink.write(data)
        if deadline.over:
            raise Unreachable(
                f"backup {backup.path}", "it could not be read in time", "Give more time for verifying."
            )


class _Digest:
    """Reads a file and keeps count of what it read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._hash = stream, hashlib.sha256()

    def read(self, size: int = CHUNK) -> bytes:
        data = self._stream.read(size)
        self._hash.update(data)
        return data

    def seek(self, position: int) -> None:
        raise io.UnsupportedOperation(f"seek to {position}")

    @property
    def hexdigest(self) -> str:
        return self._hash.hexdigest()


class _Nowhere:
    def write(self, data: bytes) -> None:
        """Gone."""


@contextmanager
def _opened(backup: Backup) -> Iterator[BinaryIO]:
    """The same file that was listed."""
    with regular(backup.path) as stream:
        status = os.fstat(stream.fileno()) if stream else None
        if not (stream and status and (status.st_ino, status.st_mtime_ns) == (backup.inode, backup.mtime_ns)):
            raise IdentityChanged(
                f"backup {backup.path}",
                "it was written to in the meantime",
                "Look again when it is finished.",
            )
        yield stream
