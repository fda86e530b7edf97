# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of a database is made beside it, filled from a backup and checked; or it is gone again.

A copy is meant by its name and by the mark it was made with, which no other database has.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from dataclasses import replace
from datetime import datetime
from typing import Any, BinaryIO, Callable, Mapping

from ...clients.pipes import CHUNK
from ...clients.postgres import connect
from ...clients.postgres_programs import run_program
from ...clients.postgres_session import Access, Refused, identifier
from ...clients.postgres_session import Session as Connection
from ...deadlines import Deadline
from ...errors import FirebreakError, IdentityChanged
from ...moments import iso
from ..backup.catalogue import CUSTOM, CUSTOM_GZ, SQL_GZ, Backup, looked_at, regular
from ..corruption.observe import read_through
from ..entry import WayIn, access_to
from ..server import Server
from . import observe, tables
from .model import MARK, Mark, Report, belongs, changed, checked
from .script import Guarded, Rows

CREATE_SECONDS = 120.0
STATEMENT_SECONDS = 30.0
# The database in use is counted for comparison only, and under its load.
LIVE_SECONDS = 30.0
INDEX_SECONDS = 60.0
MAJOR = 10000
# What the site sets for everybody does not end a load half way.
LIMITS = (
    (0, "statement_timeout"),
    (0, "lock_timeout"),
    (0, "idle_in_transaction_session_timeout"),
    (14, "idle_session_timeout"),
    (17, "transaction_timeout"),
)
HELP_SECONDS = 10.0


class Copies:
    """`seconds` are for loading, and for checking."""

    def __init__(self, way: WayIn, report: Report, seconds: float, clock: Callable[[], datetime]) -> None:
        self._way, self._report, self._seconds, self._clock = way, report, seconds, clock

    def create(self, identity: Mapping[str, Any]) -> None:
        server, name, side = self._way(identity), identity["database"], identity["side"]
        seen = observe.observe(server, name, iso(self._clock()))
        live = seen.live
        if live is None or live.database.oid != identity["oid"]:
            raise changed(name, "it is no longer the one that was looked at")
        if side in {one.name for one in seen.others}:
            raise changed(side, "there is one of that name by now")
        mark = Mark(of=name, sha256=identity["sha256"], backup=identity["backup"], made=iso(self._clock()))
        words = [
            f"CREATE DATABASE {identifier(side)} WITH TEMPLATE template0 OWNER {identifier(live.owner)}",
            f"TABLESPACE {identifier(live.tablespace)}",
            # Nobody but superusers gets in before it is in its place.
            "CONNECTION LIMIT 0",
            _locale(live.locale),
        ]
        with observe.beside(server, name, CREATE_SECONDS) as session:
            session.execute(" ".join(words), _locale_values(live.locale), timeout=CREATE_SECONDS)
            try:
                _set_mark(session, side, mark)
            except FirebreakError:
                session.execute(f"DROP DATABASE {identifier(side)}", timeout=STATEMENT_SECONDS)
                raise

    def load(self, identity: Mapping[str, Any]) -> None:
        server = self._way(identity)
        self._own(server, identity)
        try:
            self._load(server, identity)
        except FirebreakError as error:
            kind = IdentityChanged if isinstance(error, IdentityChanged) else FirebreakError
            raise kind(
                error.subject, f"{error.problem}; {self._removed(server, identity)}", error.cure
            ) from error

    def check(self, identity: Mapping[str, Any]) -> None:
        server, name, side = self._way(identity), identity["database"], identity["side"]
        mark = self._own(server, identity)
        deadline = Deadline(self._seconds)
        report = self._report
        with _inside(server, side, self._seconds) as session:
            session.execute("ANALYZE", timeout=deadline.remaining())
            restored = tables.count(session, deadline, report.rows)
            without = tables.without_data(session, report.rows, deadline.remaining())
            reading = read_through(session, deadline.remaining(), INDEX_SECONDS, tables=False, system=False)
        report.differences = tables.compare(report.rows, restored, self._live_counts(server, name))
        report.indexes_read = reading.read if reading.amcheck else None
        wrong = tables.missing(report.differences, restored, without)
        wrong += [f"index {index}: {said}" for index, said in (reading.damaged or {}).items()]
        if wrong:
            raise FirebreakError(
                f"database {side}",
                f"it is not what the backup holds: {'; '.join(wrong[:5])}" + (" …" if wrong[5:] else ""),
                "It is left for you to look at, and nothing was put in its place; undo drops it.",
            )
        with observe.beside(server, name) as session:
            _set_mark(session, side, checked(mark))

    def drop(self, identity: Mapping[str, Any]) -> None:
        """Nothing to do when it is gone. One that has been in use holds what was written then, and stays."""
        server, side = self._way(identity), identity["side"]
        seen = observe.observe(server, identity["database"], "")
        found = next((one for one in seen.others if one.name == side), None)
        if found is None:
            return
        mark = belongs(found, identity)
        if mark.swapped:
            raise changed(
                side,
                f"it has been in use as {mark.of} since {mark.swapped}, and what was written to it is in no "
                f"other place",
                "Drop it by hand when nobody needs that.",
            )
        _drop(server, identity["database"], side)

    def _load(self, server: Server, identity: Mapping[str, Any]) -> None:
        path = identity["backup"]
        try:
            backup = looked_at(path)
            with regular(path) as file:
                if backup is None or file is None:
                    raise changed(path, "it is no dump any more")
                self._feed(server, identity, backup, _Digest(file))
        except (EOFError, zlib.error, OSError) as error:
            raise FirebreakError(
                f"backup {path}", f"it cannot be read: {error}", "Take another one."
            ) from error

    def _feed(self, server: Server, identity: Mapping[str, Any], backup: Backup, stream: _Digest) -> None:
        access = replace(access_to(server, identity["side"]), writes=True)
        rows = Rows()
        with observe.beside(server, identity["database"]) as session:
            major = session.version // MAJOR
        program, arguments, source = _command(backup, stream, rows)
        if program == "psql":
            _restrictable(access, major)
        settings = {name: "0" for release, name in LIMITS if major >= release}
        settings.update(default_transaction_read_only="off")
        ran = run_program(access, program, arguments, self._seconds, source, None, major, settings)
        stream.drain()
        if not ran.ok:
            raise FirebreakError(
                f"database {identity['side']}", f"{program} failed: {ran.complaint}", _cure(ran.complaint)
            )
        if stream.sha256 != identity["sha256"]:
            raise changed(backup.path, "it is no longer the backup that was verified")
        if backup.kind not in (CUSTOM, CUSTOM_GZ):
            self._report.rows, self._report.counted = rows.of, rows.complete

    def _removed(self, server: Server, identity: Mapping[str, Any]) -> str:
        side = identity["side"]
        try:
            # What loads it may still be there for a moment.
            _drop(server, identity["database"], side, " WITH (FORCE)")
        except FirebreakError as error:
            return f"AND the copy {side} could not be dropped: {error.problem}"
        return f"the copy {side} was dropped, and nothing else was touched"

    def _own(self, server: Server, identity: Mapping[str, Any]) -> Mark:
        """The mark of the copy that is being made."""
        seen = observe.observe(server, identity["database"], "")
        found = next((one for one in seen.others if one.name == identity["side"]), None)
        if found is None:
            raise changed(identity["side"], "it is gone")
        return belongs(found, identity)

    def _live_counts(self, server: Server, name: str) -> tables.Counts:
        """Nothing where it cannot be read, which may be why it is to be replaced."""
        try:
            with _inside(server, name, LIVE_SECONDS) as session:
                return tables.count(session, Deadline(LIVE_SECONDS), self._report.rows)
        except FirebreakError:
            return {}


class _Digest:
    """What is read of a file is what is counted for its sha256."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash = file, hashlib.sha256()

    def read(self, size: int = CHUNK) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def drain(self) -> None:
        """pg_restore leaves alone what comes after the last of its data."""
        while self.read():
            pass

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def _restrictable(access: Access, major: int) -> None:
    """A script can have psql start any program, unless psql is told not to. Raises `Refused`."""
    said = io.BytesIO()
    run_program(access, "psql", ["--help=commands"], HELP_SECONDS, sink=said, major=major)
    if b"\\restrict" not in said.getvalue():
        raise Refused(
            access,
            "psql is too old to be kept from starting the programs that a plain dump may name",
            "Update it: 13.22, 14.19, 15.14, 16.10, 17.6 and later can be. Or name a dump in custom format.",
        )


def _command(backup: Backup, stream: _Digest, rows: Rows) -> tuple[str, list[str], Any]:
    """What loads it, its arguments, and what that is fed. The database comes by the environment."""
    unpacked: Any = stream
    if backup.kind in (CUSTOM_GZ, SQL_GZ):
        unpacked = gzip.GzipFile(fileobj=stream, mode="rb")  # type: ignore[call-overload]
    if backup.kind in (CUSTOM, CUSTOM_GZ):
        return "pg_restore", ["--exit-on-error", "--no-password", "-d", ""], unpacked
    return "psql", ["-X", "-q", "-w", "-v", "ON_ERROR_STOP=1", "-f", "-"], Guarded(unpacked, rows)


def _cure(complaint: str) -> str:
    if "role" in complaint and "does not exist" in complaint:
        return "Create the role (roles are in no dump of one database), then repeat."
    if "unrecognized configuration parameter" in complaint:
        return "Newer programs made this of the dump: install the client package of the server's release."
    return "Mend the cause, or name an older backup."


def _inside(server: Server, database: str, seconds: float) -> Connection:
    access: Access = replace(access_to(server, database), writes=True)
    return connect(access, Deadline(seconds).remaining)


def _locale(found: Mapping[str, Any]) -> str:
    """pg_database calls it daticulocale in 15 and 16, datlocale from 17 on; before 15 there is libc only."""
    words = "ENCODING %(encoding)s LC_COLLATE %(collate)s LC_CTYPE %(ctype)s"
    provider = found.get("datlocprovider", "c")
    if provider == "i":
        words += " LOCALE_PROVIDER icu ICU_LOCALE %(locale)s"
        words += " ICU_RULES %(rules)s" if found.get("daticurules") else ""
    elif provider == "b":
        words += " LOCALE_PROVIDER builtin BUILTIN_LOCALE %(locale)s"
    return words


def _locale_values(found: Mapping[str, Any]) -> dict[str, Any]:
    values = {
        "encoding": found["encoding"],
        "collate": found["datcollate"],
        "ctype": found["datctype"],
        "locale": found.get("datlocale") or found.get("daticulocale"),
        "rules": found.get("daticurules"),
    }
    return {name: value for name, value in values.items() if value is not None}


def _set_mark(session: Connection, database: str, mark: Mark) -> None:
    session.execute(f"ALTER DATABASE {identifier(database)} SET {MARK} TO %(mark)s", {"mark": str(mark)})


def _drop(server: Server, name: str, side: str, how: str = "") -> None:
    with observe.beside(server, name, CREATE_SECONDS) as session:
        session.execute(f"DROP DATABASE {identifier(side)}{how}", timeout=CREATE_SECONDS)
