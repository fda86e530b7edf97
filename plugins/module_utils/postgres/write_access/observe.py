# SPDX-License-Identifier: GPL-3.0-or-later
"""How a database's sessions begin, who overrides that, who is in it, and what a new session really may do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Mapping

from ...clients.postgres import Access, Failed, connect
from ...clients.postgres import Session as Connection
from ...deadlines import Deadline
from ...errors import BadInput, Unreachable
from ...moments import parse_iso
from ...quantities import speak_list
from ..entry import enter
from ..look import Look, statement
from ..server import Server
from ..sessions.look import ACTIVITY, SESSION
from ..sessions.session import Session

NAME = "default_transaction_read_only"
# Set beside it, for the server does not say when a setting was made: the first moment at which every new
# session had it. UTC, always as long, so that it sorts as text.
MARK = "firebreak.read_only_since"
_STAMP = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
NOW = f"to_char(clock_timestamp() AT TIME ZONE 'UTC', {_STAMP})"

SECONDS, PROOF_SECONDS = 10.0, 5.0
READ_ONLY, BUSY = "25006", ("55P03", "57014")
# Refused before privileges are looked at, whoever asks; where it is let past, it does nothing at all.
_WRITE = "DELETE FROM pg_catalog.pg_description WHERE false"

Connect = Callable[[Access, Callable[[], float]], Connection]

# A database's own row of settings, those of its roles, those of roles everywhere, and everybody's.
LOOK = Look(
    {
        "system": "(SELECT system_identifier::text FROM pg_control_system())",
        "superuser": "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)",
        "in_recovery": "pg_is_in_recovery()",
        "now": NOW,
        "oid": "(SELECT oid::bigint FROM d)",
        "databases": """(SELECT coalesce(json_agg(datname ORDER BY datname), '[]') FROM pg_database
    WHERE NOT datistemplate)""",
        "settings": f"""(SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT s.setdatabase <> 0 AS here, r.rolname AS role, split_part(c, '=', 1) AS name,
      substr(c, strpos(c, '=') + 1) AS value,
      rolcanlogin AND has_database_privilege(r.oid, d.oid, 'CONNECT') AS enters
    FROM d JOIN pg_db_role_setting s ON s.setdatabase IN (0, d.oid) CROSS JOIN unnest(s.setconfig) c
      LEFT JOIN pg_roles r ON r.oid = s.setrole
    WHERE split_part(c, '=', 1) IN ('{NAME}', '{MARK}')) x)""",
        "sessions": f"""(SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT {SESSION}, to_char(backend_start AT TIME ZONE 'UTC', {_STAMP}) AS began
    FROM a WHERE database = %(database)s AND backend_type = 'client backend'
    ORDER BY backend_start, pid) x)""",
    },
    {**ACTIVITY, "d": "(SELECT oid FROM pg_database WHERE datname = %(database)s)"},
)
# For superusers only, so asked once it is known that we are one.
_DEFAULT = f"""SELECT coalesce((
  SELECT setting FROM pg_file_settings WHERE name = '{NAME}' AND error IS NULL ORDER BY seqno DESC LIMIT 1
), 'off') AS value"""


@dataclass(frozen=True)
class Setting:
    """One value of the parameter: `role` None is everybody's, `here` is for this database alone.

    `enters` says whether that role may log in to the database.
    """

    here: bool
    role: str | None
    value: str
    enters: bool | None = None


@dataclass(frozen=True)
class Proof:
    """What a new session of `user` met: `read_only` is what it was told, `refused` what came of a write.

    None was not learned; `problem` says why, or why it was not the application that tried.
    """

    user: str
    application: bool = False
    read_only: bool | None = None
    refused: bool | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Present:
    """A session that is there; `began` sorts against the mark."""

    session: Session
    began: str


@dataclass(frozen=True)
class Snapshot:
    """`default` is the server's own; `now` and `mark` sort as text. No `proof` on a standby."""

    database: str
    oid: int
    system: str
    in_recovery: bool
    now: str
    default: str
    settings: tuple[Setting, ...]
    mark: str | None
    present: tuple[Present, ...]
    proof: Proof | None

    @property
    def own(self) -> str | None:
        """The value set for this database, as it was written."""
        return next((each.value for each in self.settings if each.here and each.role is None), None)


def observe(server: Server, database: str, connect: Connect = connect) -> Snapshot:
    """Raises `Refused`, `BadInput` for a database that is not there, `Unreachable` without the privilege."""
    with enter(server, SECONDS, connect=connect) as connection:
        row = look(connection, database)
        default = str(connection.row(_DEFAULT)["value"])
    listed = tuple(
        Setting(each["here"], each["role"], each["value"], each["enters"])
        for each in row["settings"]
        if each["name"] == NAME
    )
    return Snapshot(
        database=database,
        oid=row["oid"],
        system=row["system"],
        in_recovery=row["in_recovery"],
        now=row["now"],
        default=default,
        settings=listed,
        mark=marked(row),
        present=tuple(Present(Session.of(each), each["began"]) for each in row["sessions"]),
        proof=None if row["in_recovery"] else prove(server, database, connect),
    )


def look(connection: Connection, database: str) -> Mapping[str, Any]:
    """The row of LOOK. Raises as `observe`."""
    row = connection.row(statement(LOOK), {"database": database})
    if not row["superuser"]:
        raise Unreachable(
            str(connection.access),
            "only a superuser sees every session and may end it",
            "Name one as user of firebreak_postgres.",
        )
    if row["oid"] is None:
        raise BadInput(
            f"database {database}",
            "the server has no database of that name",
            f"There are: {speak_list(row['databases'], 10)}.",
        )
    return row


def own(row: Mapping[str, Any], name: str = NAME) -> str | None:
    """What that row says is set for the database itself, as it was written."""
    for each in row["settings"]:
        if each["name"] == name and each["here"] and each["role"] is None:
            return str(each["value"])
    return None


def marked(row: Mapping[str, Any]) -> str | None:
    """Since when new sessions begin read-only, None when nobody wrote it down."""
    mark = own(row, MARK) or ""
    try:
        parse_iso(mark)
    except BadInput:
        return None
    return mark if len(mark) == len(row["now"]) else None


def prove(server: Server, database: str, connect: Connect = connect) -> Proof:
    """By a new session of the application's; of the administrator's, who begins as everybody else, if that
    cannot be had."""
    application, problem = server.application, "no application_user with its password is configured"
    if application is not None and application.password is not None:
        proof = _try(replace(application, database=database), connect)
        if proof.problem is None:
            return replace(proof, application=True)
        problem = proof.problem
    return replace(_try(replace(server.administrator, database=database), connect), problem=problem)


def _try(access: Access, connect: Connect) -> Proof:
    try:
        with connect(access, Deadline(PROOF_SECONDS).remaining) as connection:
            told = connection.row("SELECT current_setting('transaction_read_only') = 'on' AS read_only")
            return Proof(access.user, read_only=told["read_only"], refused=_refused(connection))
    except Unreachable as error:
        return Proof(access.user, problem=f"{access.user} did not get in: {error.problem}")


def _refused(connection: Connection) -> bool | None:
    try:
        connection.execute(_WRITE)
    except Failed as error:
        return None if error.code in BUSY else error.code == READ_ONLY
    return False
