# SPDX-License-Identifier: GPL-3.0-or-later
"""What triage asks a server: one statement, so that everything in it was true at the same moment.

Columns that only some releases have are taken out of the row as JSON, functions that fail on a standby or
on a primary stand behind CASE.
"""

from __future__ import annotations

# Of those who wait for a lock. pg_blocking_pids stops the lock manager for a moment: not once for everybody.
WAITERS = 200
LISTED = 5

APPLICATION = "SELECT current_setting('transaction_read_only') = 'on' AS read_only"

FACTS = f"""
WITH RECURSIVE a AS MATERIALIZED (
  SELECT pid, usename AS "user", datname AS database, application_name AS application,
    client_addr AS client, backend_type, state, backend_start, wait_event_type, query_start,
    extract(epoch FROM clock_timestamp() - xact_start)::float8 AS transaction_seconds,
    extract(epoch FROM clock_timestamp() - state_change)::float8 AS state_seconds,
    regexp_replace(left(query, 200), '\\s+', ' ', 'g') AS query
  FROM pg_stat_activity WHERE pid <> pg_backend_pid()
), c AS (
  SELECT * FROM a WHERE backend_type = 'client backend' AND application <> 'firebreak'
), w AS MATERIALIZED (
  SELECT pid, query_start FROM a WHERE wait_event_type = 'Lock' ORDER BY query_start LIMIT {WAITERS}
), e AS MATERIALIZED (
  SELECT DISTINCT w.pid AS waiter, b.pid AS blocker FROM w, unnest(pg_blocking_pids(w.pid)) AS b(pid)
), waits AS (
  SELECT coalesce(min((to_jsonb(l)->>'waitstart')::timestamptz), min(w.query_start)) AS since
  FROM w JOIN pg_locks l ON l.pid = w.pid AND NOT l.granted WHERE EXISTS (SELECT 1 FROM e) GROUP BY w.pid
), t(root, waiter) AS (
  SELECT blocker, waiter FROM e WHERE blocker NOT IN (SELECT waiter FROM e)
  UNION SELECT t.root, e.waiter FROM t JOIN e ON e.blocker = t.waiter
), roots AS (
  SELECT root, count(*) AS blocked FROM t GROUP BY root ORDER BY blocked DESC LIMIT {LISTED}
), lsn AS (
  SELECT CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
    ELSE pg_current_wal_lsn() END AS here
)
SELECT
  current_setting('server_version') AS version,
  current_setting('server_version_num')::int AS version_number,
  pg_is_in_recovery() AS in_recovery,
  extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8 AS uptime_seconds,
  pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all,
  current_setting('max_connections')::int AS max_connections,
  current_setting('superuser_reserved_connections')::int
    + coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::int AS reserved,
  (SELECT count(*) FROM c) AS used,
  (SELECT coalesce(json_object_agg(state, n), '{{}}') FROM (
    SELECT coalesce(state, 'unknown') AS state, count(*) AS n FROM c GROUP BY 1) x) AS by_state,
  (SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT "user", application, count(*) AS sessions,
      count(*) FILTER (WHERE state LIKE 'idle in transaction%%') AS idle_in_transaction
    FROM c GROUP BY 1, 2 ORDER BY 3 DESC LIMIT {LISTED}) x) AS holders,
  (SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT 'role' AS kind, rolname AS name, rolconnlimit AS "limit",
      (SELECT count(*) FROM c WHERE c."user" = rolname) AS used
    FROM pg_roles WHERE rolconnlimit > 0 AND rolcanlogin AND NOT rolsuper
    UNION ALL SELECT 'database', datname, datconnlimit,
      (SELECT count(*) FROM c WHERE c.database = datname)
    FROM pg_database WHERE datconnlimit > 0) x) AS limits,
  (SELECT count(*) FROM a WHERE wait_event_type = 'Lock') AS waiting,
  (SELECT count(*) FROM waits WHERE since < clock_timestamp() - interval '2 s') AS waiting_long,
  (SELECT extract(epoch FROM clock_timestamp() - min(since))::float8 FROM waits) AS waiting_seconds,
  (SELECT coalesce(json_agg(x ORDER BY x.blocked DESC), '[]') FROM (
    SELECT roots.root AS pid, roots.blocked, a."user", a.database, a.application, a.client,
      a.backend_type, a.state, a.backend_start, a.transaction_seconds, a.state_seconds, a.query
    FROM roots LEFT JOIN a ON a.pid = roots.root) x) AS roots,
  (SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT pid, "user", database, application, client, backend_type, state, backend_start,
      transaction_seconds, state_seconds, query
    FROM a WHERE transaction_seconds IS NOT NULL AND state NOT LIKE 'idle in transaction%%'
      AND backend_type NOT IN ('walsender', 'autovacuum worker', 'parallel worker')
    ORDER BY transaction_seconds DESC LIMIT {LISTED}) x) AS transactions,
  (SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT pid, "user", database, application, client, backend_type, state, backend_start,
      transaction_seconds, state_seconds, query
    FROM c WHERE state LIKE 'idle in transaction%%' ORDER BY state_seconds DESC LIMIT {LISTED}) x)
    AS idle_transactions,
  (SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT gid, owner AS "user", database,
      extract(epoch FROM clock_timestamp() - prepared)::float8 AS seconds
    FROM pg_prepared_xacts ORDER BY prepared LIMIT {LISTED}) x) AS prepared,
  (SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT application_name AS name, client_addr AS client, state, sync_state AS sync,
      pg_wal_lsn_diff(lsn.here, replay_lsn)::bigint AS lag_bytes,
      extract(epoch FROM replay_lag)::float8 AS lag_seconds
    FROM pg_stat_replication, lsn ORDER BY 5 DESC NULLS LAST LIMIT 20) x) AS replicas,
  (SELECT CASE WHEN pg_is_in_recovery() THEN json_build_object(
    'receiver', (SELECT status FROM pg_stat_wal_receiver),
    'paused', pg_is_wal_replay_paused(),
    'lag_bytes', pg_wal_lsn_diff(lsn.here, pg_last_wal_replay_lsn())::bigint,
    'last_transaction_seconds',
      extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8) END
    FROM lsn) AS standby,
  (SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT slot_name AS name, slot_type AS kind, active, wal_status,
      pg_wal_lsn_diff(lsn.here, restart_lsn)::bigint AS retained_bytes
    FROM pg_replication_slots, lsn ORDER BY 5 DESC NULLS LAST LIMIT 20) x) AS slots,
  (SELECT row_to_json(x) FROM (
    SELECT current_setting('archive_mode') AS mode, failed_count, last_failed_wal,
      extract(epoch FROM clock_timestamp() - last_failed_time)::float8 AS failed_seconds_ago,
      extract(epoch FROM clock_timestamp() - last_archived_time)::float8 AS archived_seconds_ago
    FROM pg_stat_archiver) x) AS archiver,
  (SELECT row_to_json(x) FROM (
    SELECT datname AS database, age(datfrozenxid) AS transactions, mxid_age(datminmxid) AS multixacts,
      current_setting('autovacuum_freeze_max_age')::int AS freeze_max_age,
      current_setting('autovacuum_multixact_freeze_max_age')::int AS multixact_freeze_max_age
    FROM pg_database ORDER BY greatest(age(datfrozenxid), mxid_age(datminmxid)) DESC LIMIT 1) x) AS oldest
"""
