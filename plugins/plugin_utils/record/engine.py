# SPDX-License-Identifier: GPL-3.0-or-later
"""From the URL of a record to the database it names, with a bound to everything that is waited for."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable

from .tables import HAS_SQLALCHEMY

if HAS_SQLALCHEMY:
    from sqlalchemy import Connection, Engine, create_engine, event
    from sqlalchemy.engine import URL, make_url
    from sqlalchemy.exc import ArgumentError

# How long to wait for others who write, and for a server to answer.
BUSY_SECONDS = 30
CONNECT_SECONDS = 5
# Whoever falls silent in the middle of writing must not hold an incident for longer than others wait for it.
IDLE_SECONDS = 15
SQLITE, POSTGRESQL = "sqlite", "postgresql"
# Who only reads waits for nobody.
READS = "firebreak_reads"
_EXAMPLES = "Write sqlite:////var/lib/firebreak/incidents.db or postgresql://user@host/database."


def engine_of(url: str) -> Engine:
    """Raises `BadInput` for what is no URL of a supported database, without what may be a password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise BadInput("incident record", "its URL cannot be read", _EXAMPLES) from error
    if "@" in f"{parsed.host}{parsed.database}" or "\0" in f"{url}{parsed.password}":
        raise BadInput(
            "incident record",
            "its URL cannot be read: a character of its password must be encoded",
            "Write %40 for @, %2F for /, %3A for : and %25 for %.",
        )
    kind = parsed.drivername
    if kind in (SQLITE, f"{SQLITE}+pysqlite") and _names_file(parsed.database):
        return _sqlite(parsed)
    if kind in (POSTGRESQL, f"{POSTGRESQL}+psycopg2"):
        return _postgresql(parsed)
    raise BadInput("incident record", f"{kind}: is no record that is supported", _EXAMPLES)


def _postgresql(url: URL) -> Engine:
    limits = {"lock_timeout": BUSY_SECONDS, "idle_in_transaction_session_timeout": IDLE_SECONDS}
    options = " ".join(f"-c {name}={seconds}s" for name, seconds in limits.items())
    try:
        return create_engine(
            url.set(drivername=f"{POSTGRESQL}+psycopg2"),
            # Who waited for another one that writes must see what that one wrote.
            isolation_level="READ COMMITTED",
            connect_args={"connect_timeout": CONNECT_SECONDS, "options": options},
        )
    except ImportError as error:
        raise Unreachable(
            "incident record", "psycopg2 is not installed here", "pip install psycopg2-binary"
        ) from error


def _names_file(database: str | None) -> bool:
    """Not what is forgotten when the process ends."""
    return bool(database) and not str(database).startswith((":memory:", "file:"))


def _sqlite(url: URL) -> Engine:
    path = Path(str(url.database)).expanduser()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            # It may tell of a breach, whoever else may read the directory.
            path.touch(mode=0o600)
    except OSError as error:
        raise Unreachable(f"file {path}", str(error.strerror), "Name another place.") from error
    engine = create_engine(url.set(database=str(path)), connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # The library begins transactions where it thinks fit; ours begin with the lock.
        connection.isolation_level = None
        with suppress(sqlite3.OperationalError):
            # Another one may do the same at this moment. Without it who reads waits for who writes.
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _lock(connection: Connection) -> None:
        reads = connection.get_execution_options().get(READS)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine
