# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.ledger import Entry
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import Decision
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance import decide as module
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.decide import (
    Policy,
    shortage,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.observe import (
    Asked,
    Index,
    Snapshot,
    Table,
    Worker,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.room import Room, Volume

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ORDERS = Asked(tables=(16400,))

MakeTable = Callable[..., Table]
MakeIndex = Callable[..., Index]
MakeSnapshot = Callable[..., Snapshot]


def decided(snapshot: Snapshot, operation: str, fresh: timedelta = HOUR, **policy: Any) -> Decision:
    decision = module.decide(snapshot, Policy(operation, **policy), NOW, NOW - fresh)
    json.dumps([decision.state, [finding.as_dict() for finding in decision.findings]])
    return decision


def acts(decision: Decision) -> list[tuple[str, Any]]:
    return [(act.action, act.identity["name"]) for act in decision.plan.acts]


def refusal(decision: Decision) -> str:
    assert not decision.plan.acts
    (act,) = decision.plan.refusals
    return act.reason


def entry(action: str, status: str = "done", minutes: int = 10, **identity: Any) -> Entry:
    return Entry(
        time=(NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        run="r",
        incident=None,
        playbook=None,
        actor=None,
        action=action,
        target="t",
        identity={"cluster": "7412", "database": "shop", "schema": "public", **identity},
        risk="disruptive",
        status=status,
        reason="",
        undo=None,
    )


def test_what_was_named_is_vacuumed_even_if_it_is_not_due(snapshot: MakeSnapshot, table: MakeTable) -> None:
    decision = decided(snapshot(tables=(table(),), asked=ORDERS), "vacuum")
    assert (decision.symptom, acts(decision)) == (1, [("postgres.vacuum", "orders")])
    assert decision.plan.acts[0].risk == "disruptive"


def test_without_a_name_only_what_is_due_is_worked_on(snapshot: MakeSnapshot, table: MakeTable) -> None:
    tables = (table(oid=1, name="calm"), table(oid=2, name="stale", modified=9999), table(oid=3, dead=9999))
    assert acts(decided(snapshot(tables=tables), "vacuum")) == [("postgres.vacuum", "orders")]
    assert acts(decided(snapshot(tables=tables), "analyze")) == [("postgres.analyze", "stale")]
    assert decided(snapshot(tables=(table(),)), "vacuum_analyze").symptom == 0


def test_what_the_server_or_the_ledger_knows_as_done_is_not_done_again(
    snapshot: MakeSnapshot, table: MakeTable
) -> None:
    by_server = snapshot(tables=(table(vacuumed_seconds=60.0),), asked=ORDERS)
    by_ledger = snapshot(tables=(table(),), asked=ORDERS, ledger=(entry("postgres.vacuum", oid=16400),))
    for seen in (by_server, by_ledger):
        decision = decided(seen, "vacuum")
        assert decision.symptom == 0
        assert refusal(decision) == "not needed: done within 1 h"
        assert decision.plan.refusals[0].action == "postgres.vacuum"


@pytest.mark.parametrize(
    "other",
    [
        {"oid": 1},
        {"oid": 16400, "cluster": "1"},
        {"oid": 16400, "database": "x"},
        {"oid": 16400, "minutes": 61},
    ],
)
def test_another_table_server_or_day_in_the_ledger_says_nothing(
    snapshot: MakeSnapshot, table: MakeTable, other: dict[str, Any]
) -> None:
    ledger = (entry("postgres.vacuum", **{"oid": 16400, **other}),)
    assert decided(snapshot(tables=(table(),), asked=ORDERS, ledger=ledger), "vacuum").symptom == 1


def test_new_dead_rows_are_vacuumed_though_it_was_done(snapshot: MakeSnapshot, table: MakeTable) -> None:
    seen = snapshot(
        tables=(table(dead=9999, vacuumed_seconds=60.0),),
        asked=ORDERS,
        ledger=(entry("postgres.vacuum", oid=16400),),
    )
    assert acts(decided(seen, "vacuum")) == [("postgres.vacuum", "orders")]


def test_vacuum_is_not_repeated_while_somebody_may_see_the_rows(
    snapshot: MakeSnapshot, table: MakeTable, holder: Callable[..., dict[str, Any]]
) -> None:
    rows = (table(dead=9999, vacuumed_seconds=60.0),)
    decision = decided(snapshot(tables=rows, asked=ORDERS, holders=(holder(),)), "vacuum")
    assert "pid 4242 of web (idle in transaction for 14 min) may see 9999 dead rows" in refusal(decision)
    assert decision.symptom == 1
    assert "postgres.vacuum.held_back" in {finding.id for finding in decision.findings}
    younger = snapshot(tables=rows, asked=ORDERS, holders=(holder(seconds=30.0),))
    assert len(acts(decided(younger, "vacuum"))) == 1


def test_only_the_half_that_is_missing_is_done(snapshot: MakeSnapshot, table: MakeTable) -> None:
    def of(**given: Any) -> Decision:
        return decided(snapshot(tables=(table(**given),), asked=ORDERS), "vacuum_analyze")

    both, analyze, vacuum = of(), of(vacuumed_seconds=60.0), of(analyzed_seconds=60.0)
    assert (acts(both)[0][0], both.plan.acts[0].identity["analyze"]) == ("postgres.vacuum", True)
    assert acts(analyze)[0][0] == "postgres.analyze"
    assert (acts(vacuum)[0][0], vacuum.plan.acts[0].identity["analyze"]) == ("postgres.vacuum", False)


@pytest.mark.parametrize(("version", "skip"), [(130018, True), (140001, False)])
def test_near_the_end_of_numbers_the_oldest_comes_first_and_indexes_wait(
    snapshot: MakeSnapshot, table: MakeTable, version: int, skip: bool
) -> None:
    tables = (table(oid=1, name="a", dead=10**6), table(oid=2, name="b", age=1_700_000_000))
    decision = decided(snapshot(tables=tables, version=version), "vacuum")
    assert [name for _action, name in acts(decision)] == ["b", "a"]
    assert [act.identity["skip_indexes"] for act in decision.plan.acts] == [skip, False]


@pytest.mark.parametrize("operation", ["vacuum", "analyze", "reindex", "clean_up"])
def test_who_works_on_a_table_is_left_alone(
    snapshot: MakeSnapshot,
    table: MakeTable,
    index: MakeIndex,
    leftover: MakeIndex,
    worker: Callable[..., Worker],
    operation: str,
) -> None:
    index_asked = Asked(indexes=(16500,)) if operation == "reindex" else Asked()
    seen = snapshot(
        tables=(table(),),
        indexes=(index(),),
        invalid=(leftover(),),
        running=(worker(),),
        asked=ORDERS if operation in ("vacuum", "analyze") else index_asked,
    )
    decision = decided(seen, operation)
    assert "vacuum by pid 77" in refusal(decision)
    assert decision.symptom == 1


def test_who_works_on_the_same_number_in_another_database_is_none(
    snapshot: MakeSnapshot, table: MakeTable, worker: Callable[..., Worker]
) -> None:
    elsewhere = worker(database="other", table=None)
    assert len(acts(decided(snapshot(tables=(table(),), asked=ORDERS, running=(elsewhere,)), "vacuum"))) == 1


def test_indexes_are_rebuilt_smallest_first(snapshot: MakeSnapshot, index: MakeIndex) -> None:
    seen = snapshot(
        indexes=(index(name="big", bytes=9), index(oid=16501, name="small", bytes=1)), asked=Asked(whole=True)
    )
    assert [name for _action, name in acts(decided(seen, "reindex"))] == ["small", "big"]


def test_without_a_name_invalid_indexes_are_rebuilt_and_leftovers_are_not(
    snapshot: MakeSnapshot, index: MakeIndex, leftover: MakeIndex
) -> None:
    invalid = (index(valid=False), leftover(), index(oid=5, kind="I", name="parts_n", valid=False))
    assert acts(decided(snapshot(invalid=invalid), "reindex")) == [("postgres.reindex", "orders_n")]


def test_a_rebuilt_index_has_another_oid(snapshot: MakeSnapshot, index: MakeIndex) -> None:
    asked = Asked(indexes=(16501,))
    ledger = (entry("postgres.reindex", name="orders_n", oid=16500),)
    rebuilt = decided(snapshot(indexes=(index(oid=16501),), asked=asked, ledger=ledger), "reindex")
    assert rebuilt.symptom == 0
    assert "rebuilt at 2026-11-22T05:50" in refusal(rebuilt)
    # Recorded as done, and still the old one; or the new one is invalid.
    for same in (index(oid=16500), index(oid=16501, valid=False)):
        decision = decided(snapshot(indexes=(same,), asked=asked, ledger=ledger), "reindex")
        assert (decision.symptom, len(acts(decision))) == (1, 1)


def test_what_this_run_has_done_counts_whatever_is_fresh(snapshot: MakeSnapshot, index: MakeIndex) -> None:
    ledger = (entry("postgres.reindex", name="orders_n", oid=16500, minutes=1),)
    seen = snapshot(indexes=(index(oid=16501),), asked=Asked(indexes=(16501,)), ledger=ledger)
    assert decided(seen, "reindex", fresh=timedelta(minutes=2)).symptom == 0
    assert decided(seen, "reindex", fresh=timedelta(0)).symptom == 1


@pytest.mark.parametrize(
    ("given", "because"),
    [
        ({"oid": 2662, "schema": "pg_catalog"}, "catalog"),
        ({"exclusion": True}, "exclusion constraint"),
        ({"name": "orders_n_ccnew1", "valid": False, "twin": True}, "clean_up"),
    ],
)
def test_what_cannot_be_rebuilt_without_locking_is_refused(
    snapshot: MakeSnapshot, index: MakeIndex, given: dict[str, Any], because: str
) -> None:
    one = index(**given)
    named = decided(snapshot(indexes=(one,), asked=Asked(indexes=(one.oid,))), "reindex")
    assert because in refusal(named)
    assert named.symptom == 1
    # Nobody asked for it: it must not make every run a failure.
    assert decided(snapshot(indexes=(one,), asked=Asked(whole=True)), "reindex").symptom == 0


def test_an_index_waits_for_room(snapshot: MakeSnapshot, index: MakeIndex) -> None:
    def of(room: Room, **policy: Any) -> Decision:
        seen = snapshot(indexes=(index(bytes=1000),), asked=Asked(indexes=(16500,)), room=room)
        return decided(seen, "reindex", **policy)

    full = Room(Volume("/d", "1", 1999))
    assert "it needs 2.0 KiB on the filesystem of /d" in refusal(of(full))
    assert len(acts(of(Room(Volume("/d", "1", 2000))))) == 1
    assert "cannot be seen (no engine)" in refusal(of(Room(unseen="no engine")))
    assert len(acts(of(Room(unseen="no engine"), assume_space=True))) == 1
    assert not acts(of(full, assume_space=True))


def test_a_tablespace_is_counted_by_its_filesystem(index: MakeIndex) -> None:
    one = index(bytes=1000, location="/fast")
    data, fast = Volume("/d", "1", 1500), Volume("/fast", "2", 1500)
    assert shortage(one, Room(data, {"/fast": fast}), False) is None
    assert shortage(one, Room(data, {"/fast": Volume("/fast", "1", 1500)}), False) is not None
    assert "/fast" in str(shortage(one, Room(data, {"/fast": Volume("/fast", "2", 999)}), False))
    assert "/fast" in str(shortage(one, Room(data), False))


def test_an_old_transaction_is_named_before_the_rebuild(
    snapshot: MakeSnapshot, index: MakeIndex, holder: Callable[..., dict[str, Any]]
) -> None:
    seen = snapshot(indexes=(index(),), asked=Asked(indexes=(16500,)), holders=(holder(),))
    assert "pid 4242 of web" in decided(seen, "reindex").plan.acts[0].reason


def test_leftovers_are_dropped(snapshot: MakeSnapshot, leftover: MakeIndex, index: MakeIndex) -> None:
    old = leftover(oid=16601, name="orders_n_ccold2")
    decision = decided(snapshot(invalid=(leftover(), old, index(valid=False))), "clean_up")
    assert (decision.symptom, [name for _action, name in acts(decision)]) == (
        2,
        ["orders_n_ccnew", "orders_n_ccold2"],
    )
    found = {finding.id for finding in decision.findings}
    assert found == {"postgres.index.leftover", "postgres.index.invalid"}


@pytest.mark.parametrize(
    ("given", "because"),
    [
        ({"valid": True}, "it is valid"),
        ({"constraint": "orders_pkey"}, "the constraint orders_pkey rests on it"),
        ({"identity": True}, "replication"),
        ({"name": "orders_new"}, "by its name no leftover"),
        ({"twin": False}, "no other index of public.orders is like it"),
    ],
)
def test_what_is_no_leftover_is_never_dropped(
    snapshot: MakeSnapshot, leftover: MakeIndex, given: dict[str, Any], because: str
) -> None:
    one = leftover(**given)
    invalid = () if one.valid else (one,)
    named = decided(snapshot(indexes=(one,), invalid=invalid, asked=Asked(indexes=(one.oid,))), "clean_up")
    assert because in refusal(named)
