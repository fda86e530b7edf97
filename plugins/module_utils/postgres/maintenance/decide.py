# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tables and indexes are worked on, in which order, and which are not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Mapping, Sequence

from ...ledger import Entry
from ...lifecycle import Decision
from ...moments import iso
from ...plan import DISRUPTIVE, DONE, FAILED, Act, Plan
from ...quantities import speak_duration, speak_size
from ..storage.upkeep import AGE_WARNING
from .due import DEAD, STATISTICS, VACUUM_CURES, WRAPAROUND, allowed, due, holder, work
from .findings import held_back, judge
from .observe import LEFTOVER, Index, Snapshot, Table
from .room import Room

VACUUM, ANALYZE, BOTH, REINDEX, CLEAN_UP = "vacuum", "analyze", "vacuum_analyze", "reindex", "clean_up"
OPERATIONS = (VACUUM, ANALYZE, BOTH, REINDEX, CLEAN_UP)
# Below these are the catalogs.
FIRST_OID = 16384
# From here on the server itself leaves the indexes alone to be in time, from 14; before, we tell it to.
FAILSAFE_AGE, FAILSAFE_VERSION = 1_600_000_000, 140000
LISTED = 200


@dataclass(frozen=True)
class Policy:
    """`lock_timeout` and `timeout` are in seconds; `assume_space` goes on where no space is seen."""

    operation: str
    lock_timeout: float = 2.0
    timeout: float = 1800.0
    assume_space: bool = False


@dataclass(frozen=True)
class Done:
    """What was done within the last `seconds`; `entries` are those of the ledger."""

    seconds: float
    entries: Mapping[tuple[str, Any], Entry]

    def fresh(self, what: str, oid: int, seconds_ago: float | None) -> bool:
        """By what the server or the ledger says."""
        return (what, oid) in self.entries or (seconds_ago is not None and seconds_ago < self.seconds)


@dataclass(frozen=True)
class _Answer:
    """Of one object: whether it is as it should not be, the act for it or the reason for none."""

    wrong: bool
    act: Act | None = None
    refusal: Act | None = None


def decide(
    snapshot: Snapshot,
    policy: Policy,
    now: datetime,
    since: datetime,
    log: Sequence[Mapping[str, Any]] = (),
) -> Decision:
    """The symptom counts the objects that were not worked on `since`, or in vain. `log` is how it went so
    far."""
    done = Done((now - since).total_seconds(), _carried_out(snapshot, iso(since)))
    if policy.operation == REINDEX:
        answers = [_reindex(index, snapshot, policy, done) for index in _asked_indexes(snapshot)]
    elif policy.operation == CLEAN_UP:
        answers = [_clean_up(index, snapshot) for index in _suspects(snapshot)]
    else:
        tables = sorted(_asked_tables(snapshot, policy), key=_urgency)
        answers = [_table(table, snapshot, policy, done) for table in tables]
    return Decision(
        symptom=sum(answer.wrong for answer in answers),
        state=_state(snapshot, policy, log),
        findings=tuple(judge(snapshot)),
        plan=Plan(
            acts=tuple(answer.act for answer in answers if answer.act),
            refusals=tuple(answer.refusal for answer in answers if answer.refusal),
            sequential=False,
        ),
    )


def shortage(index: Index, room: Room, assume_space: bool) -> str | None:
    """Why a rebuild might fill a filesystem: it needs the size of the index where that lies, and as much
    again under the data directory for sorting and for the WAL."""
    target, data = room.at(index.location or ""), room.data
    if target is None or data is None:
        unseen = room.unseen or f"nothing is known of {index.location}"
        return (
            None
            if assume_space
            else f"the free space cannot be seen ({unseen}): look for {speak_size(2 * index.bytes)} and say "
            f"assume_space"
        )
    needs = {target.device: (target, index.bytes)}
    here, before = needs.get(data.device, (data, 0))
    needs[data.device] = (here, before + index.bytes)
    for volume, count in needs.values():
        if volume.free < count:
            return (
                f"it needs {speak_size(count)} on the filesystem of {volume.path}, where "
                f"{speak_size(volume.free)} are free"
            )
    return None


def _carried_out(snapshot: Snapshot, since: str) -> Mapping[tuple[str, Any], Entry]:
    """The newest act of the ledger, by what it was and by the oid of a table or by the name of an index: a
    rebuilt one has another oid."""
    found: dict[tuple[str, Any], Entry] = {}
    for entry in snapshot.ledger:
        given = entry.identity
        if (
            entry.time < since
            or entry.status not in (DONE, FAILED)
            or given.get("cluster") != snapshot.cluster
        ):
            continue
        if given.get("database") != snapshot.database:
            continue
        if entry.action == "postgres.reindex":
            # One that failed may have rebuilt it nevertheless.
            found[REINDEX, (given["schema"], given["name"])] = entry
        elif entry.status == DONE and entry.action in ("postgres.vacuum", "postgres.analyze"):
            if entry.action == "postgres.vacuum":
                found[VACUUM, given["oid"]] = entry
            if entry.action == "postgres.analyze" or given.get("analyze"):
                found[ANALYZE, given["oid"]] = entry
    return found


def _asked_tables(snapshot: Snapshot, policy: Policy) -> Sequence[Table]:
    if not snapshot.asked.nothing:
        return snapshot.tables
    cures = {VACUUM: VACUUM_CURES, ANALYZE: (STATISTICS,)}.get(policy.operation, (*VACUUM_CURES, STATISTICS))
    return [
        table
        for table in snapshot.tables
        if set(due(table, snapshot.settings)) & set(cures) and not snapshot.workers(table.oid)
    ]


def _urgency(table: Table) -> tuple[float, float, int]:
    """The oldest first where numbers run out, then the one with most dead rows."""
    age = max(table.age, table.multixacts)
    return (-age if age >= AGE_WARNING else 0, -max(table.dead, table.modified), table.oid)


def _table(table: Table, snapshot: Snapshot, policy: Policy, done: Done) -> _Answer:
    reasons = due(table, snapshot.settings)
    vacuum_due = bool({DEAD, WRAPAROUND} & set(reasons))
    wants_vacuum = policy.operation != ANALYZE and (
        vacuum_due or not done.fresh(VACUUM, table.oid, table.vacuumed_seconds)
    )
    wants_analyze = policy.operation != VACUUM and (
        STATISTICS in reasons or not done.fresh(ANALYZE, table.oid, table.analyzed_seconds)
    )
    nothing = not (wants_vacuum or wants_analyze)
    vacuum = wants_vacuum or (nothing and policy.operation != ANALYZE)
    act = _vacuum(table, snapshot, wants_analyze) if vacuum else _analyze(table, snapshot)
    if nothing:
        return _Answer(
            False, refusal=_said(act, f"done within {speak_duration(done.seconds)}", table.oid, snapshot)
        )
    busy = snapshot.workers(table.oid)
    if busy:
        return _Answer(True, refusal=act.refused(f"somebody works on it: {work(busy[0])}"))
    holding = held_back(table, snapshot) if wants_vacuum and vacuum_due else None
    if holding and done.fresh(VACUUM, 0, table.vacuumed_seconds):
        return _Answer(
            True,
            refusal=act.refused(
                f"vacuumed {speak_duration(table.vacuumed_seconds or 0)} ago, and it removes no more while "
                f"{holder(holding)} may see {table.dead} dead rows: end that first"
            ),
        )
    return _Answer(True, act=act)


def _said(act: Act, because: str, oid: int, snapshot: Snapshot) -> Act | None:
    """Of what was named itself; of a whole schema it would be a long list of nothing."""
    named = oid in (*snapshot.asked.tables, *snapshot.asked.indexes)
    return act.refused(f"not needed: {because}") if named else None


def _vacuum(table: Table, snapshot: Snapshot, analyze: bool) -> Act:
    limits = allowed(table, snapshot.settings)
    old = max(table.age, table.multixacts)
    first = snapshot.holders[0] if snapshot.holders else None
    kept = f"; rows that {holder(first)} may see stay" if first else ""
    aged = f", its oldest transaction number is {old} old" if old > limits.age else ""
    return Act(
        "postgres.vacuum",
        target=f"table {table} (oid {table.oid}) of {snapshot.database}",
        identity={
            **_identity(table, snapshot),
            "analyze": analyze,
            "skip_indexes": old >= FAILSAFE_AGE and snapshot.version < FAILSAFE_VERSION,
        },
        risk=DISRUPTIVE,
        reason=f"{table.dead} dead rows, {limits.dead:.0f} allowed{aged}{kept}",
    )


def _analyze(table: Table, snapshot: Snapshot) -> Act:
    limits = allowed(table, snapshot.settings)
    return Act(
        "postgres.analyze",
        target=f"table {table} (oid {table.oid}) of {snapshot.database}",
        identity=_identity(table, snapshot),
        risk=DISRUPTIVE,
        reason=f"{table.modified} rows were changed since the last one, {limits.modified:.0f} allowed",
    )


def _identity(thing: Table | Index, snapshot: Snapshot) -> dict[str, Any]:
    return {
        "cluster": snapshot.cluster,
        "database": snapshot.database,
        "schema": thing.schema,
        "name": thing.name,
        "oid": thing.oid,
        "filenode": thing.filenode,
    }


def _asked_indexes(snapshot: Snapshot) -> Sequence[Index]:
    """Smallest first. Without any named, those that no query can use."""
    found = snapshot.indexes
    if snapshot.asked.nothing:
        found = tuple(
            index
            for index in snapshot.invalid
            if index.kind == "i" and not index.leftover and not snapshot.workers(index.table_oid)
        )
    return sorted(found, key=lambda index: (index.bytes, index.oid))


def _reindex(index: Index, snapshot: Snapshot, policy: Policy, done: Done) -> _Answer:
    named = snapshot.asked.nothing or index.oid in snapshot.asked.indexes
    act = _rebuild(index, snapshot, policy)
    never = _never(index)
    if never:
        return _Answer(named, refusal=act.refused(never) if named or index.exclusion else None)
    entry = done.entries.get((REINDEX, (index.schema, index.name)))
    if entry is not None and entry.identity["oid"] != index.oid and index.valid:
        return _Answer(False, refusal=_said(act, f"rebuilt at {entry.time}", index.oid, snapshot))
    busy = snapshot.workers(index.table_oid)
    because = f"somebody works on {index.of}: {work(busy[0])}" if busy else None
    because = because or shortage(index, snapshot.room, policy.assume_space)
    return _Answer(True, refusal=act.refused(because)) if because else _Answer(True, act=act)


def _never(index: Index) -> str | None:
    if index.oid < FIRST_OID:
        return "an index of a catalog cannot be rebuilt without locking everybody out"
    if index.exclusion:
        return "the index of an exclusion constraint cannot be rebuilt without locking everybody out"
    if index.leftover:
        return "it is what a rebuild that failed left: clean_up removes it"
    return None


def _rebuild(index: Index, snapshot: Snapshot, policy: Policy) -> Act:
    first = max(snapshot.holders, key=lambda one: one["seconds"] or 0, default=None)
    slow = first and first["seconds"] is not None and first["seconds"] > policy.lock_timeout
    waits = (
        f"; the oldest transaction is {holder(first)}: if it still runs when the new index is built, that is "
        f"given up after {policy.lock_timeout:g} s"
        if first and slow
        else ""
    )
    state = "asked for" if index.valid else "invalid: no query uses it"
    return Act(
        "postgres.reindex",
        target=f"index {index} on {index.of} of {snapshot.database}",
        identity=_identity(index, snapshot),
        risk=DISRUPTIVE,
        reason=f"{state}, {speak_size(index.bytes)}{waits}",
    )


def _suspects(snapshot: Snapshot) -> Sequence[Index]:
    """The leftovers of what was asked for; what was named itself, whatever it is."""
    asked = {index.oid for index in snapshot.indexes}
    found = [
        index
        for index in snapshot.invalid
        if index.leftover and (snapshot.asked.nothing or index.oid in asked)
    ]
    others = [
        index for index in snapshot.indexes if index.oid in snapshot.asked.indexes and not index.leftover
    ]
    return [*found, *others]


def _clean_up(index: Index, snapshot: Snapshot) -> _Answer:
    act = Act(
        "postgres.index.drop",
        target=f"index {index} (oid {index.oid}) on {index.of} of {snapshot.database}",
        identity=_identity(index, snapshot),
        risk=DISRUPTIVE,
        reason=f"what a rebuild that failed left: invalid, {speak_size(index.bytes)}",
    )
    because = keep(index)
    busy = snapshot.workers(index.table_oid)
    if because is None and busy:
        because = f"somebody works on {index.of}: {work(busy[0])}"
    if because is None:
        return _Answer(True, act=act)
    return _Answer(index.leftover, refusal=act.refused(because))


def keep(index: Index) -> str | None:
    """Why an index is not a leftover that may be dropped."""
    if index.valid:
        return "it is valid"
    if index.constraint:
        return f"the constraint {index.constraint} rests on it"
    if index.identity:
        return "replication finds the rows of its table by it"
    if not LEFTOVER.search(index.name):
        return "it is invalid, and by its name no leftover of a rebuild: rebuild it, or drop it by hand"
    if not index.twin:
        return f"no other index of {index.of} is like it, so it may not be a leftover: drop it by hand"
    return None


def _state(snapshot: Snapshot, policy: Policy, log: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    shown: dict[str, Any] = {"database": snapshot.database, "work": [dict(one) for one in log]}
    if policy.operation == CLEAN_UP:
        shown["leftovers"] = [str(index) for index in _suspects(snapshot) if index.leftover][:LISTED]
    elif policy.operation == REINDEX:
        shown["indexes"] = [
            {"index": str(index), "bytes": index.bytes, "valid": index.valid, "filenode": index.filenode}
            for index in _asked_indexes(snapshot)
        ][:LISTED]
        shown["catalogs"] = "left out" if snapshot.asked.whole else None
    else:
        shown["tables"] = [
            {
                "table": str(table),
                "dead": table.dead,
                "modified": table.modified,
                "age": table.age,
                "vacuumed_seconds": table.vacuumed_seconds,
                "analyzed_seconds": table.analyzed_seconds,
            }
            for table in sorted(_asked_tables(snapshot, policy), key=_urgency)
        ][:LISTED]
    if snapshot.holders:
        shown["oldest_transaction"] = dict(snapshot.holders[0])
    return shown
