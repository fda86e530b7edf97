# SPDX-License-Identifier: GPL-3.0-or-later
"""The database in use and those beside it, who is in it, and the room for another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping, Sequence

from ...clients.postgres_session import DATABASE, Failed, Refused
from ...clients.postgres_session import Session as Connection
from ...errors import Unreachable
from ..entry import SECONDS, enter
from ..look import Look, statement
from ..maintenance.room import look
from ..server import Server
from ..sessions.look import ACTIVITY, SESSION
from ..sessions.session import Session
from .model import MARK, Database, Live, Mark, Snapshot

# Where a statement about another database is given from.
BESIDE = ("postgres", "template1")

_MARKED = f"""(SELECT substr(s, {len(MARK) + 2}) FROM pg_db_role_setting, unnest(setconfig) AS s
      WHERE setdatabase = d.oid AND setrole = 0 AND starts_with(s, '{MARK}='))"""
# Of a role that may not see it, size and directory are null.
_SIZE = """CASE WHEN pg_has_role('pg_read_all_stats', 'USAGE') OR has_database_privilege(d.oid, 'CONNECT')
      THEN pg_database_size(d.oid) END"""
_LOOK = Look(
    {
        "version": "current_setting('server_version_num')::int",
        "in_recovery": "pg_is_in_recovery()",
        "superuser": "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)",
        "checksums": "current_setting('data_checksums') = 'on'",
        "directory": "(SELECT setting FROM pg_settings WHERE name = 'data_directory')",
        "port": "current_setting('port')",
        # Loading writes everything to pg_wal too, and what an archive or a slot still wants stays there.
        "wal_kept": """pg_size_bytes(current_setting('max_wal_size'))""",
        "wal_stays": """(EXISTS (SELECT FROM pg_replication_slots WHERE NOT active) OR EXISTS (
    SELECT FROM pg_stat_archiver WHERE current_setting('archive_mode') <> 'off'
      AND last_failed_time > coalesce(last_archived_time, '-infinity')))""",
        "started": "extract(epoch FROM pg_postmaster_start_time())::int",
        "databases": f"""(SELECT json_agg(x) FROM (
    SELECT d.oid::bigint AS oid, datname AS name, datallowconn AS connectable, {_MARKED} AS mark,
      CASE WHEN datname = %(name)s OR {_MARKED} IS NOT NULL
          OR datname ~ '_(before|restore)_\\d{{8}}T\\d{{6}}Z'
        THEN {_SIZE} END AS bytes
    FROM pg_database d) x)""",
        "live": """(SELECT row_to_json(x) FROM (
    SELECT pg_get_userbyid(datdba) AS owner, spcname AS tablespace, pg_tablespace_location(t.oid) AS location,
      EXISTS (SELECT FROM pg_db_role_setting, unnest(setconfig) AS s WHERE setdatabase = d.oid AND setrole = 0
        AND s IN ('default_transaction_read_only=on', 'default_transaction_read_only=true')) AS read_only,
      to_jsonb(d) || jsonb_build_object('encoding', pg_encoding_to_char(encoding)) AS locale,
      checksum_failures, checksum_last_failure
    FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace
      LEFT JOIN pg_stat_database ON datid = d.oid
    WHERE d.datname = %(name)s) x)""",
        "slots": "(SELECT json_agg(slot_name) FROM pg_replication_slots WHERE database = %(name)s)",
        "subscriptions": """(SELECT json_agg(subname)
    FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = %(name)s)""",
        "prepared": "(SELECT json_agg(gid) FROM pg_prepared_xacts WHERE database = %(name)s)",
        "sessions": f"(SELECT json_agg(x) FROM (SELECT {SESSION} FROM a WHERE database = %(name)s) x)",
    },
    ACTIVITY,
)


def beside(server: Server, name: str, seconds: float = SECONDS) -> Connection:
    """A session in a database other than `name`, one that may write whatever is set. Raises `Refused`."""
    writing = replace(server, administrator=replace(server.administrator, writes=True))
    choices = [database for database in BESIDE if database != name]
    for database in choices:
        session = enter(writing, seconds, database)
        try:
            # psql notices only now that there is none of that name.
            if session.version:
                return session
        except Refused as error:
            session.close()
            if error.reason != DATABASE or database == choices[-1]:
                raise
    raise Unreachable(str(server.administrator), "it answers nothing", "See its log.")


def wal_bytes(server: Server, name: str) -> int | None:
    """What lies in pg_wal; None for a role that may not see it."""
    with beside(server, name) as session:
        try:
            return int(
                session.row("SELECT coalesce(sum(size), 0)::bigint AS bytes FROM pg_ls_waldir()")["bytes"]
            )
        except Failed:
            return None


def observe(server: Server, name: str, now: str) -> Snapshot:
    """Raises `Refused`, `Unreachable`."""
    with beside(server, name) as session:
        row = session.row(statement(_LOOK), {"name": name})
    databases = [_database(each) for each in row["databases"]]
    own = next((each for each in databases if each.name == name), None)
    location = (row["live"] or {}).get("location") or ""
    room = look(server, {"data_directory": row["directory"], "port": row["port"]}, row["started"], [location])
    return Snapshot(
        server=server,
        name=name,
        now=now,
        version=row["version"],
        in_recovery=row["in_recovery"],
        superuser=row["superuser"],
        checksums=row["checksums"],
        live=_live(own, row) if own and row["live"] else None,
        others=tuple(each for each in databases if each is not own),
        room=room,
        data=row["directory"],
        location=location,
        wal_kept=None if row["wal_stays"] else row["wal_kept"],
    )


def _database(row: Mapping[str, Any]) -> Database:
    return Database(row["oid"], row["name"], row["bytes"], row["connectable"], Mark.parse(row["mark"]))


def _live(database: Database, row: Mapping[str, Any]) -> Live:
    live = row["live"]
    return Live(
        database=database,
        owner=live["owner"],
        tablespace=live["tablespace"],
        locale=live["locale"],
        sessions=tuple(Session.of(each) for each in row["sessions"] or ()),
        slots=_names(row["slots"]),
        subscriptions=_names(row["subscriptions"]),
        prepared=_names(row["prepared"]),
        read_only=live["read_only"],
        checksum_failures=live["checksum_failures"] or 0,
        last_checksum_failure=live["checksum_last_failure"],
    )


def _names(found: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(sorted(found or ()))
