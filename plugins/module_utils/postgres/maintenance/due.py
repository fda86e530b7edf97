# SPDX-License-Identifier: GPL-3.0-or-later
"""What is due by the rules of autovacuum, those of the table itself included, and how far work has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from ...quantities import share, speak_duration
from ..storage.upkeep import AGE_CRITICAL, AGE_WARNING, BEYOND
from .observe import Table, Worker

DEAD, INSERTS, STATISTICS, WRAPAROUND = "dead", "inserts", "statistics", "wraparound"
# Which of them a vacuum cures; the other one is cured by an analyze.
VACUUM_CURES = (DEAD, INSERTS, WRAPAROUND)
# It is never analyzed.
PG_STATISTIC = 2619
_OFF = ("off", "false", "0", "f", "no", "n", "of")

# For the phases of which there is a measure: what is done, and of how much.
_MEASURES: Mapping[str, tuple[str, str]] = {
    "scanning heap": ("heap_blks_scanned", "heap_blks_total"),
    "seq scanning heap": ("heap_blks_scanned", "heap_blks_total"),
    "vacuuming heap": ("heap_blks_vacuumed", "heap_blks_total"),
    "vacuuming indexes": ("indexes_processed", "indexes_total"),
    "cleaning up indexes": ("indexes_processed", "indexes_total"),
    "acquiring sample rows": ("sample_blks_scanned", "sample_blks_total"),
    "acquiring inherited sample rows": ("sample_blks_scanned", "sample_blks_total"),
}


@dataclass(frozen=True)
class Allowed:
    """So many rows and so old a transaction number before autovacuum comes; None: that brings it never."""

    dead: float
    inserted: float | None
    modified: float
    age: int
    multixacts: int
    enabled: bool


def allowed(table: Table, settings: Mapping[str, str]) -> Allowed:
    own = dict(option.partition("=")[::2] for option in table.options)

    def number(name: str, missing: float = 0.0) -> float:
        value = float(settings.get(name) or missing)
        return float(own[name]) if name in own else value

    def limit(kind: str) -> float:
        scale = number(f"autovacuum_{kind}_scale_factor")
        return number(f"autovacuum_{kind}_threshold") + scale * table.tuples

    def ceiling(name: str) -> int:
        # Its own value can only bring it earlier.
        return int(min(number(name), float(settings.get(name) or 0)))

    # From 18.
    most = number("autovacuum_vacuum_max_threshold", -1)
    dead = limit("vacuum")
    return Allowed(
        dead=min(dead, most) if most >= 0 else dead,
        inserted=None if number("autovacuum_vacuum_insert_threshold") < 0 else limit("vacuum_insert"),
        modified=limit("analyze"),
        age=ceiling("autovacuum_freeze_max_age"),
        multixacts=ceiling("autovacuum_multixact_freeze_max_age"),
        enabled=settings.get("autovacuum") == "on"
        and settings.get("track_counts") == "on"
        and own.get("autovacuum_enabled", "on").lower() not in _OFF,
    )


def due(table: Table, settings: Mapping[str, str]) -> tuple[str, ...]:
    """Why a table is due: some of DEAD, INSERTS, STATISTICS and WRAPAROUND."""
    limits = allowed(table, settings)
    whole = table.kind != "p"
    found = {
        DEAD: whole and table.dead > limits.dead,
        INSERTS: whole and limits.inserted is not None and table.inserted > limits.inserted,
        STATISTICS: table.oid != PG_STATISTIC and table.modified > limits.modified,
        WRAPAROUND: table.age > limits.age or table.multixacts > limits.multixacts,
    }
    return tuple(reason for reason, holds in found.items() if holds)


def age_level(table: Table, limits: Allowed) -> int:
    """0, 1 for an age that says that vacuum does not succeed, 2 when writes will stop soon."""
    oldest = max(table.age, table.multixacts)
    if oldest >= AGE_CRITICAL:
        return 2
    late = any(
        age >= max(AGE_WARNING, BEYOND * forced)
        for age, forced in ((table.age, limits.age), (table.multixacts, limits.multixacts))
    )
    return 1 if late else 0


def share_done(worker: Worker) -> float | None:
    """Of the phase it is in, in percent; None where the server keeps no measure of it."""
    progress = worker.progress
    phase = str(progress.get("phase") or "")
    if worker.operation == "create_index":
        if phase.startswith("waiting"):
            measure = ("lockers_done", "lockers_total")
        elif progress.get("tuples_total"):
            measure = ("tuples_done", "tuples_total")
        else:
            measure = ("blocks_done", "blocks_total")
    else:
        measure = _MEASURES.get(phase, ("", ""))
    done, total = (progress.get(name) for name in measure)
    return share(done or 0, total) if total else None


def who(one: Mapping[str, Any]) -> str:
    """A session of a row with pid, user, application and state, as a person says it."""
    name = one.get("user") or one.get("backend_type") or "somebody"
    application = f" ({one['application']})" if one.get("application") else ""
    seconds = one.get("transaction_seconds")
    since = f", its transaction is {speak_duration(seconds)} old" if seconds is not None else ""
    return f"pid {one['pid']} of {name}{application}, {one.get('state') or 'working'}{since}"


def holder(one: Mapping[str, Any]) -> str:
    """What keeps dead rows, from a row of the look XMIN."""
    seconds = f" for {speak_duration(one['seconds'])}" if one["seconds"] is not None else ""
    if one["kind"] == "prepared":
        return f"the prepared transaction {one['name']}{seconds}"
    if one["kind"] == "slot":
        return f"the {one['state']} replication slot {one['name']}"
    if one["kind"] == "standby":
        return f"a query on the standby behind pid {one['name']}"
    return f"pid {one['name']} of {one['user'] or 'somebody'} ({one['state'] or 'working'}{seconds})"


def work(worker: Worker) -> str:
    """Who works on a table and how far it is."""
    name = worker.backend_type if worker.backend_type != "client backend" else worker.user
    phase = str(worker.progress.get("phase") or "")
    done = share_done(worker)
    so_far = f", {done:g} %" if done is not None else ""
    said = worker.operation.replace("_", " ")
    return f"{said} by pid {worker.pid} of {name or 'somebody'} ({phase}{so_far})"
