# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets what a database's sessions begin with, and ends those that began otherwise."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from ...clients.postgres import Access, connect, identifier
from ...clients.postgres import Session as Connection
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
                _set(connection, identity, NAME, "on")
                # From this moment on, and not from before: whoever began in between is ended.
                _set(connection, identity, MARK, str(connection.row(f"SELECT {NOW} AS now")["now"]))
        self._failed = False

    def open(self, identity: Mapping[str, Any]) -> None:
        """Puts back what was set before. Who is there and began read-only is ended, so that it comes back."""
        open_value = identity["open"]
        with enter(self._way_in(identity), ENDING_SECONDS, connect=self._connect) as connection:
            row = _found(connection, identity)
            if is_on(open_value):
                # Somebody had set it before us, so it stays.
                _set(connection, identity, MARK, None)
                return
            if own(row) == open_value or not (own(row) is None or is_on(own(row))):
                return
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
