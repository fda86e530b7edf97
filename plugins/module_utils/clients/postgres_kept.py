# SPDX-License-Identifier: GPL-3.0-or-later
"""A session for many statements: psql, where it is psql, is started once for all of them.

Inside a container it is started for each, for the engine tells nobody how far a program has read.
"""

from __future__ import annotations

import secrets
from typing import Mapping, Sequence

from .command import Completed
from .conversation import Conversation
from .postgres import connect
from .postgres_psql import QUIT, PsqlSession
from .postgres_session import Access, Remaining, Session


def connect_for_many(access: Access, remaining: Remaining) -> Session:
    """As `connect`; the connection it keeps is seen by whoever counts them. Raises `Refused`."""
    session = connect(access, remaining)
    if isinstance(session, PsqlSession) and access.container is None:
        return KeptSession(access, remaining)
    return session


class KeptSession(PsqlSession):
    """psql ends with the first statement that fails, and is started again for the next."""

    def __init__(self, access: Access, remaining: Remaining) -> None:
        super().__init__(access, remaining)
        self._psql: Conversation | None = None
        self._options: Sequence[str] = ()
        self._mark = f"firebreak {secrets.token_hex(16)}"

    def close(self) -> None:
        if self._psql is not None:
            self._psql.close()
            self._psql = None

    def _here(self, stdin: str, env: Mapping[str, str], seconds: float) -> Completed:
        wanted = env["PGOPTIONS"].split()[1::2]
        if self._psql is None:
            self._psql, self._options = Conversation(self._command(), env), wanted
        assignments = (option.split("=", 1) for option in wanted if option not in self._options)
        changed = "".join(f"SET {name} TO '{value}';\n" for name, value in assignments)
        # A query, not \\echo: only after a query does psql empty its buffer.
        text = f"{changed}{stdin[: -len(QUIT)]}SELECT '{self._mark}';\n"
        psql, self._psql = self._psql, None
        done = psql.ask(text, self._mark, seconds)
        if done.code or done.truncated:
            psql.close()
        else:
            self._psql, self._options = psql, wanted
        return done
