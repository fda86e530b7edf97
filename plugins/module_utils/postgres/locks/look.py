# SPDX-License-Identifier: GPL-3.0-or-later
"""Who waits for which lock, behind whom: what is asked of the lock manager, all of it at the same moment."""

from __future__ import annotations

from ..look import Look
from ..sessions.look import ACTIVITY, SESSION

# As many of those who wait, the longest wait first.
LISTED = 500
# What the lock manager calls every prepared transaction.
PREPARED = 0

_COLUMNS = "database, relation, page, tuple, virtualxid, transactionid, classid, objid, objsubid"
_SAME_LOCK = " AND ".join(f"h.{name} IS NOT DISTINCT FROM w.{name}" for name in _COLUMNS.split(", "))

WAITS = Look(
    {
        "waiting": "(SELECT count(*) FROM every)",
        "beyond": f"""(SELECT coalesce(json_agg(seconds), '[]') FROM (
    SELECT seconds FROM every ORDER BY seconds DESC OFFSET {LISTED}) x)""",
        "waits": """(SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT w.pid, w.seconds, e.blockers, w.locktype AS kind, w.mode,
      CASE WHEN r.database IN (0, here.oid) THEN r.relation::regclass::text ELSE r.relation::text END
        AS relation,
      (SELECT datname FROM pg_database WHERE oid = r.database) AS database,
      CASE w.locktype WHEN 'tuple' THEN format('(%%s,%%s)', w.page, w.tuple)
        WHEN 'transactionid' THEN w.transactionid::text WHEN 'virtualxid' THEN w.virtualxid
        WHEN 'advisory' THEN CASE w.objsubid
          WHEN 1 THEN ((w.classid::bigint << 32) | w.objid::bigint)::text
          ELSE format('%%s, %%s', w.classid, w.objid) END END AS object
    FROM w JOIN e USING (pid), (SELECT oid FROM pg_database WHERE datname = current_database()) here,
    -- Who waits for a transaction to end wants a row that it has locked for itself already.
    LATERAL (SELECT w.database, w.relation WHERE w.relation IS NOT NULL OR w.locktype <> 'transactionid'
      UNION ALL SELECT l.database, l.relation FROM l
      WHERE w.locktype = 'transactionid' AND l.pid = w.pid AND l.granted AND l.locktype = 'tuple'
      UNION ALL SELECT NULL, NULL LIMIT 1) r) x)""",
        "concerned": f"""(SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT {SESSION} FROM a WHERE pid IN (SELECT pid FROM e UNION SELECT unnest(blockers) FROM e)) x)""",
        "prepared": """(SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT gid, prepared AS since, owner AS "user", database, age(transaction) AS transactions,
      extract(epoch FROM clock_timestamp() - prepared)::float8 AS seconds
    FROM p ORDER BY prepared) x)""",
        # Which of them holds what a waiter wants; whether that is in its way, the modes say.
        "held": f"""(SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT w.pid, p.gid, w.mode AS wanted, h.mode AS held
    FROM e JOIN w USING (pid)
    JOIN l h ON h.pid IS NULL AND h.granted AND h.locktype = w.locktype AND {_SAME_LOCK}
    JOIN p ON p.vx = h.virtualtransaction WHERE {PREPARED} = ANY (e.blockers)) x)""",
    },
    {
        **ACTIVITY,
        "l": "MATERIALIZED (SELECT * FROM pg_locks)",
        "every": """MATERIALIZED (
  SELECT l.*, coalesce(extract(epoch FROM clock_timestamp()
    - coalesce((to_jsonb(l)->>'waitstart')::timestamptz, a.query_start)), 0)::float8 AS seconds
  FROM l LEFT JOIN a USING (pid) WHERE NOT l.granted
)""",
        "w": f"MATERIALIZED (SELECT * FROM every ORDER BY seconds DESC LIMIT {LISTED})",
        # Each call stops the lock manager for a moment: once for each that waits.
        "e": """MATERIALIZED (
  SELECT pid, ARRAY(SELECT DISTINCT b FROM unnest(pg_blocking_pids(pid)) b) AS blockers FROM w
)""",
        # The virtual transaction of a prepared one is known by the lock on its transaction's number only.
        "p": """MATERIALIZED (
  SELECT x.*, l.virtualtransaction AS vx FROM pg_prepared_xacts x LEFT JOIN l
    ON l.pid IS NULL AND l.locktype = 'transactionid' AND l.transactionid = x.transaction
)""",
    },
)
