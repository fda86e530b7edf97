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

# Whether somebody waits for the session `pid` and it waits for nobody.
_IN_THE_WAY = """EXISTS (SELECT FROM pg_locks l WHERE NOT l.granted AND {pid} = ANY (pg_blocking_pids(l.pid)))
  AND NOT EXISTS (SELECT FROM pg_locks l WHERE NOT l.granted AND l.pid = {pid})"""
BLOCKS = sessions.Condition(_IN_THE_WAY.format(pid="pg_stat_activity.pid"), "it blocks nobody any more")
_BLOCKS = f"SELECT {_IN_THE_WAY.format(pid='%(pid)s')} AS blocks"
_THERE = """SELECT EXISTS (
  SELECT FROM pg_prepared_xacts WHERE gid = %(gid)s AND prepared = %(since)s::timestamptz
) AS there"""


def performers(connection: Connection, server: Server) -> Mapping[str, Performer]:
    """For what `decide` plans."""

    def cancel(identity: Mapping[str, Any]) -> None:
        sessions.cancel(connection, identity, condition=BLOCKS)

    def terminate(identity: Mapping[str, Any]) -> None:
        sessions.terminate(connection, identity, condition=BLOCKS)

    def cancel_or_terminate(identity: Mapping[str, Any]) -> None:
        _cancel_or_terminate(connection, identity)

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


def _cancel_or_terminate(connection: Connection, identity: Mapping[str, Any]) -> None:
    """One that has a savepoint, or sends the next statement at once, keeps its locks in spite of a cancel."""
    refused: IdentityChanged | None = None
    try:
        sessions.cancel(connection, identity, MOMENT, condition=BLOCKS)
    except Failed:
        raise
    except IdentityChanged as error:
        refused = error
    except FirebreakError:
        # It takes its time to give up its statement.
        pass
    if refused is None and _lets_go(connection, identity):
        return
    try:
        sessions.terminate(connection, identity, condition=BLOCKS)
    except IdentityChanged:
        # After the cancel, that is what was wanted.
        if refused is not None:
            raise


def _lets_go(connection: Connection, identity: Mapping[str, Any]) -> bool:
    end = time.monotonic() + MOMENT
    while connection.row(_BLOCKS, {"pid": identity["pid"]})["blocks"]:
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
