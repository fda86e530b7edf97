# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables, indexes and sequences of one database: what is asked of it, however many there are.

Nothing is asked for by name, so that no name needs care. Measuring a relation waits for whoever has it
exclusively: such a one is estimated from its last count of pages. `%(top)s` is how many are listed.
"""

from __future__ import annotations

from ..look import Look

# Files to measure; what comes after the largest so many, by their last count of pages, is left out.
MEASURED = 50_000
SYSTEM_BYTES = 64 * 1024**2
INVALID_MOST, SEQUENCES_MOST, BATCH = 50, 10_000, 200
# Nobody counts so far.
ENDLESS = 2**53

_NAME = "quote_ident(n.nspname) || '.' || quote_ident({0}.relname)"
_OF_INDEX = """FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace"""
_TABLE = f"""(SELECT {_NAME.format("o")} FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace
      WHERE o.oid = i.indrelid)"""


def _list(query: str) -> str:
    return f"(SELECT coalesce(json_agg(x), '[]') FROM ({query}) x)"


def sizes(measure: bool) -> Look:
    """The largest tables and indexes; without `measure` as their last VACUUM or ANALYZE counted them."""
    estimate = "c.relpages::bigint * current_setting('block_size')::int"
    size = (
        f"CASE WHEN c.oid IN (SELECT relation FROM busy) THEN {estimate} ELSE pg_relation_size(c.oid) END"
        if measure
        else estimate
    )
    busy = "c.oid IN (SELECT relation FROM busy)" if measure else "true"
    return Look(
        {
            "table_count": "(SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'm'))",
            "index_count": "(SELECT count(*) FROM pg_class WHERE relkind = 'i')",
            "bytes": "(SELECT coalesce(sum(size), 0) FROM r)",
            "tables": _list(
                f"""SELECT {_NAME.format("t")} AS "table", t.heap + t.toast + t.indexes AS bytes,
      t.heap AS heap_bytes, t.toast AS toast_bytes, t.indexes AS index_bytes, t.estimated,
      pg_stat_get_live_tuples(t.oid) AS live_rows, pg_stat_get_dead_tuples(t.oid) AS dead_rows
    FROM t JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE t.oid >= 16384 OR t.heap >= {SYSTEM_BYTES}
    ORDER BY 2 DESC, 1 LIMIT %(top)s"""
            ),
            "indexes": _list(
                f"""SELECT {_NAME.format("c")} AS "index", {_TABLE} AS "table", c.size AS bytes, c.estimated,
      pg_stat_get_numscans(c.oid) AS scans
    FROM pg_index i JOIN r c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid >= 16384 OR c.size >= {SYSTEM_BYTES} ORDER BY 3 DESC, 1 LIMIT %(top)s"""
            ),
        },
        {
            "busy": """MATERIALIZED (
  SELECT relation FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation IS NOT NULL
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)""",
            "r": f"""MATERIALIZED (
  SELECT c.oid, c.relnamespace, c.relname, c.relkind, c.reltoastrelid, {busy} AS estimated,
    coalesce({size}, 0) AS size
  FROM (SELECT * FROM pg_class WHERE relkind IN ('r', 'm', 'i', 't') AND relpersistence <> 't'
    ORDER BY relpages DESC LIMIT {MEASURED}) c
)""",
            "x": """MATERIALIZED (
  SELECT i.indrelid, sum(r.size) AS size FROM pg_index i JOIN r ON r.oid = i.indexrelid GROUP BY 1
)""",
            "t": """(
  SELECT r.*, r.size AS heap, coalesce(x.size, 0) AS indexes,
    coalesce(toast.size, 0) + coalesce(toast_x.size, 0) AS toast
  FROM r LEFT JOIN x ON x.indrelid = r.oid LEFT JOIN r toast ON toast.oid = r.reltoastrelid
    LEFT JOIN x toast_x ON toast_x.indrelid = toast.oid
  WHERE r.relkind IN ('r', 'm')
)""",
        },
    )


TABLES = Look(
    {
        "dead": _list(
            """SELECT "table", live_rows, dead_rows, estimated_rows, vacuumed, options,
      EXISTS (SELECT 1 FROM pg_stat_progress_vacuum p WHERE p.relid = t.oid) AS vacuuming
    FROM t WHERE dead_rows >= 1000 ORDER BY dead_rows DESC LIMIT %(top)s"""
        ),
        # The counters begin anew after a crash; then they know of fewer rows than pg_class.
        "unanalyzed": _list(
            """SELECT "table", live_rows, changed_rows FROM t
    WHERE analyzed IS NULL AND live_rows >= 1000 AND changed_rows * 2 >= live_rows
      AND estimated_rows <= 2 * live_rows
    ORDER BY live_rows DESC LIMIT %(top)s"""
        ),
        "oldest": _list(
            f"""SELECT coalesce((SELECT {_NAME.format("o")} FROM pg_class o
        JOIN pg_namespace n ON n.oid = o.relnamespace WHERE o.reltoastrelid = c.oid),
        {_NAME.format("c")}) AS "table", c.transactions, c.multixacts, c.relkind = 't' AS toast, c.pages
    FROM (SELECT oid, relkind, relname, relnamespace, relpages AS pages, age(relfrozenxid) AS transactions,
        mxid_age(relminmxid) AS multixacts
      FROM pg_class WHERE relkind IN ('r', 'm', 't') AND relpersistence <> 't'
      ORDER BY greatest(age(relfrozenxid), mxid_age(relminmxid)) DESC LIMIT 5) c
    JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY greatest(c.transactions, c.multixacts) DESC"""
        ),
        "holders": _list(
            """SELECT * FROM (
      SELECT 'session' AS kind, 'pid ' || pid AS name, usename AS "user", application_name AS application,
        state, greatest(age(backend_xmin), age(backend_xid)) AS transactions,
        extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds
      FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type <> 'walsender'
        AND coalesce(backend_xmin, backend_xid) IS NOT NULL
      UNION ALL SELECT 'prepared transaction', gid, owner, NULL, NULL, age(transaction),
        extract(epoch FROM clock_timestamp() - prepared)::float8 FROM pg_prepared_xacts
      UNION ALL SELECT 'slot', slot_name, NULL, NULL, CASE WHEN active THEN 'active' ELSE 'inactive' END,
        greatest(age(xmin), age(catalog_xmin)), NULL FROM pg_replication_slots
        WHERE coalesce(xmin, catalog_xmin) IS NOT NULL
      UNION ALL SELECT 'standby', coalesce(application_name, host(client_addr)), NULL, NULL, state,
        age(backend_xmin), NULL FROM pg_stat_replication WHERE backend_xmin IS NOT NULL
    ) h ORDER BY transactions DESC NULLS LAST LIMIT 3"""
        ),
        "settings": """(SELECT json_object_agg(name, setting) FROM pg_settings WHERE name IN
      ('autovacuum', 'autovacuum_vacuum_threshold', 'autovacuum_vacuum_scale_factor',
       'autovacuum_vacuum_max_threshold', 'autovacuum_freeze_max_age',
       'autovacuum_multixact_freeze_max_age'))""",
    },
    {
        "t": f"""MATERIALIZED (
  SELECT c.oid, {_NAME.format("c")} AS "table", c.reltuples::float8 AS estimated_rows,
    coalesce(c.reloptions, '{{}}') AS options, pg_stat_get_live_tuples(c.oid) AS live_rows,
    pg_stat_get_dead_tuples(c.oid) AS dead_rows, pg_stat_get_mod_since_analyze(c.oid) AS changed_rows,
    greatest(pg_stat_get_last_vacuum_time(c.oid), pg_stat_get_last_autovacuum_time(c.oid)) AS vacuumed,
    greatest(pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)) AS analyzed
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
)"""
    },
)
_CONSTRAINT = "EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)"
_BYTES = "c.relpages::bigint * current_setting('block_size')::int"
INDEXES = Look(
    {
        "invalid": _list(
            f"""SELECT {_NAME.format("c")} AS "index", {_TABLE} AS "table", i.indisunique AS "unique",
      i.indisready AS ready, c.relkind = 'I' AS partitioned,
      substring(c.relname FROM '_cc(new|old)[0-9]*$') AS leftover,
      (SELECT json_build_object('pid', p.pid, 'command', p.command, 'phase', p.phase)
       FROM pg_stat_progress_create_index p WHERE p.relid = i.indrelid
         AND p.datname = current_database() LIMIT 1) AS building
    {_OF_INDEX} WHERE NOT i.indisvalid ORDER BY 1 LIMIT {INVALID_MOST}"""
        ),
        "duplicates": _list(
            f"""SELECT "table", indexes FROM (
      SELECT {_TABLE} AS "table", max({_BYTES}) AS bytes, json_agg(json_build_object(
        'index', {_NAME.format("c")}, 'unique', i.indisunique, 'constraint', {_CONSTRAINT},
        'identity', i.indisreplident, 'nulls', coalesce(to_jsonb(i)->>'indnullsnotdistinct', 'false'),
        'bytes', {_BYTES}) ORDER BY {_CONSTRAINT} DESC, i.indisunique DESC, i.indexrelid) AS indexes
      FROM k JOIN pg_index i USING (indexrelid) JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE k.alike > 1
      GROUP BY i.indrelid, k.key, pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid)
      HAVING count(*) > 1) d
    ORDER BY bytes DESC LIMIT %(top)s"""
        ),
        "unused": _list(
            f"""SELECT {_NAME.format("c")} AS "index", {_TABLE} AS "table", {_BYTES} AS bytes
    {_OF_INDEX} WHERE i.indisvalid AND NOT i.indisunique AND NOT i.indisreplident AND NOT {_CONSTRAINT}
      AND c.relkind = 'i' AND c.oid >= 16384 AND {_BYTES} >= 8388608 AND pg_stat_get_numscans(c.oid) = 0
    ORDER BY c.relpages DESC LIMIT %(top)s"""
        ),
        "counted_seconds": """(SELECT extract(epoch FROM clock_timestamp() - coalesce(stats_reset,
      pg_postmaster_start_time()))::float8 FROM pg_stat_database WHERE datname = current_database())""",
    },
    {
        # Compared by what is cheap first; expressions are only read of those that are alike so far.
        "k": """MATERIALIZED (
  SELECT i.indexrelid, k.key, count(*) OVER (PARTITION BY i.indrelid, k.key) AS alike
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid, LATERAL (SELECT concat_ws('|', i.indkey::text,
    i.indclass::text, i.indcollation::text, i.indoption::text, i.indnkeyatts, c.relam) AS key) k
  WHERE i.indisvalid AND NOT c.relispartition AND i.indrelid >= 16384
)"""
    },
)
_DATABASES = """SELECT datname AS name, datcollversion AS recorded,
      pg_database_collation_actual_version(oid) AS actual
    FROM pg_database WHERE datallowconn AND datcollversion IS NOT NULL
      AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)
    ORDER BY datname LIMIT 50"""


def collations(version: int) -> Look:
    """Up to 14 a database does not record with which version of its collation it was made."""
    known = version >= 150000
    stale = "SELECT oid FROM stale" + (
        " UNION ALL SELECT 100 FROM pg_database WHERE datname = current_database()"
        " AND datcollversion <> pg_database_collation_actual_version(oid)"
        if known
        else ""
    )
    return Look(
        {
            "databases": _list(_DATABASES) if known else "NULL::json",
            "collations": _list("SELECT name, recorded, actual FROM stale LIMIT 50"),
            "affected": _list(
                f"""SELECT {_NAME.format("c")} AS "index", {_TABLE} AS "table", count(*) OVER () AS of
    {_OF_INDEX} WHERE i.indcollation::oid[] && ARRAY({stale}) ORDER BY c.relpages DESC LIMIT 20"""
            ),
        },
        {
            "stale": f"""MATERIALIZED (
  SELECT l.oid, {_NAME.replace("relname", "collname").format("l")} AS name, l.collversion AS recorded,
    pg_collation_actual_version(l.oid) AS actual
  FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
  WHERE l.collversion IS NOT NULL AND l.oid IN (SELECT unnest(indcollation::oid[]) FROM pg_index)
    AND l.collversion IS DISTINCT FROM pg_collation_actual_version(l.oid)
)"""
        },
    )


# Whose numbers can run out, those of the smallest first. The column may hold less than its sequence gives.
SEQUENCES = f"""
WITH u AS MATERIALIZED (
  SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS number FROM pg_depend d
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
    AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
  UNION SELECT p.refobjid, d.adrelid, d.adnum FROM pg_depend p JOIN pg_attrdef d ON d.oid = p.objid
  WHERE p.classid = 'pg_attrdef'::regclass AND p.refclassid = 'pg_class'::regclass AND p.refobjsubid = 0
), o AS MATERIALIZED (
  SELECT DISTINCT ON (u.sequence) u.sequence, a.attrelid, a.attname, a.atttypid,
    CASE a.atttypid WHEN 21 THEN 15 WHEN 23 THEN 31 ELSE 63 END AS bits
  FROM u JOIN pg_sequence s ON s.seqrelid = u.sequence
    JOIN pg_attribute a ON a.attrelid = u.relation AND a.attnum = u.number
  ORDER BY u.sequence, bits, a.attrelid
), f AS MATERIALIZED (
  SELECT s.*, c.relname, c.relnamespace, o.*, count(*) OVER () AS of
  FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid LEFT JOIN o ON o.sequence = s.seqrelid
  WHERE NOT s.seqcycle AND c.relpersistence = 'p'
    AND (s.seqincrement < 0 OR s.seqmax < {ENDLESS} OR o.bits < 63)
  ORDER BY coalesce(o.bits, 63), s.seqmax, s.seqrelid LIMIT {SEQUENCES_MOST}
)
SELECT f.seqrelid::bigint AS oid, {_NAME.format("f")} AS sequence, f.seqincrement AS step, f.seqmin AS lowest,
  f.seqmax AS highest, format_type(f.atttypid, NULL) AS type, f.bits, f.of,
  (SELECT quote_ident(tn.nspname) || '.' || quote_ident(t.relname) || '.' || quote_ident(f.attname)
   FROM pg_class t JOIN pg_namespace tn ON tn.oid = t.relnamespace WHERE t.oid = f.attrelid) AS "column"
FROM f JOIN pg_namespace n ON n.oid = f.relnamespace
"""
# Each one that is read is locked until the statement ends, and the server's table of locks is small.
LAST_VALUES = """
SELECT o.oid, pg_sequence_last_value(o.oid::oid::regclass) AS last
FROM unnest(%(oids)s::bigint[]) AS o(oid)
WHERE CASE WHEN o.oid::oid IN (SELECT seqrelid FROM pg_sequence)
  THEN has_sequence_privilege(o.oid::oid, 'SELECT, USAGE') END
"""
