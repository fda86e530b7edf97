# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is connected: what is asked of pg_stat_activity."""

from __future__ import annotations

from typing import Mapping

from ..look import Look

LISTED = 5
# Nobody works in a transaction that its client has left alone for so long; it keeps locks and dead rows.
IDLE_SECONDS = 60

# Everybody but ourselves, in this session. Also read by those who look at locks.
ACTIVITY: Mapping[str, str] = {
    "a": """MATERIALIZED (
  SELECT pid, usename AS "user", datname AS database, application_name AS application,
    client_addr AS client, backend_type, state, backend_start, state_change, wait_event_type, wait_event,
    query_start, leader_pid, rolsuper AS superuser, rolreplication AS replication,
    extract(epoch FROM clock_timestamp() - xact_start)::float8 AS transaction_seconds,
    extract(epoch FROM clock_timestamp() - state_change)::float8 AS state_seconds,
    extract(epoch FROM clock_timestamp() - query_start)::float8 AS query_seconds,
    greatest(age(backend_xid), age(backend_xmin)) AS held_transactions,
    regexp_replace(regexp_replace(left(query, 200), '\\s+', ' ', 'g'),
      '(password +(E|U&)?)''([^'']|'''')*''?', '\\1***', 'gi') AS query
  FROM pg_stat_activity LEFT JOIN pg_roles ON pg_roles.oid = usesysid WHERE pid <> pg_backend_pid()
)""",
    "c": """(
  SELECT * FROM a WHERE backend_type = 'client backend' AND application <> 'firebreak'
)""",
}
COLUMNS = """pid, "user", database, application, client, backend_type, state, backend_start,
      transaction_seconds, state_seconds, query"""
# What `Session.of` of sessions/session.py reads.
SESSION = f"""{COLUMNS}, state_change, query_seconds, wait_event_type, wait_event, leader_pid,
      superuser, replication"""

SERVER = Look(
    {
        "version": "current_setting('server_version')",
        "version_number": "current_setting('server_version_num')::int",
        "in_recovery": "pg_is_in_recovery()",
        "uptime_seconds": "extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8",
        "sees_all": "pg_has_role('pg_read_all_stats', 'USAGE')",
    }
)
BUDGET = Look(
    {
        "max_connections": "current_setting('max_connections')::int",
        "reserved": """current_setting('superuser_reserved_connections')::int
    + coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::int""",
        "used": "(SELECT count(*) FROM c)",
        "by_state": """(SELECT coalesce(json_object_agg(state, n), '{}') FROM (
    SELECT coalesce(state, 'unknown') AS state, count(*) AS n FROM c GROUP BY 1) x)""",
        "holders": f"""(SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT "user", application, count(*) AS sessions,
      count(*) FILTER (WHERE state LIKE 'idle in transaction%%') AS idle_in_transaction
    FROM c GROUP BY 1, 2 ORDER BY 3 DESC LIMIT {LISTED}) x)""",
        "limits": """(SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT 'role' AS kind, rolname AS name, rolconnlimit AS "limit",
      (SELECT count(*) FROM c WHERE c."user" = rolname) AS used
    FROM pg_roles WHERE rolconnlimit > 0 AND rolcanlogin AND NOT rolsuper
    UNION ALL SELECT 'database', datname, datconnlimit,
      (SELECT count(*) FROM c WHERE c.database = datname)
    FROM pg_database WHERE datconnlimit > 0) x)""",
    },
    ACTIVITY,
)
TRANSACTIONS = Look(
    {
        "transactions": f"""(SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT {COLUMNS}
    FROM a WHERE transaction_seconds IS NOT NULL AND state NOT LIKE 'idle in transaction%%'
      AND backend_type NOT IN ('walsender', 'autovacuum worker', 'parallel worker')
    ORDER BY transaction_seconds DESC LIMIT {LISTED}) x)""",
        "idle_transactions": f"""(SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT {COLUMNS}
    FROM c WHERE state LIKE 'idle in transaction%%' ORDER BY state_seconds DESC LIMIT {LISTED}) x)""",
        "idle_late": f"""(SELECT count(*) FROM c
    WHERE state LIKE 'idle in transaction%%' AND state_seconds >= {IDLE_SECONDS})""",
    },
    ACTIVITY,
)
