# SPDX-License-Identifier: GPL-3.0-or-later
"""Vacuum, statistics and indexes: what is asked of the server."""

from __future__ import annotations

from ..look import Look
from ..sessions.look import ACTIVITY

_STAMP = '\'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\''
SETTINGS = (
    "autovacuum",
    "autovacuum_analyze_scale_factor",
    "autovacuum_analyze_threshold",
    "autovacuum_freeze_max_age",
    "autovacuum_max_workers",
    "autovacuum_multixact_freeze_max_age",
    "autovacuum_vacuum_insert_scale_factor",
    "autovacuum_vacuum_insert_threshold",
    "autovacuum_vacuum_max_threshold",
    "autovacuum_vacuum_scale_factor",
    "autovacuum_vacuum_threshold",
    "block_size",
    "data_directory",
    "port",
    "track_counts",
)

SERVER = Look(
    {
        "version": "current_setting('server_version_num')::int",
        "database": "current_database()",
        "cluster": "(SELECT system_identifier::text FROM pg_control_system())",
        "in_recovery": "pg_is_in_recovery()",
        "sees_all": "pg_has_role('pg_read_all_stats', 'USAGE')",
        "started": "extract(epoch FROM pg_postmaster_start_time())::bigint",
        "settings": f"""(SELECT json_object_agg(name, setting) FROM pg_settings
    WHERE name IN ({", ".join(f"'{name}'" for name in SETTINGS)}))""",
    }
)
# Progress views differ by release, so their rows are taken as JSON. A relation of another database has no
# name here.
RUNNING = Look(
    {
        "running": f"""(SELECT coalesce(json_agg(x ORDER BY x.seconds DESC), '[]') FROM (
    SELECT w.operation, w.progress, (w.progress->>'pid')::int AS pid, a."user", a.application,
      a.backend_type, w.progress->>'datname' AS database, (w.progress->>'relid')::bigint AS table_oid,
      CASE WHEN d.oid IS NOT NULL THEN (w.progress->>'relid')::oid::regclass::text END AS "table",
      CASE WHEN d.oid IS NOT NULL AND w.progress->>'index_relid' <> '0'
        THEN (w.progress->>'index_relid')::oid::regclass::text END AS "index",
      to_char(a.query_start AT TIME ZONE 'UTC', {_STAMP}) AS since, a.query_seconds AS seconds,
      (SELECT json_build_object('pid', l.pid, 'user', l."user", 'application', l.application,
          'backend_type', l.backend_type, 'state', l.state, 'query', l.query,
          'transaction_seconds', l.transaction_seconds)
        FROM a l WHERE l.pid = (w.progress->>'current_locker_pid')::int) AS locker
    FROM (SELECT 'vacuum' AS operation, to_jsonb(p) AS progress FROM pg_stat_progress_vacuum p
      UNION ALL SELECT 'analyze', to_jsonb(p) FROM pg_stat_progress_analyze p
      UNION ALL SELECT 'create_index', to_jsonb(p) FROM pg_stat_progress_create_index p
      UNION ALL SELECT 'cluster', to_jsonb(p) FROM pg_stat_progress_cluster p) w
    LEFT JOIN a ON a.pid = (w.progress->>'pid')::int
    LEFT JOIN pg_database d ON d.oid = (w.progress->>'datid')::oid AND d.datname = current_database()) x)""",
    },
    ACTIVITY,
)


def _age(function: str, column: str) -> str:
    """Of the table and of what is stored aside for it; what has no transaction number has no age."""
    ages = (f"CASE WHEN {alias}.{column} <> '0' THEN {function}({alias}.{column}) END" for alias in "ct")
    return f"coalesce(greatest({', '.join(ages)}), 0)"


TABLES = f"""
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind,
  coalesce(pg_relation_filenode(c.oid), 0)::bigint AS filenode, c.reltoastrelid::bigint AS toast,
  greatest(c.reltuples, 0)::float8 AS tuples, c.relpages::bigint AS pages,
  pg_stat_get_dead_tuples(c.oid) AS dead, pg_stat_get_mod_since_analyze(c.oid) AS modified,
  pg_stat_get_ins_since_vacuum(c.oid) AS inserted,
  extract(epoch FROM clock_timestamp() - greatest(pg_stat_get_last_vacuum_time(c.oid),
    pg_stat_get_last_autovacuum_time(c.oid)))::float8 AS vacuumed_seconds,
  extract(epoch FROM clock_timestamp() - greatest(pg_stat_get_last_analyze_time(c.oid),
    pg_stat_get_last_autoanalyze_time(c.oid)))::float8 AS analyzed_seconds,
  {_age("age", "relfrozenxid")} AS age, {_age("mxid_age", "relminmxid")} AS multixacts,
  coalesce(c.reloptions, '{{}}') AS options
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
WHERE c.relpersistence <> 't' AND """
# Those that may be due: no threshold is lower.
TOUCHED = """c.relkind IN ('r', 'm') AND (pg_stat_get_dead_tuples(c.oid) > 0
  OR pg_stat_get_mod_since_analyze(c.oid) > 0 OR pg_stat_get_ins_since_vacuum(c.oid) > 0
  OR age(c.relfrozenxid) > 100000000 OR age(t.relfrozenxid) > 100000000
  OR mxid_age(c.relminmxid) > 100000000)
ORDER BY greatest(pg_stat_get_dead_tuples(c.oid), pg_stat_get_mod_since_analyze(c.oid)) DESC, c.oid
LIMIT 5000"""
# A partitioned table holds nothing to vacuum, its partitions do; what it has is statistics of the whole, and
# to make them reads every partition.
_NAMED = """(c.oid::bigint = ANY(%(tables)s::bigint[])
  OR %(leaves)s AND c.oid IN (SELECT p.relid FROM unnest(%(tables)s::bigint[]) o(oid),
    pg_partition_tree(o.oid::oid::regclass) p WHERE p.isleaf))"""
_KINDS = """CASE WHEN %(leaves)s THEN c.relkind IN ('r', 'm') ELSE c.relkind IN ('r', 'm', 'p') END"""
_WHERE = """(%(whole)s AND n.nspname <> 'pg_toast' OR n.nspname = ANY(%(schemas)s::text[]))
  AND (%(leaves)s OR NOT c.relispartition)"""
ASKED_TABLES = f"({_NAMED} OR {_WHERE}) AND {_KINDS}"

# The size of what somebody holds ACCESS EXCLUSIVE would be waited for. A twin is an index like it by its
# definition: the one that a rebuild that failed was to replace, or has replaced.
INDEXES = """
WITH locked AS MATERIALIZED (
  SELECT DISTINCT relation FROM pg_locks
  WHERE mode = 'AccessExclusiveLock' AND granted AND relation IS NOT NULL
)
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind,
  coalesce(pg_relation_filenode(c.oid), 0)::bigint AS filenode,
  i.indrelid::bigint AS table_oid, tn.nspname AS table_schema, t.relname AS "table", t.relkind AS table_kind,
  i.indisvalid AS valid, i.indisready AS ready, i.indisexclusion AS exclusion, i.indisunique AS "unique",
  (SELECT conname FROM pg_constraint WHERE conindid = c.oid AND contype IN ('p', 'u', 'x') LIMIT 1)
    AS "constraint",
  i.indisreplident AS identity,
  coalesce(CASE WHEN c.relkind = 'i' AND c.oid NOT IN (SELECT relation FROM locked)
      AND i.indrelid NOT IN (SELECT relation FROM locked) THEN pg_relation_size(c.oid) END,
    c.relpages * current_setting('block_size')::bigint) AS bytes,
  pg_tablespace_location(coalesce(nullif(c.reltablespace, 0),
    (SELECT dattablespace FROM pg_database WHERE datname = current_database()))) AS location,
  EXISTS (SELECT 1 FROM pg_index o JOIN pg_class oc ON oc.oid = o.indexrelid
    WHERE o.indrelid = i.indrelid AND o.indexrelid <> i.indexrelid AND oc.relam = c.relam
      AND oc.relname !~ '_cc(new|old)[0-9]*$' AND o.indisunique = i.indisunique
      AND (o.indkey::text, o.indclass::text, o.indcollation::text, o.indoption::text)
        = (i.indkey::text, i.indclass::text, i.indcollation::text, i.indoption::text)
      AND pg_get_expr(o.indexprs, o.indrelid) IS NOT DISTINCT FROM pg_get_expr(i.indexprs, i.indrelid)
      AND pg_get_expr(o.indpred, o.indrelid) IS NOT DISTINCT FROM pg_get_expr(i.indpred, i.indrelid)) AS twin
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
WHERE c.relpersistence <> 't' AND """
INVALID = "NOT i.indisvalid ORDER BY n.nspname, c.relname LIMIT 500"
# Of a table also those of what is stored aside for it. The catalogs start below 16384.
ASKED_INDEXES = """c.relkind = 'i' AND c.oid IN (
  SELECT unnest(%(indexes)s::bigint[])::oid
  UNION SELECT p.relid FROM unnest(%(indexes)s::bigint[]) o(oid),
    pg_partition_tree(o.oid::oid::regclass) p WHERE p.isleaf
  UNION SELECT x.indexrelid FROM pg_index x JOIN pg_class h ON h.oid = x.indrelid
    LEFT JOIN pg_class owner ON owner.reltoastrelid = h.oid
    JOIN pg_namespace s ON s.oid = coalesce(owner.relnamespace, h.relnamespace)
    WHERE coalesce(owner.oid, h.oid) IN (SELECT unnest(%(tables)s::bigint[])::oid
        UNION SELECT p.relid FROM unnest(%(tables)s::bigint[]) o(oid),
          pg_partition_tree(o.oid::oid::regclass) p WHERE p.isleaf)
      OR coalesce(owner.oid, h.oid) >= 16384 AND s.nspname <> 'information_schema'
        AND (%(whole)s OR s.nspname = ANY(%(schemas)s::text[])))
ORDER BY 1"""

# Both PostgreSQL's own reading of a name and its plain spelling.
NAMES = """
SELECT g.text, c.oid::bigint AS oid, c.relkind AS kind, format('%%I.%%I', n.nspname, c.relname) AS name,
  CASE WHEN c.oid = to_regclass(g.rule) THEN 'read'
    WHEN n.nspname || '.' || c.relname = g.text OR pg_table_is_visible(c.oid) THEN 'spelled'
    ELSE 'elsewhere' END AS how
FROM unnest(%(texts)s::text[], %(rules)s::text[]) g(text, rule)
JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace)
  ON c.oid = to_regclass(g.rule) OR c.relname = g.text OR n.nspname || '.' || c.relname = g.text
WHERE c.relpersistence <> 't' ORDER BY 1, 2"""
SCHEMAS = "SELECT nspname AS name FROM pg_namespace WHERE nspname = ANY(%(names)s::text[])"

# What a rebuild of an index waits for, whoever of them began before it: writers of the table, before it
# starts; snapshots, before the new index is used; in the end everybody who has locked the table.
OTHERS = f"""
WITH a AS {ACTIVITY["a"]}
SELECT t.transaction, t.pid, a."user", a.application, a.backend_type, a.state, t.modes,
  a.transaction_seconds, a.state_seconds, a.query,
  CASE WHEN t.pid IS NULL THEN (SELECT string_agg(gid, ', ') FROM pg_prepared_xacts) END AS prepared
FROM (
  SELECT l.virtualtransaction AS transaction, l.pid,
    coalesce(array_agg(DISTINCT l.mode) FILTER (WHERE l.relation = %(table)s::oid), '{{}}') AS modes
  FROM pg_locks l WHERE l.granted AND (l.locktype = 'virtualxid' OR l.locktype = 'relation'
    AND l.relation = %(table)s::oid
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
  GROUP BY 1, 2) t
LEFT JOIN a ON a.pid = t.pid LEFT JOIN pg_stat_activity s ON s.pid = t.pid
WHERE t.pid IS DISTINCT FROM pg_backend_pid() AND (t.modes <> '{{}}'
  OR s.backend_xmin IS NOT NULL AND s.datname = current_database()
    AND s.backend_type NOT IN ('walsender', 'autovacuum worker'))
ORDER BY a.transaction_seconds DESC NULLS FIRST"""
