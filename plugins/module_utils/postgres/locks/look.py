# SPDX-License-Identifier: GPL-3.0-or-later
"""Who waits for whom: what is asked of the lock manager."""

from __future__ import annotations

from ..look import Look
from ..sessions.look import ACTIVITY, COLUMNS, LISTED

# Of those who wait for a lock. pg_blocking_pids stops the lock manager for a moment: not once for everybody.
WAITERS = 200

BLOCKED = Look(
    {
        "waiting": "(SELECT count(*) FROM a WHERE wait_event_type = 'Lock')",
        "waiting_long": "(SELECT count(*) FROM waits WHERE since < clock_timestamp() - interval '2 s')",
        "waiting_seconds": "(SELECT extract(epoch FROM clock_timestamp() - min(since))::float8 FROM waits)",
        "roots": f"""(SELECT coalesce(json_agg(x ORDER BY x.blocked DESC), '[]') FROM (
    SELECT roots.root AS pid, roots.blocked, {COLUMNS.replace("pid, ", "", 1)}
    FROM roots LEFT JOIN a ON a.pid = roots.root) x)""",
    },
    {
        **ACTIVITY,
        "w": f"""MATERIALIZED (
  SELECT pid, query_start FROM a WHERE wait_event_type = 'Lock' ORDER BY query_start LIMIT {WAITERS}
)""",
        "e": """MATERIALIZED (
  SELECT DISTINCT w.pid AS waiter, b.pid AS blocker FROM w, unnest(pg_blocking_pids(w.pid)) AS b(pid)
)""",
        "waits": """(
  SELECT coalesce(min((to_jsonb(l)->>'waitstart')::timestamptz), min(w.query_start)) AS since
  FROM w JOIN pg_locks l ON l.pid = w.pid AND NOT l.granted WHERE EXISTS (SELECT 1 FROM e) GROUP BY w.pid
)""",
        "t(root, waiter)": """(
  SELECT blocker, waiter FROM e WHERE blocker NOT IN (SELECT waiter FROM e)
  UNION SELECT t.root, e.waiter FROM t JOIN e ON e.blocker = t.waiter
)""",
        "roots": f"""(
  SELECT root, count(*) AS blocked FROM t GROUP BY root ORDER BY blocked DESC LIMIT {LISTED}
)""",
    },
)
PREPARED = Look(
    {
        "prepared": f"""(SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT gid, owner AS "user", database,
      extract(epoch FROM clock_timestamp() - prepared)::float8 AS seconds
    FROM pg_prepared_xacts ORDER BY prepared LIMIT {LISTED}) x)""",
    }
)
