# SPDX-License-Identifier: GPL-3.0-or-later
"""Every session of a server, what is counted of them, and what holds back the clearing of dead rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from ...clients.postgres_session import ROWS
from ...clients.postgres_session import Session as Connection
from ...errors import Unreachable
from ..entry import SECONDS, enter, reach
from ..look import Look, ask
from ..server import describe
from .look import ACTIVITY, BUDGET, SERVER, SESSION, TRANSACTIONS
from .protection import Protection
from .session import Session

LISTED, GROUPED, HELD = 1000, 50, 20
GROUPS = ("user", "application", "client", "database")

# Without what every server runs for itself.
_ENTITLED = "database IS NOT NULL OR backend_type IN ('client backend', 'walsender')"

# A standby without a slot speaks through its walsender. What vacuums holds nothing back.
XMIN = Look(
    {
        "xmin": f"""(SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT * FROM (
      SELECT CASE backend_type WHEN 'walsender' THEN 'standby' ELSE 'backend' END AS kind, pid::text AS name,
        "user", application, database, state, held_transactions AS transactions,
        transaction_seconds AS seconds, query
      FROM a WHERE backend_type <> 'autovacuum worker'
      UNION ALL SELECT 'prepared', gid, owner::text, NULL, database::text, NULL, age(transaction),
        extract(epoch FROM clock_timestamp() - prepared)::float8, NULL
      FROM pg_prepared_xacts
      UNION ALL SELECT 'slot', slot_name::text, NULL, NULL, database::text,
        CASE WHEN active THEN 'active' ELSE 'inactive' END, greatest(age(xmin), age(catalog_xmin)), NULL, NULL
      FROM pg_replication_slots) held
    WHERE transactions IS NOT NULL ORDER BY transactions DESC, kind, name LIMIT {HELD}) x)"""
    },
    ACTIVITY,
)
COUNTS = Look(
    {
        f"by_{group}": f"""(SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT {f'"{group}"' if group != "client" else "coalesce(host(client), 'local')"} AS name,
      count(*) AS sessions, count(*) FILTER (WHERE state = 'active') AS active,
      count(*) FILTER (WHERE state = 'idle') AS idle,
      count(*) FILTER (WHERE state LIKE 'idle in transaction%%') AS idle_in_transaction
    FROM c GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {GROUPED}) x)"""
        for group in GROUPS
    },
    ACTIVITY,
)


def _sessions(most: int) -> Look:
    return Look(
        {
            "sessions": f"""(SELECT coalesce(json_agg(x), '[]') FROM (
    SELECT {SESSION} FROM a WHERE {_ENTITLED} ORDER BY state_seconds DESC NULLS LAST, pid LIMIT {most}) x)""",
            "total": f"(SELECT count(*) FROM a WHERE {_ENTITLED})",
        },
        ACTIVITY,
    )


@dataclass(frozen=True)
class Snapshot:
    """`facts` are those of the looks by their columns; `sessions` come the longest in their state first, and
    `more` of them were left out. `subject` is the server."""

    subject: str
    protection: Protection
    facts: Mapping[str, Any]
    sessions: tuple[Session, ...]
    more: int = 0


def everything(params: Mapping[str, Any]) -> Snapshot:
    """For a reader: at most LISTED sessions, and all that is counted."""
    server = reach(params)
    with enter(server, SECONDS) as connection:
        return _asked(connection, describe(server), Protection.of(server), LISTED, COUNTS, XMIN)


def sessions(connection: Connection, subject: str, protection: Protection) -> Snapshot:
    """For a change: every session. Raises `Unreachable` when some are hidden."""
    snapshot = _asked(connection, subject, protection, ROWS)
    if not snapshot.facts["sees_all"]:
        raise Unreachable(
            subject,
            f"{connection.access.user} is shown its own sessions only",
            f"GRANT pg_monitor, pg_signal_backend TO {connection.access.user}.",
        )
    return snapshot


def _asked(connection: Connection, subject: str, protection: Protection, most: int, *looks: Look) -> Snapshot:
    facts = dict(ask(connection, SERVER, BUDGET, TRANSACTIONS, _sessions(most), *looks))
    # Those of others have no start for who may not see them.
    listed = tuple(Session.of(row) for row in facts.pop("sessions") if row["backend_start"])
    return Snapshot(subject, protection, facts, listed, facts.pop("total") - len(listed))
