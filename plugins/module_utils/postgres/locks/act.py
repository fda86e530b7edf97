# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends who blocks others, if it still does, and resolves prepared transactions."""

from __future__ import annotations

import time
from typing import Any, Mapping

from ...clients.postgres_session import Failed
from ...clients.postgres_session import Session as Connection
from ...errors import FirebreakError, IdentityChanged
from ...lifecycle import Performer
from ..entry import enter
from ..server import Server
from ..sessions import act as sessions

SECONDS = 10.0
# A cancelled statement has so long to let go of its locks.
MOMENT = 2.0
PAUSE = 0.1
GONE = "42704"

_BLOCKS = """SELECT EXISTS (
  SELECT FROM pg_locks WHERE NOT granted AND %(pid)s = ANY (pg_blocking_pids(pid))
) AND NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid = %(pid)s) AS blocks"""
_THERE = """SELECT EXISTS (
  SELECT FROM pg_prepared_xacts WHERE gid = %(gid)s AND prepared = %(since)s::timestamptz
) AS there"""


def performers(connection: Connection, server: Server) -> Mapping[str, Performer]:
    """For what `decide` plans."""

    def cancel(identity: Mapping[str, Any]) -> None:
        _must_block(connection, identity)
        sessions.cancel(connection, identity)

    def terminate(identity: Mapping[str, Any]) -> None:
        _must_block(connection, identity)
        sessions.terminate(connection, identity)

    def cancel_or_terminate(identity: Mapping[str, Any]) -> None:
        _must_block(connection, identity)
        if not _cancelled(connection, identity):
            sessions.terminate(connection, identity)

    def roll_back(identity: Mapping[str, Any]) -> None:
        _resolve(server, "ROLLBACK PREPARED", identity)

    def commit(identity: Mapping[str, Any]) -> None:
        _resolve(server, "COMMIT PREPARED", identity)

    return {
        "postgres.cancel": cancel,
        "postgres.terminate": terminate,
        "postgres.cancel_or_terminate": cancel_or_terminate,
        "postgres.prepared.rollback": roll_back,
        "postgres.prepared.commit": commit,
    }


def _must_block(connection: Connection, identity: Mapping[str, Any]) -> None:
    if not _blocks(connection, identity):
        raise IdentityChanged(f"pid {identity['pid']}", "it blocks nobody any more", "Look again.")


def _blocks(connection: Connection, identity: Mapping[str, Any]) -> bool:
    """Whether somebody waits for it and it waits for nobody."""
    return bool(connection.row(_BLOCKS, {"pid": identity["pid"]})["blocks"])


def _cancelled(connection: Connection, identity: Mapping[str, Any]) -> bool:
    """Whether it lets go once its statement is cancelled. One that has a savepoint, or sends the next
    statement at once, does not."""
    try:
        sessions.cancel(connection, identity, MOMENT)
    except FirebreakError as error:
        if isinstance(error, Failed):
            raise
    end = time.monotonic() + MOMENT
    while _blocks(connection, identity):
        if time.monotonic() >= end:
            return False
        time.sleep(PAUSE)
    return True


def _resolve(server: Server, statement: str, identity: Mapping[str, Any]) -> None:
    """In its own database, as the server demands."""
    name = f"prepared transaction {identity['gid']}"
    with enter(server, SECONDS, identity["database"]) as connection:
        if not connection.row(_THERE, identity)["there"]:
            raise IdentityChanged(name, "it is there no more", "Look again.")
        try:
            connection.execute(f"{statement} %(gid)s", {"gid": identity["gid"]})
        except Failed as error:
            if error.code != GONE:
                raise
            raise IdentityChanged(name, "it is there no more", "Look again.") from error
