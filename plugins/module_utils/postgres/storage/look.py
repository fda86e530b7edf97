# SPDX-License-Identifier: GPL-3.0-or-later
"""Replication, WAL and transaction numbers: what is asked of the server about its upkeep."""

from __future__ import annotations

from ..look import Look

UPKEEP = Look(
    {
        "replicas": """(SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT application_name AS name, client_addr AS client, state, sync_state AS sync,
      pg_wal_lsn_diff(lsn.here, replay_lsn)::bigint AS lag_bytes,
      extract(epoch FROM replay_lag)::float8 AS lag_seconds
    FROM pg_stat_replication, lsn ORDER BY 5 DESC NULLS LAST LIMIT 20) x)""",
        "standby": """(SELECT CASE WHEN pg_is_in_recovery() THEN json_build_object(
    'receiver', (SELECT status FROM pg_stat_wal_receiver),
    'paused', pg_is_wal_replay_paused(),
    'lag_bytes', pg_wal_lsn_diff(lsn.here, pg_last_wal_replay_lsn())::bigint,
    'last_transaction_seconds',
      extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8) END
    FROM lsn)""",
        "slots": """(SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT slot_name AS name, slot_type AS kind, active, wal_status, safe_wal_size AS safe_bytes,
      pg_wal_lsn_diff(lsn.here, restart_lsn)::bigint AS retained_bytes
    FROM pg_replication_slots, lsn ORDER BY 5 DESC NULLS LAST LIMIT 20) x)""",
        "archiver": """(SELECT row_to_json(x) FROM (
    SELECT current_setting('archive_mode') AS mode, failed_count, last_failed_wal,
      extract(epoch FROM clock_timestamp() - last_failed_time)::float8 AS failed_seconds_ago,
      extract(epoch FROM clock_timestamp() - last_archived_time)::float8 AS archived_seconds_ago
    FROM pg_stat_archiver) x)""",
        "oldest": """(SELECT row_to_json(x) FROM (
    SELECT datname AS database, age(datfrozenxid) AS transactions, mxid_age(datminmxid) AS multixacts,
      current_setting('autovacuum_freeze_max_age')::int AS freeze_max_age,
      current_setting('autovacuum_multixact_freeze_max_age')::int AS multixact_freeze_max_age
    FROM pg_database ORDER BY greatest(age(datfrozenxid), mxid_age(datminmxid)) DESC LIMIT 1) x)""",
    },
    {
        "lsn": """(
  SELECT CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
    ELSE pg_current_wal_lsn() END AS here
)""",
    },
)
