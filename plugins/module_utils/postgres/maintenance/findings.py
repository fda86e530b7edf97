# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with tables and indexes, and the answer to who asks what runs and what is due."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ...finding import CRITICAL, NOTICE, WARNING, Finding
from ...quantities import speak_count, speak_duration, speak_list, speak_size
from ..storage.upkeep import AGE_LIMIT
from .due import DEAD, STATISTICS, age_level, allowed, due, holder, share_done, who
from .observe import Index, Snapshot, Table, Worker

LISTED, NAMED = 200, 3
# Beyond what autovacuum allows by so much, in a table of some size, it does not keep up.
OVERDUE, MANY = 3, 10_000
LOCKER_SECONDS = 60


def inform(snapshot: Snapshot) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    """What pg_maintenance_info returns."""
    room = snapshot.room
    data = {
        "database": snapshot.database,
        "in_recovery": snapshot.in_recovery,
        "autovacuum": snapshot.settings.get("autovacuum") == "on",
        "running": [_worker(worker) for worker in snapshot.running],
        "due": [_due(table, snapshot) for table in _all_due(snapshot)][:LISTED],
        "invalid_indexes": [_index(index) for index in _broken(snapshot) if not index.leftover],
        "leftovers": [_index(index) for index in _broken(snapshot) if index.leftover],
        "holders": [dict(one) for one in snapshot.holders],
        "free_bytes": room.data.free if room.data else None,
        "unseen": room.unseen,
    }
    return data, [*judge(snapshot), *_unseen(snapshot)]


def judge(snapshot: Snapshot) -> Iterator[Finding]:
    for worker in snapshot.running:
        yield from _waiting(worker, snapshot)
    yield from _dead(snapshot)
    yield from _statistics(snapshot)
    yield from _wraparound(snapshot)
    for index in _broken(snapshot):
        yield _leftover(index, snapshot) if index.leftover else _invalid(index, snapshot)


def _broken(snapshot: Snapshot) -> list[Index]:
    """One that is being built is not valid yet."""
    return [
        index
        for index in snapshot.invalid
        if not any(one.operation == "create_index" for one in snapshot.workers(index.table_oid))
    ]


def _all_due(snapshot: Snapshot) -> list[Table]:
    """Those nobody works on. A standby counts no rows of its own."""
    if snapshot.in_recovery:
        return []
    return [
        table
        for table in snapshot.tables
        if due(table, snapshot.settings) and not snapshot.workers(table.oid)
    ]


def _waiting(worker: Worker, snapshot: Snapshot) -> Iterator[Finding]:
    if worker.locker is None:
        return
    seconds = worker.locker["transaction_seconds"] or 0
    yield Finding(
        id="postgres.maintenance.waiting",
        level=WARNING if seconds >= LOCKER_SECONDS else NOTICE,
        subject=f"{snapshot.subject}, pid {worker.pid}",
        summary=f"the build of {worker.index or 'an index'} on {worker.table or 'a table'} by pid "
        f"{worker.pid} runs for {speak_duration(worker.seconds or 0)} and waits for {who(worker.locker)}",
        evidence=_worker(worker),
    )


def _dead(snapshot: Snapshot) -> Iterator[Finding]:
    tables = [table for table in _all_due(snapshot) if DEAD in due(table, snapshot.settings)]
    if not tables:
        return
    tables.sort(key=lambda table: -table.dead)
    first, limits = tables[0], allowed(tables[0], snapshot.settings)
    late = [table for table in tables if _overdue(table.dead, allowed(table, snapshot.settings).dead)]
    comes = "" if limits.enabled else "; autovacuum is off for it"
    yield Finding(
        id="postgres.table.vacuum_due",
        level=WARNING if late else NOTICE,
        subject=snapshot.subject,
        summary=f"{speak_count(len(tables), 'table')} with more dead rows than autovacuum allows, most in "
        f"{first}: {first.dead} are dead, {limits.dead:.0f} allowed, last vacuum "
        f"{_ago(first.vacuumed_seconds)}{comes}",
        evidence={"tables": [_due(table, snapshot) for table in tables[:LISTED]]},
    )
    held = [table for table in tables if held_back(table, snapshot)]
    if held:
        said = holder(snapshot.holders[0])
        yield Finding(
            id="postgres.vacuum.held_back",
            level=WARNING if late else NOTICE,
            subject=snapshot.subject,
            summary=f"vacuum ran on {speak_list([str(table) for table in held], NAMED)} and could not remove "
            f"the dead rows, because {said} may still see them",
            evidence={"holder": dict(snapshot.holders[0]), "tables": [str(table) for table in held]},
        )


def held_back(table: Table, snapshot: Snapshot) -> Mapping[str, Any] | None:
    """Who was there before the last vacuum of a table that has more dead rows than allowed."""
    first = snapshot.holders[0] if snapshot.holders else None
    if first is None or table.vacuumed_seconds is None or not due(table, snapshot.settings):
        return None
    # A slot says for how many transactions, not for how long.
    return first if first["seconds"] is None or first["seconds"] > table.vacuumed_seconds else None


def _statistics(snapshot: Snapshot) -> Iterator[Finding]:
    tables = [table for table in _all_due(snapshot) if STATISTICS in due(table, snapshot.settings)]
    if not tables:
        return
    tables.sort(key=lambda table: -table.modified)
    first, limits = tables[0], allowed(tables[0], snapshot.settings)
    late = any(_overdue(table.modified, allowed(table, snapshot.settings).modified) for table in tables)
    yield Finding(
        id="postgres.table.analyze_due",
        level=WARNING if late else NOTICE,
        subject=snapshot.subject,
        summary=f"{speak_count(len(tables), 'table')} with statistics older than autovacuum allows, the "
        f"oldest of {first}: {first.modified} rows were changed since, {limits.modified:.0f} allowed, last "
        f"analyze {_ago(first.analyzed_seconds)}: the planner guesses",
        evidence={"tables": [_due(table, snapshot) for table in tables[:LISTED]]},
    )


def _wraparound(snapshot: Snapshot) -> Iterator[Finding]:
    levels = {table.oid: age_level(table, allowed(table, snapshot.settings)) for table in snapshot.tables}
    tables = [table for table in snapshot.tables if levels[table.oid]]
    if not tables:
        return
    tables.sort(key=lambda table: -max(table.age, table.multixacts))
    left = max(0, AGE_LIMIT - max(tables[0].age, tables[0].multixacts))
    first = f"; {holder(snapshot.holders[0])} comes before it" if snapshot.holders else ""
    yield Finding(
        id="postgres.table.wraparound_near",
        level=CRITICAL if levels[tables[0].oid] == 2 else WARNING,
        subject=snapshot.subject,
        summary=f"{speak_list([str(table) for table in tables], NAMED)}: {left // 1_000_000} million "
        f"transaction numbers are left before the server takes no more writes. Vacuum them{first}",
        evidence={"left": left, "tables": [_due(table, snapshot) for table in tables[:LISTED]]},
    )


def _leftover(index: Index, snapshot: Snapshot) -> Finding:
    cost = "every write keeps it up to date" if index.ready else "nothing uses it"
    return Finding(
        id="postgres.index.leftover",
        level=WARNING if index.ready else NOTICE,
        subject=f"{snapshot.subject}, index {index}",
        summary=f"{index} ({speak_size(index.bytes)}) on {index.of} is what a rebuild that failed left, and "
        f"{cost}: drop it with the operation clean_up",
        evidence=_index(index),
    )


def _invalid(index: Index, snapshot: Snapshot) -> Finding:
    if index.kind == "I":
        said = "an index of it is missing or invalid on a partition"
    else:
        kept = ", it enforces nothing" if index.unique else ""
        said = f"no query uses it{kept}: rebuild it, or drop it if a CREATE INDEX CONCURRENTLY failed"
    return Finding(
        id="postgres.index.invalid",
        level=WARNING,
        subject=f"{snapshot.subject}, index {index}",
        summary=f"{index} ({speak_size(index.bytes)}) on {index.of} is invalid: {said}",
        evidence=_index(index),
    )


def _unseen(snapshot: Snapshot) -> Iterator[Finding]:
    if not snapshot.sees_all:
        yield Finding(
            id="postgres.maintenance.unseen",
            level=WARNING,
            subject=snapshot.subject,
            summary="the administrator is not shown what others work on: GRANT pg_read_all_stats to it",
        )
    if snapshot.room.unseen:
        yield Finding(
            id="postgres.maintenance.space_unseen",
            level=NOTICE,
            subject=snapshot.subject,
            summary=f"the free space under its data cannot be seen, so no index is rebuilt: "
            f"{snapshot.room.unseen}",
        )


def _overdue(rows: int, limit: float) -> bool:
    return rows >= MANY and rows > OVERDUE * limit


def _ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{speak_duration(seconds)} ago"


def _worker(worker: Worker) -> dict[str, Any]:
    progress = worker.progress
    return {
        "operation": worker.operation,
        "command": progress.get("command"),
        "phase": progress.get("phase"),
        "share": share_done(worker),
        "pid": worker.pid,
        "since": worker.since,
        "seconds": worker.seconds,
        "database": worker.database,
        "table": worker.table,
        "index": worker.index,
        "user": worker.user,
        "application": worker.application,
        "backend_type": worker.backend_type,
        "lockers_done": progress.get("lockers_done"),
        "lockers_total": progress.get("lockers_total"),
        "waits_for": worker.locker,
        "index_passes": progress.get("index_vacuum_count"),
    }


def _due(table: Table, snapshot: Snapshot) -> dict[str, Any]:
    limits = allowed(table, snapshot.settings)
    return {
        "table": str(table),
        "reasons": list(due(table, snapshot.settings)),
        "bytes": table.pages * int(snapshot.settings.get("block_size", 8192)),
        "rows": int(table.tuples),
        "dead": table.dead,
        "dead_allowed": int(limits.dead),
        "modified": table.modified,
        "modified_allowed": int(limits.modified),
        "inserted": table.inserted,
        "inserted_allowed": None if limits.inserted is None else int(limits.inserted),
        "age": table.age,
        "multixacts": table.multixacts,
        "age_allowed": limits.age,
        "autovacuum": limits.enabled,
        "vacuumed_seconds": table.vacuumed_seconds,
        "analyzed_seconds": table.analyzed_seconds,
    }


def _index(index: Index) -> dict[str, Any]:
    return {
        "index": str(index),
        "table": index.of,
        "bytes": index.bytes,
        "valid": index.valid,
        "ready": index.ready,
        "unique": index.unique,
        "constraint": index.constraint,
    }
