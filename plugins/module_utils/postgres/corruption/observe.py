# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads tables and indexes the way amcheck does: each by itself, for so long and no longer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from ...clients.postgres_session import Failed, identifier
from ...clients.postgres_session import Session as Connection
from ...deadlines import Deadline

# From this release on amcheck reads tables too.
READS_TABLES = 140000
DATA_CORRUPTED, INDEX_CORRUPTED = "XX001", "XX002"

_AMCHECK = """SELECT (SELECT nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace
    WHERE extname = 'amcheck') AS schema,
  EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck') AS available"""
# Those of the users before those of the system, small ones first: most of them in the time there is.
_RELATIONS = """SELECT c.oid::bigint AS oid, format('%%I.%%I', nspname, c.relname) AS name,
  c.relkind = 'i' AS is_index, pg_relation_size(c.oid) + coalesce(pg_relation_size(indrelid), 0) AS bytes
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_am ON pg_am.oid = relam
  LEFT JOIN pg_index ON indexrelid = c.oid
WHERE relpersistence = 'p' AND (amname = 'btree' AND indisvalid AND indisready AND c.relkind = 'i'
  OR %(tables)s AND amname = 'heap' AND c.relkind IN ('r', 'm', 't'))
  AND (%(system)s OR nspname !~ '^pg_(catalog|toast)' AND nspname <> 'information_schema')
ORDER BY nspname ~ '^pg_(catalog|toast)', bytes, name"""


@dataclass(frozen=True)
class Reading:
    """What came of reading a database. Without `amcheck` in it nothing was read.

    `damaged` maps the names of tables and indexes to what was found in them, `unread` to the reason why they
    were not read to their end.
    """

    amcheck: bool = False
    available: bool = False
    total: int = 0
    read: int = 0
    seconds: float = 0.0
    damaged: Mapping[str, str] | None = None
    unread: Mapping[str, str] | None = None

    def as_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "damaged": dict(self.damaged or {}), "unread": dict(self.unread or {})}


def read_through(
    connection: Connection, seconds: float, each: float, tables: bool = True, system: bool = True
) -> Reading:
    """With amcheck, where the database has it. `seconds` are for all of it, `each` for one table or index.

    An index is held against its table. `tables` and `system` say whether tables, and what is the system's,
    are read.
    """
    deadline = Deadline(seconds)
    extension = connection.row(_AMCHECK)
    if not extension["schema"]:
        return Reading(available=extension["available"])
    wanted = {"tables": tables and connection.version >= READS_TABLES, "system": system}
    relations = connection.rows(_RELATIONS, wanted, timeout=deadline.remaining(), limit=100_000)
    damaged: dict[str, str] = {}
    unread: dict[str, str] = {}
    for relation in relations:
        name = relation["name"]
        if deadline.over:
            unread[name] = "the time was over"
            continue
        try:
            said = _damage(connection, extension["schema"], relation, deadline.remaining(each))
        except Failed as error:
            (damaged if error.code in (DATA_CORRUPTED, INDEX_CORRUPTED) else unread)[name] = error.problem
        else:
            if said:
                damaged[name] = said
    return Reading(
        amcheck=True,
        available=True,
        total=len(relations),
        read=len(relations) - len(unread),
        seconds=round(seconds - deadline.remaining(), 1),
        damaged=damaged,
        unread=unread,
    )


def _damage(connection: Connection, schema: str, relation: Mapping[str, Any], seconds: float) -> str | None:
    given = {"oid": relation["oid"]}
    if relation["is_index"]:
        check = f"{identifier(schema, 'bt_index_check')}(%(oid)s::oid::regclass, true)"
        connection.row(f"SELECT {check}::text AS said", given, timeout=seconds)
        return None
    check = f"{identifier(schema, 'verify_heapam')}(%(oid)s::oid::regclass)"
    row = connection.row(f"SELECT count(*) AS n, min(msg) AS said FROM {check}", given, timeout=seconds)
    return f"{row['said']} ({row['n']} such places)" if row["n"] else None
