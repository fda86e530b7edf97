# SPDX-License-Identifier: GPL-3.0-or-later
"""What both ways to a PostgreSQL server share: where it is, what a session does, what can go wrong."""

from __future__ import annotations

import json
import math
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Callable, Mapping, Sequence

from ..errors import BadInput, FirebreakError, Unreachable

SOCKETS = "/var/run/postgresql"
PORT = 5432
CONNECT_SECONDS, STATEMENT_SECONDS, LOCK_SECONDS = 5.0, 5.0, 2.0
ROWS = 10_000

Row = Mapping[str, Any]
Remaining = Callable[[], float]
NONE: Mapping[str, Any] = MappingProxyType({})

# Why a server let nobody in.
PASSWORD, ROLE, DATABASE, RULE, PEER = "password", "role", "database", "rule", "peer"
FULL, STOPPED, STARTING, SILENT, LOST, OTHER = "full", "stopped", "starting", "silent", "lost", "other"
# The server itself is at fault, whoever asks.
DOWN = (STOPPED, STARTING, SILENT, LOST)

# What libpq and the server say; the first that matches counts.
_REFUSALS: Sequence[tuple[str, str, str]] = (
    (r"password authentication failed", PASSWORD, "See its password in the inventory, and who changed it."),
    (r"no password supplied|password.* required", PASSWORD, "Give its password in the inventory."),
    (r"(peer|ident) authentication failed", PEER, "Run as root (become: true), or give host and password."),
    (r"no pg_hba\.conf entry|pg_hba\.conf rejects", RULE, "See pg_hba.conf and pg_hba_file_rules."),
    (
        r"too many clients",
        FULL,
        "Nobody gets in, no superuser either: stop for a moment the application that holds them, or end the "
        "session that is there longest, as root: pkill -o -f '^postgres: .* idle' (never with -9). "
        "Then repeat.",
    ),
    (
        r"connection slots are reserved",
        FULL,
        "A superuser still gets in: end idle sessions as one (user in firebreak_postgres).",
    ),
    (r"too many connections for", FULL, "End its idle sessions, or raise its CONNECTION LIMIT."),
    (r"role .* does not exist", ROLE, "See firebreak_postgres: user, application_user."),
    (r"role .* is not permitted to log in", ROLE, "ALTER ROLE … LOGIN."),
    (r"database .* does not exist", DATABASE, "See firebreak_postgres: database."),
    (r"not currently accepting connections|permission denied for database", DATABASE, "See its privileges."),
    (r"the database system is ", STARTING, "See the server's log for how far it is."),
    (r"connection refused|no such file or directory", STOPPED, "See its log."),
    (r"timeout expired|timed out", SILENT, "See whether it is stopped, overloaded or behind a firewall."),
    (r"server closed the connection|terminating connection|connection reset", LOST, "See the server's log."),
    (r"permission denied", OTHER, "Run as root (become: true)."),
)
_CURES: Mapping[str, str] = {
    "57014": "It took too long or was cancelled; see what it waits for.",
    "55P03": "Somebody holds the lock; see who blocks whom.",
    "42501": "The role needs the privilege; a superuser has it.",
    "53100": "Free disk space first.",
    "25006": "The server or the session is read-only.",
}


@dataclass(frozen=True)
class Access:
    """One way in: who, to which database, from where.

    `host` is a name, an address, or the directory of the server's socket. With `container` the client is
    started inside that container, by its name, and `host` is as seen from there. `writes` is for whoever must
    change a database that is set read-only by default.
    """

    user: str = "postgres"
    database: str = "postgres"
    host: str = SOCKETS
    port: int = PORT
    password: str | None = field(default=None, repr=False)
    container: str | None = None
    writes: bool = False

    @property
    def over_socket(self) -> bool:
        return self.host.startswith("/")

    def __str__(self) -> str:
        where = self.host if self.over_socket else f"{self.host}:{self.port}"
        inside = f" in container {self.container}" if self.container else ""
        return f"postgresql {self.database} as {self.user} on {where}{inside}"


class Refused(Unreachable):
    """No session: `reason` is one of the words above."""

    def __init__(self, access: Access, problem: str, cure: str, reason: str = OTHER) -> None:
        super().__init__(str(access), problem, cure)
        self.reason = reason


class Failed(FirebreakError):
    """The server refused a statement: `code` is its SQLSTATE."""

    def __init__(self, access: Access, problem: str, code: str) -> None:
        super().__init__(str(access), problem, _CURES.get(code, f"Its error code is {code}."))
        self.code = code


class Session(ABC):
    """Statements to one server, each in a transaction of its own: nothing set in one lasts for the next.

    Parameters are written `%(name)s` and given by name: None, bool, int, float, str, datetime, or a list of
    one of these. Every other percent sign is doubled. Names of tables and roles: `identifier`.
    A statement ends without a semicolon. `timeout` and `lock_timeout` are in seconds.
    Raises `Refused` when there is no session (the first statement may be what notices), else `Failed`.
    """

    def __init__(self, access: Access, remaining: Remaining) -> None:
        self.access, self._remaining = access, remaining
        self._version: int | None = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def version(self) -> int:
        """As server_version_num: 150006 is 15.6."""
        if self._version is None:
            self._version = int(self.row("SELECT current_setting('server_version_num')::int AS v")["v"])
        return self._version

    def rows(
        self,
        query: str,
        params: Mapping[str, Any] = NONE,
        timeout: float = STATEMENT_SECONDS,
        limit: int = ROWS,
    ) -> list[Row]:
        """The rows of a query that can stand in FROM (…), columns by name.

        Numbers, booleans, text, None, arrays as lists, json as it is; times as ISO 8601 text in UTC with
        microseconds, fit to be given back as a parameter. More than `limit` rows raise `Unreachable`.
        """
        # A line break in JSON is never part of a text; json_agg puts one between its elements. The alias
        # must be the name of no column, which would be taken instead of the row.
        line = "translate(row_to_json(firebreak_row)::text, E'\\n\\r', '  ')"
        wrapped = f"SELECT {line} FROM (\n{query}\n) firebreak_row LIMIT {limit + 1}"
        lines = self._lines(wrapped, params, timeout, LOCK_SECONDS)
        if len(lines) > limit:
            raise Unreachable(str(self.access), f"the answer has more than {limit} rows", "Ask for less.")
        return [json.loads(line) for line in lines]

    def row(self, query: str, params: Mapping[str, Any] = NONE, timeout: float = STATEMENT_SECONDS) -> Row:
        """The one row of a query that always has one."""
        return self.rows(query, params, timeout, limit=1)[0]

    def execute(
        self,
        statement: str,
        params: Mapping[str, Any] = NONE,
        timeout: float = STATEMENT_SECONDS,
        lock_timeout: float = LOCK_SECONDS,
    ) -> None:
        """Any single statement, outside a transaction block: ALTER ROLE, REINDEX CONCURRENTLY, VACUUM, …"""
        self._lines(statement, params, timeout, lock_timeout)

    @abstractmethod
    def close(self) -> None:
        """End the session."""

    @abstractmethod
    def _lines(
        self, statement: str, params: Mapping[str, Any], timeout: float, lock_timeout: float
    ) -> list[str]:
        """The first column of every row, as text."""


def identifier(*parts: str) -> str:
    """A name in double quotes, qualified when there are several parts; for use in a statement."""
    for part in parts:
        if not part or "\0" in part:
            raise BadInput(f"name {part!r}", "PostgreSQL has no such name", "Give the name as it is.")
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts).replace("%", "%%")


def checked(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters, or `BadInput` for one that would not mean the same both ways."""
    for name, value in params.items():
        for item in value if isinstance(value, list) else (value,):
            if item is None or isinstance(item, (bool, int, datetime)):
                continue
            if isinstance(item, float) and math.isfinite(item):
                continue
            if not isinstance(item, str):
                raise BadInput(f"parameter {name}", f"a {type(item).__name__} is not taken", "Give text.")
            if "\0" in item or not _encodable(item):
                raise BadInput(f"parameter {name}", "it holds what is no text", "PostgreSQL takes UTF-8.")
    return params


def settings(access: Access, timeout: float, lock_timeout: float) -> Mapping[str, str]:
    """What a session begins with. Compiling costs more than these queries."""
    return {
        **({"default_transaction_read_only": "off"} if access.writes else {}),
        "statement_timeout": str(max(1, round(timeout * 1000))),
        "lock_timeout": str(max(1, round(lock_timeout * 1000))),
        "timezone": "UTC",
        "client_min_messages": "error",
        "jit": "off",
    }


def as_options(chosen: Mapping[str, str]) -> str:
    """As PGOPTIONS."""
    return " ".join(f"-c {name}={value}" for name, value in chosen.items())


def refusal(access: Access, said: str) -> Refused:
    """What libpq said when it got no session, translated."""
    for pattern, reason, cure in _REFUSALS:
        found = re.search(pattern, said, re.IGNORECASE)
        if found:
            line = next(line for line in said.splitlines() if found.group() in line)
            return Refused(access, _bare(line), cure, reason)
    lines = [line for line in said.splitlines() if line.strip()]
    return Refused(access, _bare(lines[0]) if lines else "it said nothing", "See the server's log.")


def silence(access: Access, seconds: float) -> Refused:
    return Refused(
        access, f"no answer within {seconds:.1f} s", "See whether it is stopped or overloaded.", SILENT
    )


def _bare(line: str) -> str:
    """`psql: error: connection to server … failed: FATAL:  x` says x."""
    said = re.sub(r"^psql: (?:error: )?", "", line.strip())
    said = re.sub(r"^(?:connection to server .*? failed|could not connect to server): ", "", said)
    return re.sub(r"^[A-Z]+:\s+", "", said)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
