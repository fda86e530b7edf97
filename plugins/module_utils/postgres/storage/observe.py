# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the bytes are and what wears out: databases and WAL of a server, contents of one database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

from ...clients.postgres import Failed, Session
from ...clients.postgres_session import Row
from ..look import Look, ask, statement
from ..server import Server
from ..sessions.look import SERVER
from .look import UPKEEP
from .relations import BATCH, INDEXES, LAST_VALUES, SEQUENCES, TABLES, collations, sizes

SECONDS = 40.0
# Cancelled, or out of time waiting for a lock.
TOO_LONG = ("57014", "55P03")

# A way in to one database, with so many seconds for everything.
Enter = Callable[[Server, float, "str | None"], Session]

OVERALL = Look(
    {
        "database": "current_database()",
        "max_wal_bytes": "pg_size_bytes(current_setting('max_wal_size'))",
        "keep_wal_bytes": "pg_size_bytes(current_setting('wal_keep_size'))",
        "databases": """(SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT d.datname AS name, age(d.datfrozenxid) AS transactions, mxid_age(d.datminmxid) AS multixacts,
      s.temp_bytes, s.temp_files, s.deadlocks, s.stats_reset
    FROM pg_database d LEFT JOIN pg_stat_database s ON s.datid = d.oid
    ORDER BY greatest(age(d.datfrozenxid), mxid_age(d.datminmxid)) DESC LIMIT 500) x)""",
    }
)
DATABASE_SIZES = """
SELECT datname AS name,
  CASE WHEN has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')
    THEN pg_database_size(oid) END AS bytes
FROM pg_database ORDER BY 2 DESC NULLS LAST LIMIT 500
"""
DIRECTORIES = Look(
    {
        "wal_bytes": "(SELECT coalesce(sum(size), 0)::bigint FROM pg_ls_waldir())",
        "wal_files": "(SELECT count(*) FROM pg_ls_waldir())",
        "archive_waiting": "(SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%%.ready')",
        "temporary_bytes": "(SELECT coalesce(sum(size), 0)::bigint FROM pg_ls_tmpdir())",
    }
)


@dataclass(frozen=True)
class Snapshot:
    """`parts` are rows by the name of the part; `unseen` has the reason for each that there is no row of.

    `sequences` are those that can run out, each with its `last` value; `unread` is how many were not read.
    """

    server: Server
    facts: Row
    parts: Mapping[str, Any] = field(default_factory=dict)
    unseen: Mapping[str, str] = field(default_factory=dict)
    sequences: Sequence[Row] = ()
    unread: int = 0


def observe(server: Server, enter: Enter, database: str | None, top: int) -> Snapshot:
    """Raises `Refused` when there is no way in to `database`, `Failed` when the server says nothing."""
    with enter(server, SECONDS, database) as session:
        facts = ask(session, SERVER, UPKEEP, OVERALL)
        seen = _Parts(session, top)
        seen.take("database_sizes", lambda: session.rows(DATABASE_SIZES))
        seen.take("directories", lambda: ask(session, DIRECTORIES))
        seen.take("relations", seen.relations)
        seen.take("tables", lambda: seen.listed(TABLES))
        seen.take("indexes", lambda: seen.listed(INDEXES))
        seen.take("collations", lambda: ask(session, collations(facts["version_number"])))
        sequences: list[Row] = []
        seen.take("sequences", lambda: _sequences(session, sequences))
        of = sequences[0]["of"] if sequences else 0
        read = [one for one in sequences if one["read"]]
        return Snapshot(server, facts, seen.parts, seen.unseen, read, of - len(read))


class _Parts:
    """What was seen, and why the rest was not: a part that fails costs only itself."""

    def __init__(self, session: Session, top: int) -> None:
        self._session, self._top = session, top
        self.parts: dict[str, Any] = {}
        self.unseen: dict[str, str] = {}

    def take(self, name: str, part: Callable[[], Any]) -> None:
        try:
            self.parts[name] = part()
        except Failed as error:
            self.unseen[name] = f"{error.problem.rstrip('.')}. {error.cure}"

    def listed(self, look: Look) -> Row:
        return self._session.row(statement(look), {"top": self._top})

    def relations(self) -> Row:
        """Measured, unless that takes too long."""
        try:
            return {"estimated": False, **self.listed(sizes(measure=True))}
        except Failed as error:
            if error.code not in TOO_LONG:
                raise
            return {"estimated": True, **self.listed(sizes(measure=False))}


def _sequences(session: Session, found: list[Row]) -> int:
    """Fills `found`, batch by batch, so that what was read before a failure is kept."""
    rows = session.rows(SEQUENCES)
    found += [{**row, "last": None, "read": False} for row in rows]
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        asked = session.rows(LAST_VALUES, {"oids": [row["oid"] for row in batch]})
        values = {row["oid"]: row["last"] for row in asked}
        for position, row in enumerate(batch, start):
            if row["oid"] in values:
                found[position] = {**row, "last": values[row["oid"]], "read": True}
    return len(rows)
