# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets what a database's sessions begin with, and ends those that began otherwise."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from ...clients.postgres import Access, Refused, connect, identifier
from ...clients.postgres import Session as Connection
from ...clients.postgres_session import DATABASE
from ...errors import FirebreakError, IdentityChanged
from ...lifecycle import Performer
from ..entry import SECONDS, WayIn, enter
from ..sessions.act import terminate
from ..sessions.protection import Protection
from ..sessions.session import Session
from .observe import MARK, NAME, NOW, look, marked, own
from .view import fences, is_on

# For ending all sessions of a database, one after the other.
ENDING_SECONDS = 120.0
# Where one gets in when the database that was entered before is no more.
MAINTENANCE = "postgres"

_WHO = """SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system,
  (SELECT datname FROM pg_database WHERE oid = %(oid)s::bigint::oid) AS name,
  EXISTS (SELECT FROM pg_database WHERE datname = %(name)s) AS taken"""

Connect = Callable[[Access, Callable[[], float]], Connection]


def performers(way_in: WayIn, connect: Connect = connect) -> Mapping[str, Performer]:
    fence = _Fence(way_in, connect)
    return {
        "postgres.write_access.read_only": fence.close,
        "postgres.write_access.read_write": fence.open,
        "postgres.terminate": fence.end,
    }


class _Fence:
    def __init__(self, way_in: WayIn, connect: Connect) -> None:
        self._way_in, self._connect = way_in, connect
        self._failed = False

    def close(self, identity: Mapping[str, Any]) -> None:
        self._failed = True
        with enter(self._way_in(identity), SECONDS, connect=self._connect) as connection:
            row = _found(connection, identity)
            if not (is_on(own(row)) and marked(row)):
                if own(row) != identity["open"]:
                    raise _changed(identity, f"{NAME} is {own(row) or 'not set'} for it by now")
                # Left behind by whoever set it back by hand, it would vouch for sessions that write.
                if own(row, MARK) is not None:
                    _set(connection, identity, MARK, None)
                _set(connection, identity, NAME, "on")
                # From this moment on, and not from before: whoever began in between is ended.
                _set(connection, identity, MARK, str(connection.row(f"SELECT {NOW} AS now")["now"]))
        self._failed = False

    def open(self, identity: Mapping[str, Any]) -> None:
        """Puts back what was set before. Who is there and began read-only is ended, so that it comes back.

        With a database that was dropped its setting has gone too.
        """
        try:
            self._open(identity)
        except Refused as error:
            if error.reason != DATABASE:
                raise
            self._open(identity, MAINTENANCE)

    def _open(self, identity: Mapping[str, Any], inside: str | None = None) -> None:
        open_value = identity["open"]
        server = self._way_in(identity)
        with enter(server, ENDING_SECONDS, inside, connect=self._connect) as connection:
            row = _closed(connection, identity)
            if row is None:
                return
            if is_on(open_value):
                # Somebody had set it before us, so it stays.
                _set(connection, identity, MARK, None)
                return
            by_hand = own(row) == open_value or not (own(row) is None or is_on(own(row)))
            if by_hand and marked(row) is None:
                return
            if not by_hand:
                _set(connection, identity, NAME, open_value)
            _set(connection, identity, MARK, None)
            until = str(connection.row(f"SELECT {NOW} AS now")["now"])
            since = marked(row) or ""
            _end_those_of(connection, identity, lambda began: since <= began < until)

    def end(self, identity: Mapping[str, Any]) -> None:
        if self._failed:
            raise IdentityChanged(
                f"pid {identity['pid']}", "the database could not be set read-only, so it was left", ""
            )
        with enter(self._way_in(identity), SECONDS, connect=self._connect) as connection:
            terminate(connection, {name: identity[name] for name in ("pid", "backend_start")})


def _end_those_of(
    connection: Connection, identity: Mapping[str, Any], is_meant: Callable[[str], bool]
) -> None:
    user = identity["application_user"]
    protection = Protection(identity["application_is_superuser"], user)
    left: list[str] = []
    for row in look(connection, identity["name"])["sessions"]:
        session = Session.of(row)
        if not is_meant(row["began"]) or not fences(session, user):
            continue
        because = protection.why_not(session)
        if because is None:
            because = _ended(connection, session)
        if because is not None:
            left.append(f"pid {session.pid} of {session.user} ({because})")
    if left:
        raise FirebreakError(
            f"database {identity['name']}",
            f"new sessions may write again; left alone, and read-only until they connect again, are "
            f"{'; '.join(left)}",
            "Restart what holds them.",
        )


def _ended(connection: Connection, session: Session) -> str | None:
    """Why it is still there, or None."""
    try:
        terminate(connection, session.identity(in_this_state=False))
    except IdentityChanged:
        return None
    except FirebreakError as error:
        return error.problem
    return None


def _closed(connection: Connection, identity: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The row of the database that was closed, or of the one that has its name and its settings since a
    restore; None when it was dropped.

    Raises `IdentityChanged` when it has another name by now, or the server is another one.
    """
    who = connection.row(_WHO, {"oid": identity["oid"], "name": identity["name"]})
    if who["system"] != identity["system"]:
        raise _changed(identity, "another server is there by now")
    if who["name"] == identity["name"]:
        return _found(connection, identity)
    row = look(connection, identity["name"]) if who["taken"] else None
    if row and is_on(own(row)) and marked(row):
        return row
    if who["name"] is None:
        return None
    raise IdentityChanged(
        f"database {identity['name']}",
        f"it is called {who['name']} by now, and is left as it is",
        f"If that one is to be written to: ALTER DATABASE … RESET {NAME}.",
    )


def _found(connection: Connection, identity: Mapping[str, Any]) -> Mapping[str, Any]:
    row = look(connection, identity["name"])
    if (row["oid"], row["system"]) != (identity["oid"], identity["system"]):
        raise _changed(identity, "it is another database than the one of that name before")
    return row


def _set(connection: Connection, identity: Mapping[str, Any], name: str, value: str | None) -> None:
    alter = f"ALTER DATABASE {identifier(identity['name'])}"
    if value is None:
        connection.execute(f"{alter} RESET {name}")
    else:
        connection.execute(f"{alter} SET {name} = %(value)s", {"value": value})


def _changed(identity: Mapping[str, Any], problem: str) -> IdentityChanged:
    return IdentityChanged(f"database {identity['name']}", problem, "Look again.")
