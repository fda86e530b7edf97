# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import Decision
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks.decide import Wish, decide
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks.snapshot import Snapshot
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.protection import (
    Protection,
)

from .conftest import ALTER, READER, ROOT, person, prepared, wait

Make = Callable[..., Snapshot]


def decided(snapshot: Snapshot, **wish: Any) -> Decision:
    return decide(snapshot, Wish(**{"min_waiting": 5, **wish}), Protection().why_not)


def planned(decision: Decision) -> list[tuple[str, str]]:
    return [(act.action, act.target.partition(" (")[0]) for act in decision.plan.acts]


def refused(decision: Decision) -> str:
    assert decision.plan.acts == ()
    (act,) = decision.plan.refusals
    assert act.status == "refused"
    return act.reason


def test_only_the_root_ends_never_those_that_wait(make: Make) -> None:
    decision = decided(make())
    assert planned(decision) == [("postgres.terminate", f"pid {ROOT}")]
    assert decision.plan.refusals == ()
    assert decision.symptom == 2
    assert decision.plan.acts[0].risk == "disruptive"


def test_the_reason_tells_who_it_is_and_what_it_costs(make: Make) -> None:
    (act,) = decided(make()).plan.acts
    assert act.reason == (
        "root of 2 waiting sessions, the longest for 30 s; web (api), idle in transaction for 40 s: SELECT 1"
    )


def test_a_root_for_whom_nobody_has_waited_long_enough_is_left_alone(make: Make) -> None:
    decision = decided(make(), min_waiting=31)
    assert (planned(decision), decision.plan.refusals, decision.symptom) == ([], (), 0)


def test_the_longest_wait_counts_also_behind_another_waiter(make: Make) -> None:
    waits = (wait(ALTER, ROOT, seconds=1.0), wait(300, ALTER, seconds=9.0))
    decision = decided(make(waits=waits))
    assert planned(decision) == [("postgres.terminate", f"pid {ROOT}")]
    assert decision.symptom == 1


@pytest.mark.parametrize(
    ("state", "method", "expected"),
    [
        ("active", "auto", "postgres.cancel_or_terminate"),
        ("disabled", "auto", "postgres.cancel_or_terminate"),
        ("idle in transaction", "auto", "postgres.terminate"),
        ("idle", "auto", "postgres.terminate"),
        ("active", "terminate", "postgres.terminate"),
        ("active", "cancel", "postgres.cancel"),
    ],
)
def test_what_runs_is_cancelled_first_what_is_idle_is_ended(
    make: Make, state: str, method: str, expected: str
) -> None:
    decision = decided(make(root=person(ROOT, state=state)), method=method)
    assert [act.action for act in decision.plan.acts] == [expected]


def test_a_cancel_of_who_is_idle_in_transaction_is_refused(make: Make) -> None:
    assert refused(decided(make(), method="cancel")).startswith(
        "it runs nothing, so that a cancel does nothing"
    )


def test_who_was_in_its_state_for_long_must_still_be_in_it(make: Make) -> None:
    (act,) = decided(make()).plan.acts
    assert act.identity["state"] == "idle in transaction"
    assert act.identity["state_change"] == "2026-11-21T22:02:00+00:00"


def test_who_changes_its_state_all_the_time_is_told_by_its_start_alone(make: Make) -> None:
    root = person(ROOT, state="idle in transaction", state_seconds=0.1)
    (act,) = decided(make(root=root)).plan.acts
    assert sorted(act.identity) == ["backend_start", "pid"]


@pytest.mark.parametrize(
    ("given", "because"),
    [
        ({"superuser": True}, "role web is a superuser"),
        ({"application": "pg_dump"}, "it is pg_dump"),
        ({"backend_type": "walsender"}, "it is a walsender"),
        ({"query": "LISTEN jobs"}, "it listens"),
        ({"backend_type": "autovacuum worker"}, "it is autovacuum, which gives way"),
        (
            {
                "backend_type": "autovacuum worker",
                "query": "autovacuum: VACUUM public.orders (to prevent wraparound)",
            },
            "it is autovacuum against wraparound",
        ),
        ({"backend_type": "startup"}, "it replays"),
        ({"wait_event_type": "Lock"}, "it waits itself"),
    ],
)
def test_a_root_that_must_not_end_is_refused_with_its_reason(
    make: Make, given: dict[str, Any], because: str
) -> None:
    decision = decided(make(root=person(ROOT, **given)))
    assert refused(decision).startswith(because)
    assert "It is the root of 2 waiting sessions, the longest for 30 s" in refused(decision)
    assert decision.symptom == 2


@pytest.mark.parametrize(
    ("query", "lost"),
    [
        ("REINDEX INDEX CONCURRENTLY a", "invalid index"),
        ("create unique index concurrently on t (a)", "invalid index"),
        ("  VACUUM FULL t", "what it has done is lost"),
        ("ALTER TABLE t ADD c int", "what it has done is lost"),
        ("CREATE INDEX i ON t (a)", "what it has done is lost"),
        ("SELECT 'vacuum'", None),
    ],
)
def test_upkeep_may_end_and_the_reason_says_what_is_lost(make: Make, query: str, lost: str | None) -> None:
    (act,) = decided(make(root=person(ROOT, query=query))).plan.acts
    assert (lost or "lost") in act.reason if lost else "(what it" not in act.reason


def test_upkeep_that_is_over_loses_nothing(make: Make) -> None:
    root = person(ROOT, state="idle in transaction", query="ALTER TABLE t ADD c int")
    (act,) = decided(make(root=root)).plan.acts
    assert "lost" not in act.reason


def test_a_deadlock_is_left_to_the_server(make: Make) -> None:
    decision = decided(make(waits=(wait(1, 2), wait(2, 1))))
    assert "deadlock_timeout" in refused(decision)


def test_a_root_that_has_gone_is_said(make: Make) -> None:
    assert refused(decided(make(sessions={}))).startswith("it had ended when it was looked up")
    assert refused(decided(make(sessions={}, sees_all=False))).startswith(
        "it is not shown to us: GRANT pg_monitor"
    )


def test_who_is_hidden_is_said_before_it_is_known_how_long_anybody_waits(make: Make) -> None:
    unseen = make(waits=(wait(200, ROOT, seconds=0.0),), sessions={}, sees_all=False)
    decision = decided(unseen)
    assert refused(decision).startswith("it is not shown to us")
    assert decision.symptom == unseen.waiting


def blocking(make: Make) -> Snapshot:
    return make(waits=(wait(200, -1),), prepared={-1: prepared("pay-1"), -2: prepared("rest")})


def test_a_prepared_transaction_that_is_not_named_is_refused_with_its_name(make: Make) -> None:
    decision = decided(blocking(make))
    assert "name it in gids" in refused(decision)
    assert decision.plan.refusals[0].target.startswith("prepared transaction pay-1 ")
    assert decision.symptom == 1


def test_a_named_one_needs_to_be_told_how_it_ends(make: Make) -> None:
    decision = decided(blocking(make), gids=("pay-1",))
    assert refused(decision).startswith("say resolve rollback or commit")
    assert decision.symptom == 2


@pytest.mark.parametrize("resolve", ["rollback", "commit"])
def test_a_named_one_is_resolved_as_told_and_that_is_destructive(make: Make, resolve: str) -> None:
    (act,) = decided(blocking(make), gids=("pay-1",), resolve=resolve).plan.acts
    assert (act.action, act.risk) == (f"postgres.prepared.{resolve}", "destructive")
    assert act.identity == {"gid": "pay-1", "since": "2026-11-21T21:00:00+00:00", "database": "shop"}


def test_a_named_one_is_resolved_although_nobody_waits_for_it(make: Make) -> None:
    snapshot = make(waits=(), prepared={-1: prepared("pay-1")})
    decision = decided(snapshot, gids=("pay-1",), resolve="rollback")
    assert ([act.action for act in decision.plan.acts], decision.symptom) == (
        ["postgres.prepared.rollback"],
        1,
    )


def test_a_name_that_is_not_there_is_nothing_to_do(make: Make) -> None:
    decision = decided(make(waits=()), gids=("pay-1",), resolve="commit")
    assert (decision.plan.acts, decision.plan.refusals, decision.symptom) == ((), (), 0)


def test_those_beyond_the_tree_are_part_of_the_symptom(make: Make) -> None:
    assert decided(make(beyond=(9.0, 1.0))).symptom == 3


def test_the_state_keeps_the_whole_tree_also_of_who_waits_below_a_root(make: Make) -> None:
    tree = decided(make()).state["tree"]
    assert [(node["depth"], node["pid"]) for node in tree] == [(0, ROOT), (1, ALTER), (2, READER)]
