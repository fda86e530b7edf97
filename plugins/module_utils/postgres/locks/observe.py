# SPDX-License-Identifier: GPL-3.0-or-later
"""Who waits for which lock, behind whom: one statement, so that all of it was true at the same moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from ...clients.postgres_session import Session as Connection
from ..entry import SECONDS, enter, reach
from ..look import Look, ask
from ..server import describe
from ..sessions.look import ACTIVITY, SERVER, SESSION
from ..sessions.session import Session

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
        "sessions": f"""(SELECT coalesce(json_agg(x), '[]') FROM (
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

# Table 13.2 of the manual: with which of the others each mode conflicts.
_MODES = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
_CONFLICTS = ("7", "67", "4567", "34567", "23567", "234567", "1234567", "01234567")


@dataclass(frozen=True)
class Wanted:
    """A lock somebody waits for. `relation` is the name as SQL writes it, the oid where it is in another
    `database` than the one that was asked; `object` tells which one of its kind it is."""

    kind: str
    mode: str
    relation: str | None = None
    database: str | None = None
    object: str | None = None


@dataclass(frozen=True)
class Wait:
    """`blockers` are keys: pids, those of `Snapshot.prepared`, or 0 for a prepared transaction that has
    gone."""

    pid: int
    seconds: float
    wanted: Wanted
    blockers: tuple[int, ...]


@dataclass(frozen=True)
class Prepared:
    """A prepared transaction: `since` is the server's own text, `transactions` how many began after it."""

    gid: str
    since: str
    user: str
    database: str
    seconds: float
    transactions: int


@dataclass(frozen=True)
class Snapshot:
    """`waiting` counts everybody who waits, `waits` has those that wait longest, `beyond` the seconds of the
    others. `sessions` are who waits and who is waited for. A prepared transaction has a negative key."""

    waiting: int
    waits: tuple[Wait, ...]
    beyond: tuple[float, ...]
    sessions: Mapping[int, Session]
    prepared: Mapping[int, Prepared]
    subject: str = ""
    sees_all: bool = True


def conflict(wanted: str, held: str) -> bool:
    """Whether two modes exclude each other; those of unknown name do."""
    if wanted not in _MODES or held not in _MODES:
        return True
    return str(_MODES.index(held)) in _CONFLICTS[_MODES.index(wanted)]


def look(params: Mapping[str, Any]) -> Snapshot:
    """At the server of `entry.SPEC`."""
    server = reach(params)
    with enter(server, SECONDS) as connection:
        return observe(connection, describe(server))


def observe(connection: Connection, subject: str) -> Snapshot:
    snapshot = _read(ask(connection, WAITS, SERVER, timeout=SECONDS), subject)
    known = snapshot.sessions.keys() | snapshot.prepared.keys()
    if not snapshot.sees_all or all(known >= {*wait.blockers} for wait in snapshot.waits):
        return snapshot
    # A blocker that ended while it was looked up; what it held is free by now.
    return _read(ask(connection, WAITS, SERVER, timeout=SECONDS), subject)


def _read(row: Mapping[str, Any], subject: str) -> Snapshot:
    prepared = {-1 - number: Prepared(**one) for number, one in enumerate(row["prepared"])}
    keys = {one.gid: key for key, one in prepared.items()}
    holders: dict[int, list[int]] = {}
    for one in row["held"]:
        if conflict(one["wanted"], one["held"]):
            holders.setdefault(one["pid"], []).append(keys[one["gid"]])
    waits = [_wait(one, holders.get(one["pid"], [])) for one in row["waits"]]
    # Who is blocked by nobody has got its lock between the two looks.
    blocked = tuple(wait for wait in waits if wait.blockers)
    return Snapshot(
        waiting=row["waiting"] - len(waits) + len(blocked),
        waits=blocked,
        beyond=tuple(row["beyond"]),
        # Those of others have no start for who may not see them.
        sessions={one["pid"]: Session.of(one) for one in row["sessions"] if one["backend_start"]},
        prepared=prepared,
        subject=subject,
        sees_all=row["sees_all"],
    )


def _wait(one: Mapping[str, Any], holders: list[int]) -> Wait:
    blockers = [pid for pid in one["blockers"] if pid != PREPARED or not holders]
    if PREPARED in one["blockers"]:
        blockers += dict.fromkeys(holders)
    wanted = Wanted(one["kind"], one["mode"], one["relation"], one["database"], one["object"])
    return Wait(one["pid"], max(0.0, one["seconds"]), wanted, tuple(blockers))
