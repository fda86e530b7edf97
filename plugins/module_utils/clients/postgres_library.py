# SPDX-License-Identifier: GPL-3.0-or-later
"""A session through psycopg2, with a deadline that holds even when the server stops answering."""

from __future__ import annotations

import importlib
import select
import time
from typing import Any, Mapping

from ..errors import Unreachable
from .command import OUTPUT_BUDGET
from .postgres_session import (
    CONNECT_SECONDS,
    LOCK_SECONDS,
    STATEMENT_SECONDS,
    Access,
    Failed,
    Remaining,
    Session,
    as_options,
    checked,
    refusal,
    settings,
    silence,
)

BATCH = 500


def library() -> Any:
    """psycopg2, or None where it cannot be imported."""
    try:
        return importlib.import_module("psycopg2")
    except (ImportError, OSError):
        return None


class LibrarySession(Session):
    """One connection in psycopg2's asynchronous mode: it polls, so that the waiting is ours."""

    def __init__(self, access: Access, remaining: Remaining, psycopg2: Any = None) -> None:
        super().__init__(access, remaining)
        self._psycopg2 = psycopg2 or library()
        self._timeouts = (STATEMENT_SECONDS, LOCK_SECONDS)
        try:
            self._connection = self._psycopg2.connect(
                host=access.host,
                port=access.port,
                user=access.user,
                dbname=access.database,
                password=access.password,
                application_name="firebreak",
                client_encoding="UTF8",
                options=as_options(settings(access, *self._timeouts)),
                async_=1,
            )
            self._wait(min(remaining(), CONNECT_SECONDS))
        except self._psycopg2.Error as error:
            raise refusal(access, str(error)) from error

    def close(self) -> None:
        self._connection.close()

    def _lines(
        self, statement: str, params: Mapping[str, Any], timeout: float, lock_timeout: float
    ) -> list[str]:
        seconds = min(timeout, self._remaining())
        try:
            if (seconds, lock_timeout) != self._timeouts:
                wanted = settings(self.access, seconds, lock_timeout)
                for name in ("statement_timeout", "lock_timeout"):
                    self._send(f"SET {name} = {wanted[name]}", {}, seconds)
                self._timeouts = (seconds, lock_timeout)
            return self._fetched(self._send(statement, checked(params), seconds + 1))
        except self._psycopg2.Error as error:
            if not error.pgcode or error.pgcode.startswith("57P") or self._connection.closed:
                raise refusal(self.access, str(error)) from error
            raise Failed(self.access, error.diag.message_primary, error.pgcode) from error

    def _send(self, statement: str, params: Mapping[str, Any], seconds: float) -> Any:
        cursor = self._connection.cursor()
        cursor.execute(statement, params)
        self._wait(seconds)
        return cursor

    def _fetched(self, cursor: Any) -> list[str]:
        lines: list[str] = []
        size = 0
        while cursor.description:
            batch = [str(row[0]) for row in cursor.fetchmany(BATCH)]
            size += sum(map(len, batch))
            if size > OUTPUT_BUDGET:
                raise Unreachable(
                    str(self.access), f"the answer has more than {OUTPUT_BUDGET} bytes", "Ask for less."
                )
            if not batch:
                break
            lines += batch
        return lines

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        states = self._psycopg2.extensions
        while True:
            state = self._connection.poll()
            if state == states.POLL_OK:
                return
            # Made anew each time: libpq may have opened another socket.
            watched = select.poll()
            watched.register(
                self._connection.fileno(), select.POLLIN if state == states.POLL_READ else select.POLLOUT
            )
            if not watched.poll(max(0.0, end - time.monotonic()) * 1000):
                self._connection.close()
                raise silence(self.access, seconds)
