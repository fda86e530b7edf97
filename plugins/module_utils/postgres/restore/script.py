# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQL of a dump as it goes by: how many rows it brings to which table, and what it must not hold.

A dump that was taken with --create, and one of a whole cluster, leave the database they are loaded into: the
first DROP DATABASE or \\connect in it would reach the one that is in use. This keeps an accident from
happening. Against somebody who writes dumps, psql is restricted: it runs none of its own commands, so no
program of this host. What the SQL does, it does as a superuser.
"""

from __future__ import annotations

import re
import secrets
from typing import Tuple

from ...clients.pipes import CHUNK, Sink, Source
from ...errors import BadInput

# Schema and name.
Table = Tuple[str, str]

_PART = r'("(?:[^"]|"")+"|[^\s."(]+)'
_COPY = re.compile(rf"COPY (?:{_PART}\.)?{_PART} .*FROM stdin;\r?\n".encode())
_END = re.compile(rb"^\\\.\r?\n", re.MULTILINE)
# Only after that line a COPY brings rows: in the body of a function it is but text.
_DATA, _OTHER = b"-- Data for Name: ", b"-- Name: "
_RESTRICTION = re.compile(rb"\\(?:un)?restrict \S+\s*")
_BEYOND = re.compile(
    rb"\\(?!restrict |unrestrict )\S+"
    rb"|(?:CREATE|DROP|ALTER)\s+(?:DATABASE|ROLE|TABLESPACE|SYSTEM|USER(?!\s+MAPPING))\b.{0,80}"
    rb"|COPY\s.*\s(?:FROM|TO)\s+PROGRAM\b.{0,80}",
    re.IGNORECASE,
)


class Rows:
    """Counts the rows of each table, and the bytes in `size`.

    `complete` is False when some came in a way that is not counted.
    """

    def __init__(self) -> None:
        self.of: dict[Table, int] = {}
        self.complete, self.size = True, 0
        self._table: Table | None = None
        self._copying = self._announced = False
        self._rest = bytearray()

    def write(self, data: bytes) -> None:
        """For dumps that others judge: pg_restore makes no commands that reach beyond its database."""
        cut = data.rfind(b"\n") + 1
        if not cut:
            self._rest += data
            return
        lines = bytes(self._rest) + data[:cut]
        self._rest = bytearray(data[cut:])
        self.lines(lines)

    def lines(self, data: bytes, guard: bool = False) -> bytes:
        """Whole lines, given back without those that restrict psql.

        With `guard`, `BadInput` for the first that reaches beyond the database.
        """
        position, kept = 0, 0
        passed = []
        self.size += len(data)
        while position < len(data):
            if self._copying:
                found = _END.search(data, position)
                end = found.start() if found else len(data)
                if self._table is not None:
                    self.of[self._table] += data.count(b"\n", position, end)
                self._copying, position = found is None, found.end() if found else end
                continue
            end = data.find(b"\n", position) + 1 or len(data)
            line = data[position:end]
            if _RESTRICTION.fullmatch(line):
                passed.append(data[kept:position])
                kept = end
            else:
                self._command(line, guard)
            position = end
        return b"".join([*passed, data[kept:]])

    def _command(self, line: bytes, guard: bool) -> None:
        if line.startswith((_DATA, _OTHER)):
            self._announced = line.startswith(_DATA)
        elif self._announced and line.startswith(b"COPY ") and line.rstrip().endswith(b"FROM stdin;"):
            self._announced = False
            copy = _COPY.fullmatch(line)
            self._copying = True
            self._table = (_bare(copy.group(1) or b"public"), _bare(copy.group(2))) if copy else None
            if self._table:
                self.of.setdefault(self._table, 0)
            else:
                self.complete = False
        elif line.startswith(b"INSERT INTO "):
            self.complete = False
        elif guard:
            beyond = _BEYOND.match(line)
            if beyond:
                raise BadInput(
                    "backup",
                    f"it holds {beyond.group().decode('utf-8', 'replace').strip()!r}, which reaches beyond "
                    f"the one database",
                    "Take that out of it by hand, or take another backup: pg_dump without --create.",
                )


class Guarded:
    """A plain dump on its way to psql: whole lines only, each looked at before it is passed on.

    psql is restricted first, by a key that no dump can hold.
    """

    def __init__(self, source: Source, rows: Rows) -> None:
        self._source, self._rows = source, rows
        restriction = f"\\restrict {secrets.token_hex(16)}\n"
        self._rest, self._ready, self._over = bytearray(), memoryview(restriction.encode()), False

    def read(self, size: int) -> bytes:
        while not self._ready and not self._over:
            self._fill()
        given, self._ready = bytes(self._ready[:size]), self._ready[size:]
        return given

    def _fill(self) -> None:
        data = self._source.read(CHUNK)
        self._over = not data
        cut = data.rfind(b"\n") + 1
        if not cut and data:
            self._rest += data
            return
        lines = bytes(self._rest) + data[:cut]
        self._rest = bytearray(data[cut:])
        self._ready = memoryview(self._rows.lines(lines, guard=True))


class Both:
    """What is written to it goes to both."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = sinks

    def write(self, data: bytes) -> None:
        for sink in self._sinks:
            sink.write(data)


def _bare(name: bytes) -> str:
    text = name.decode("utf-8", "replace")
    return text[1:-1].replace('""', '"') if text.startswith('"') else text
