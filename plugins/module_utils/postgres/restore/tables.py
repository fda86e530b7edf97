# SPDX-License-Identifier: GPL-3.0-or-later
"""How many rows the tables of a database have, counted, and how that compares."""

from __future__ import annotations

from typing import Any, Collection, Iterator, Mapping, Sequence

from ...clients.postgres_session import Failed, identifier
from ...clients.postgres_session import Session as Connection
from ...deadlines import Deadline
from .model import Difference
from .script import Table

BATCH = 50
PARTITIONED = "p"
# Nothing of it is answered when one of them is locked or damaged: then each is asked for by itself.
ALONE_SECONDS = 5.0

_TABLES = """SELECT nspname AS schema, relname AS name, relkind AS kind
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'm', 'p') AND relpersistence <> 't' AND nspname !~ '^pg_'
  AND nspname <> 'information_schema'
ORDER BY pg_relation_size(c.oid), 1, 2"""

_WITHOUT_DATA = """SELECT n.nspname AS schema, c.relname AS name, rn.nspname AS root_schema,
  CASE WHEN c.relpersistence = 'p' AND c.relkind = 'r' AND e.objid IS NULL THEN r.relname END AS root_name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_depend e ON e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e'
  LEFT JOIN pg_class r ON c.relispartition AND r.oid = pg_partition_root(c.oid)
  LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE c.relkind IN ('r', 'm', 'p') AND (c.relpersistence = 'u' OR c.relkind = 'm' OR e.objid IS NOT NULL
  OR c.relispartition)"""

Counts = Mapping[Table, "int | None"]


def count(connection: Connection, deadline: Deadline, roots: Collection[Table] = ()) -> Counts:
    """The rows of every table and materialized view; None of one that could not be counted in time.

    A partitioned table is counted by its partitions; as a whole only when it is one of `roots`.
    """
    found = connection.rows(_TABLES, timeout=deadline.remaining(), limit=100_000)
    listed = [((row["schema"], row["name"]), row["kind"]) for row in found]
    wanted = [(table, kind) for table, kind in listed if kind != PARTITIONED or table in roots]
    counts: dict[Table, int | None] = {table: None for table, _kind in wanted}
    for start in range(0, len(wanted), BATCH):
        if not deadline.over:
            counts.update(_batch(connection, wanted[start : start + BATCH], deadline))
    return counts


def compare(expected: Mapping[Table, int], restored: Counts, live: Counts) -> list[Difference]:
    """Every table that is known of, by its name."""
    return [
        Difference(".".join(table), expected.get(table), restored.get(table), live.get(table))
        for table in sorted({*expected, *restored, *live})
    ]


def without_data(connection: Connection, roots: Collection[Table], seconds: float) -> set[Table]:
    """Those that a whole dump may bring no rows of: not logged, an extension's, computed, or a partition
    of what is among `roots`, which bring them as a whole."""
    found = connection.rows(_WITHOUT_DATA, timeout=seconds, limit=100_000)
    tables = {(row["schema"], row["name"]): (row["root_schema"], row["root_name"]) for row in found}
    return {table for table, root in tables.items() if root[1] is None or root in roots}


def missing(
    differences: Sequence[Difference], restored: Counts, without: Collection[Table] = ()
) -> list[str]:
    """What the copy lacks, in words, of its backup or of what a backup of this database must have."""
    there = {".".join(table) for table in restored}
    return list(_missing(differences, there, {".".join(table) for table in without}))


def _missing(
    differences: Sequence[Difference], there: Collection[str], without: Collection[str]
) -> Iterator[str]:
    if not any(one.restored for one in differences) and any(one.live for one in differences):
        yield "it has not a single row, and what is in use has some"
    for one in differences:
        if one.backup is not None and one.table not in there:
            yield f"{one.table} is missing"
        elif one.backup is not None and one.restored is None:
            yield f"{one.table} could not be counted in time"
        elif None not in (one.backup, one.restored) and one.backup != one.restored:
            yield f"{one.table} has {one.restored} rows, and the backup {one.backup}"
        elif one.backup is None and one.restored == 0 and one.live and one.table not in without:
            yield f"{one.table} is empty, in use it has {one.live} rows, and the backup has no data of it"


def _batch(
    connection: Connection, tables: Sequence[tuple[Table, str]], deadline: Deadline
) -> dict[Table, int | None]:
    try:
        return _asked(connection, tables, deadline.remaining())
    except Failed:
        if len(tables) == 1:
            return {tables[0][0]: None}
    counts: dict[Table, int | None] = {}
    for one in tables:
        if not deadline.over:
            try:
                counts.update(_asked(connection, [one], deadline.remaining(ALONE_SECONDS)))
            except Failed:
                continue
    return counts


def _asked(
    connection: Connection, tables: Sequence[tuple[Table, str]], seconds: float
) -> dict[Table, int | None]:
    parts = (
        f"SELECT {number} AS n, "
        f"(SELECT count(*) FROM {'' if kind == PARTITIONED else 'ONLY '}{identifier(*table)}) AS rows"
        for number, (table, kind) in enumerate(tables)
    )
    rows: list[Any] = connection.rows(" UNION ALL ".join(parts), timeout=seconds)
    return {tables[row["n"]][0]: row["rows"] for row in rows}
