# SPDX-License-Identifier: GPL-3.0-or-later
"""A checked copy takes the place of the database in use, and gives it back; that one is kept either way."""

from __future__ import annotations

import contextlib
import signal
import time
from dataclasses import replace
from datetime import datetime
from typing import Any, Callable, Iterator, Mapping

from ...clients.postgres_session import Failed, identifier
from ...clients.postgres_session import Session as Connection
from ...deadlines import Deadline
from ...errors import FirebreakError, IdentityChanged
from ...moments import iso
from ..entry import WayIn
from ..server import Server
from ..sessions.act import terminate
from ..sessions.protection import OURSELVES, Protection
from . import exchange, observe
from .model import Database, Snapshot, before_name, belongs, changed
from .obstacles import ends_itself, in_the_way

# For the sessions of the database that is in use to be gone.
EMPTY_SECONDS, PAUSE = 20.0, 0.1
SECONDS = 120.0
SIGNALS = (signal.SIGHUP, signal.SIGTERM)


class Swaps:
    def __init__(self, way: WayIn, clock: Callable[[], datetime]) -> None:
        self._way, self._clock = way, clock

    def swap(self, identity: Mapping[str, Any]) -> None:
        server, name = self._way(identity), identity["database"]
        seen = observe.observe(server, name, iso(self._clock()))
        side = next((one for one in seen.others if one.name == identity["side"]), None)
        live = seen.live
        if live is None or live.database.oid != identity["oid"]:
            raise changed(name, "it is no longer the one that was looked at")
        if side is None:
            raise changed(identity["side"], "it is gone")
        mark = belongs(side, identity)
        if not mark.checked:
            raise changed(side.name, "it has not been checked")
        kept_as = before_name(name, self._clock(), [one.name for one in seen.others])
        done = replace(mark, swapped=iso(self._clock()), replaced=live.database.oid)
        with self._closed(server, seen, live.database, identity) as session:
            exchange.put_in_place(session, live.database, side, kept_as, done)

    def swap_back(self, identity: Mapping[str, Any]) -> None:
        """The database that was in use is again; what was written since stays in the copy, beside it."""
        server, name = self._way(identity), identity["database"]
        seen = observe.observe(server, name, iso(self._clock()))
        current = seen.live.database if seen.live else None
        if current and current.oid == identity["oid"]:
            # A swap that was cut off before it was done.
            if not current.connectable:
                with observe.beside(server, name) as session:
                    _let_in(session, name)
            return
        old = next((one for one in seen.others if one.oid == identity["oid"]), None)
        if old is None:
            raise changed(name, f"the database that was in use before (oid {identity['oid']}) is gone")
        if current is None or current.mark is None or current.mark.replaced != old.oid:
            raise changed(name, "it is no longer the copy that was put in its place")
        belongs(current, identity)
        taken = {one.name for one in seen.others}
        copy_name = (
            identity["side"] if identity["side"] not in taken else before_name(name, self._clock(), taken)
        )
        with self._closed(server, seen, current, identity) as session:
            exchange.put_back(session, current, copy_name, old)

    @contextlib.contextmanager
    def _closed(
        self, server: Server, seen: Snapshot, database: Database, identity: Mapping[str, Any]
    ) -> Iterator[Connection]:
        """A session beside a database that nobody is in; when what is done then fails, it is open again."""
        protection = Protection(identity["application_is_superuser"], identity["application_user"])
        obstacles = in_the_way(seen, protection)
        if obstacles:
            raise changed(database.name, obstacles[0], "Nothing was done; wait for it or end it by hand.")
        with observe.beside(server, database.name, SECONDS) as session, _not_cut_off():
            try:
                session.execute(f"ALTER DATABASE {identifier(database.name)} ALLOW_CONNECTIONS false")
                self._empty(server, session, database.name, protection)
                yield session
            except BaseException as error:
                self._open_again(server, database.name, error)
                if isinstance(error, Failed) and error.code == exchange.CHANGED:
                    raise changed(database.name, error.problem) from error
                raise

    def _empty(self, server: Server, session: Connection, name: str, protection: Protection) -> None:
        deadline = Deadline(EMPTY_SECONDS)
        while True:
            seen = observe.observe(server, name, "")
            present = [one for one in (seen.live.sessions if seen.live else ()) if not ends_itself(one)]
            if not present:
                return
            for one in present:
                because = protection.why_not(one) if one.application != OURSELVES else None
                if because:
                    raise changed(
                        name, f"{one.target} has come in: {because}", "Nothing was changed; try again."
                    )
                if one.application != OURSELVES:
                    # One that has gone by itself is as good.
                    with contextlib.suppress(IdentityChanged):
                        terminate(session, one.identity(in_this_state=False))
            if deadline.over:
                who = ", ".join(one.target for one in present[:3])
                raise FirebreakError(f"database {name}", f"its sessions do not end: {who}", "Look at them.")
            time.sleep(PAUSE)

    def _open_again(self, server: Server, name: str, error: BaseException) -> None:
        try:
            with observe.beside(server, name) as session:
                _let_in(session, name)
        except FirebreakError as late:
            raise FirebreakError(
                f"database {name}",
                f"{error}; AND NOBODY CAN CONNECT TO IT, for that could not be taken back ({late.problem})",
                f"ALTER DATABASE {identifier(name)} ALLOW_CONNECTIONS true.",
            ) from error


@contextlib.contextmanager
def _not_cut_off() -> Iterator[None]:
    """A lost connection or a stopped host ends a process by a signal: that must not leave a database closed.

    What was begun is taken back first, or has just been done.
    """

    def stop(number: int, _frame: object) -> None:
        raise FirebreakError("swap", f"it was ended by signal {number}", "Repeat it.")

    before = {each: signal.signal(each, stop) for each in SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _let_in(session: Connection, database: str) -> None:
    session.execute(f"ALTER DATABASE {identifier(database)} ALLOW_CONNECTIONS true")
