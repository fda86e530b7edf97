# SPDX-License-Identifier: GPL-3.0-or-later
"""Which statements run now, and which took the time: pg_stat_activity and pg_stat_statements."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable, Mapping, Sequence

from ...clients.postgres import Failed, Refused, Session, identifier
from ...clients.postgres_session import Row
from ...deadlines import Deadline
from ..server import Server

SECONDS = 20.0
# Of other databases, when the extension is not in the configured one.
SEARCHED, SEARCH_SECONDS = 12, 5.0
RUNNING_MOST, QUERY_LENGTH = 50, 1000
ORDERS: Mapping[str, str] = {"total": "total_ms", "mean": "mean_ms", "calls": "calls"}

# A way in to one database, with so many seconds for everything.
Enter = Callable[[Server, float, "str | None"], Session]

_PASSWORD = re.compile(
    r"(\bpassword\s*=?\s*)(?:(?:e|u&)?'(?:[^']|'')*(?:'|$)|(?<==)[^\s']+)|(?<=://)[^\s/@:']*:[^\s@']+(?=@)",
    re.IGNORECASE,
)

HERE = """
SELECT current_setting('server_version') AS version, pg_is_in_recovery() AS in_recovery,
  pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all, current_database() AS database,
  EXISTS (SELECT 1 FROM pg_settings WHERE name = 'pg_stat_statements.max') AS preloaded,
  (SELECT setting FROM pg_settings WHERE name = 'shared_preload_libraries') AS libraries,
  EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements') AS available,
  current_setting('pg_stat_statements.track', true) AS track,
  current_setting('pg_stat_statements.max', true)::int AS max,
  current_setting('compute_query_id', true) AS query_id,
  current_setting('track_io_timing')::bool AS io_timing,
  (SELECT coalesce(json_agg(x.datname ORDER BY x.datname <> 'postgres', x.datname), '[]') FROM (
    SELECT datname FROM pg_database WHERE datallowconn AND datname NOT IN (current_database(), 'template0')
    LIMIT 1000) x) AS others
"""
EXTENSION = """
SELECT e.extversion AS version, n.nspname AS schema,
  (SELECT coalesce(json_agg(a.attname), '[]') FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
   WHERE c.relnamespace = n.oid AND c.relname = 'pg_stat_statements' AND a.attnum > 0
     AND NOT a.attisdropped) AS columns,
  EXISTS (SELECT 1 FROM pg_class c
    WHERE c.relnamespace = n.oid AND c.relname = 'pg_stat_statements_info') AS info
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'
"""
# Those who send or apply WAL are active as long as they live; parallel workers are their leader's.
RUNNING = f"""
SELECT a.pid, a.backend_start, a.usename AS "user", a.datname AS database, a.application_name AS application,
  a.client_addr AS client, a.backend_type, a.state, a.state_change, a.leader_pid,
  r.rolsuper AS superuser, r.rolreplication AS replication,
  extract(epoch FROM clock_timestamp() - a.query_start)::float8 AS query_seconds,
  extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS transaction_seconds,
  a.wait_event_type, a.wait_event,
  (SELECT count(*) FROM pg_stat_activity w WHERE w.leader_pid = a.pid AND w.pid <> a.pid) AS workers,
  regexp_replace(left(a.query, {QUERY_LENGTH}), '\\s+', ' ', 'g') AS query, count(*) OVER () AS of
FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
WHERE a.state = 'active' AND a.pid <> pg_backend_pid()
  AND a.backend_type NOT IN ('walsender', 'parallel worker')
  AND a.backend_type NOT LIKE 'logical replication%%'
  AND a.query_start <= clock_timestamp() - make_interval(secs => %(seconds)s)
ORDER BY a.query_start LIMIT {RUNNING_MOST}
"""


@dataclass(frozen=True)
class Extension:
    """pg_stat_statements where it was created. `columns` are those of its view."""

    database: str
    schema: str
    version: str
    columns: frozenset[str]
    info: bool


@dataclass(frozen=True)
class Snapshot:
    """`collected` is None where there is no extension, or when `unread` says why its view was not read.

    `searched` are the databases that were looked for it, `unsearched` says how many were not.
    """

    server: Server
    here: Row
    running: Sequence[Row]
    extension: Extension | None = None
    searched: Sequence[str] = ()
    unsearched: int = 0
    collected: Row | None = None
    unread: str | None = None


def observe(server: Server, enter: Enter, min_running: int, top: int, order: str) -> Snapshot:
    """Raises `Refused` when there is no way in, `Failed` when the server does not say what runs."""
    with enter(server, SECONDS, None) as session:
        here = session.row(HERE)
        running = [_bare(row) for row in session.rows(RUNNING, {"seconds": float(min_running)})]
        extension = _extension(session, here["database"])
        if extension is not None:
            return _collect(session, Snapshot(server, here, running, extension), top, order)
    return _elsewhere(Snapshot(server, here, running, searched=(here["database"],)), enter, top, order)


def without_secrets(text: str) -> str:
    """A statement as it may be shown: those that set passwords are kept by their letters."""
    return _PASSWORD.sub(lambda found: f"{found.group(1) or ''}***", text)


def statements_query(extension: Extension, order: str) -> str:
    """What the view of any version holds, in seconds and bytes; `order` is one of ORDERS."""

    def of(*names: str) -> str:
        return next((name for name in names if name in extension.columns), "NULL::float8")

    toplevel = "toplevel" if "toplevel" in extension.columns else "true"
    info = (
        f"(SELECT row_to_json(i) FROM {identifier(extension.schema, 'pg_stat_statements_info')} i)"
        if extension.info
        else "NULL::json"
    )
    return f"""
WITH s AS MATERIALIZED (
  SELECT queryid::text AS id, userid, dbid, {toplevel} AS toplevel, query, calls, rows,
    {of("total_exec_time", "total_time")} AS total_ms, {of("mean_exec_time", "mean_time")} AS mean_ms,
    {of("max_exec_time", "max_time")} AS max_ms, {of("plans")} AS plans, {of("total_plan_time")} AS plan_ms,
    {of("shared_blk_read_time", "blk_read_time")} AS read_ms, shared_blks_hit AS hit,
    shared_blks_read AS read, temp_blks_written AS temp, {of("wal_bytes")}::float8 AS wal_bytes
  FROM {identifier(extension.schema, "pg_stat_statements")}
  WHERE query IS NULL OR query NOT LIKE '%%firebreak_row%%'
), b AS (SELECT current_setting('block_size')::int AS size)
SELECT (SELECT count(*) FROM s) AS entries, (SELECT sum(calls) FROM s WHERE toplevel) AS calls,
  (SELECT coalesce(sum(total_ms), 0) / 1000 FROM s WHERE toplevel) AS seconds, {info} AS info,
  extract(epoch FROM clock_timestamp() - ({info}->>'stats_reset')::timestamptz)::float8 AS since_seconds,
  (SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT id, pg_get_userbyid(userid) AS "user",
      (SELECT datname FROM pg_database d WHERE d.oid = dbid) AS database, toplevel, calls, rows,
      total_ms / 1000 AS total_seconds, mean_ms / 1000 AS mean_seconds, max_ms / 1000 AS max_seconds,
      plans, plan_ms / 1000 AS plan_seconds, read_ms / 1000 AS read_seconds,
      hit * b.size AS hit_bytes, read * b.size AS read_bytes, temp * b.size AS temp_bytes, wal_bytes,
      regexp_replace(left(query, {QUERY_LENGTH}), '\\s+', ' ', 'g') AS query
    FROM s, b ORDER BY s.{ORDERS[order]} DESC NULLS LAST, s.total_ms DESC LIMIT %(top)s) x) AS statements
"""


def _extension(session: Session, database: str) -> Extension | None:
    for row in session.rows(EXTENSION):
        columns = frozenset(row["columns"])
        return Extension(database, row["schema"], row["version"], columns, row["info"])
    return None


def _elsewhere(seen: Snapshot, enter: Enter, top: int, order: str) -> Snapshot:
    """Its view shows the statements of all databases, whichever it was created in."""
    deadline = Deadline(SEARCH_SECONDS)
    searched, others = list(seen.searched), list(seen.here["others"])
    while others and len(searched) <= SEARCHED and not deadline.over:
        database = others.pop(0)
        try:
            with enter(seen.server, deadline.remaining(), database) as session:
                searched.append(database)
                extension = _extension(session, database)
                if extension is not None:
                    there = Snapshot(seen.server, seen.here, seen.running, extension, searched)
                    return _collect(session, there, top, order)
        except (Refused, Failed):
            continue
    unsearched = len(seen.here["others"]) + 1 - len(searched)
    return Snapshot(seen.server, seen.here, seen.running, searched=searched, unsearched=unsearched)


def _collect(session: Session, seen: Snapshot, top: int, order: str) -> Snapshot:
    """The extension can be there without the library, and then every look at its view is an error."""
    extension, row, unread = seen.extension, None, None
    if extension is not None and seen.here["preloaded"]:
        try:
            row = session.row(statements_query(extension, order), {"top": top})
        except Failed as error:
            unread = f"{error.problem}. {error.cure}"
    if row is not None:
        row = {**row, "statements": [_bare(one) for one in row["statements"]]}
    return Snapshot(seen.server, seen.here, seen.running, extension, seen.searched, 0, row, unread)


def _bare(row: Row) -> Row:
    return {**row, "query": without_secrets(row["query"] or "")}
