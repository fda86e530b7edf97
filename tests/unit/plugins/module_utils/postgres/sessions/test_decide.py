# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import Decision
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.criteria import Criteria
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.decide import Wish, decide
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.observe import Snapshot
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.protection import (
    Protection,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.session import Session

Make = Callable[..., Session]
Facts = dict[str, Any]
ALL = Criteria(min_age=0)
IDLE = Criteria(states=frozenset({"idle"}))


def decided(facts: Facts, wish: Wish, *sessions: Session) -> Decision:
    decision = decide(Snapshot("postgresql shop on db1", Protection(), facts, sessions), wish)
    json.dumps([decision.state, [act.as_dict() for act in decision.plan.acts + decision.plan.refusals]])
    return decision


def pids(decision: Decision) -> list[int]:
    return [act.identity["pid"] for act in decision.plan.acts]


def test_every_session_that_matches_is_ended_by_its_identity(facts: Facts, session: Make) -> None:
    decision = decided(facts, Wish(IDLE), session(), session(pid=2, state="active"))
    (act,) = decision.plan.acts
    assert (act.action, act.risk, act.undo) == ("postgres.terminate", "disruptive", None)
    assert act.identity == session().identity(True)
    assert act.reason == "web (shop), idle for 90 s"
    assert (decision.symptom, decision.state["matching"]) == (1, 1)
    assert not decision.plan.sequential


def test_nobody_who_matches_is_nothing_to_do(facts: Facts, session: Make) -> None:
    decision = decided(facts, Wish(IDLE), session(state="active"))
    assert (decision.symptom, decision.plan.acts, decision.plan.refusals) == (0, (), ())


def test_a_protected_session_is_refused_and_no_symptom(facts: Facts, session: Make) -> None:
    decision = decided(facts, Wish(ALL), session(), session(pid=2, backend_type="walsender"))
    assert (pids(decision), decision.symptom, decision.state["protected"]) == ([4242], 1, 1)
    (refusal,) = decision.plan.refusals
    assert (refusal.status, refusal.identity["pid"]) == ("refused", 2)
    assert "walsender" in refusal.reason


def test_a_protected_session_that_was_named_is_a_symptom(facts: Facts, session: Make) -> None:
    decision = decided(facts, Wish(Criteria(pids=frozenset({2}))), session(pid=2, superuser=True))
    assert (decision.symptom, decision.plan.acts) == (1, ())


def test_twenty_refusals_are_listed_and_the_rest_is_counted(facts: Facts, session: Make) -> None:
    decision = decided(facts, Wish(ALL), *(session(pid=n, superuser=True) for n in range(1, 55)))
    assert len(decision.plan.refusals) == 21
    assert decision.plan.refusals[-1].target == "34 more sessions"


def test_cancelling_what_runs_nothing_is_refused_and_stays_a_symptom(facts: Facts, session: Make) -> None:
    idle = session(pid=2, state="idle in transaction")
    decision = decided(facts, Wish(ALL, "cancel"), session(state="active"), idle)
    assert [(act.action, act.identity["pid"]) for act in decision.plan.acts] == [("postgres.cancel", 4242)]
    assert "does nothing" in decision.plan.refusals[0].reason
    assert decision.symptom == 2


@pytest.mark.parametrize(
    ("used", "free", "ended"), [(92, 5, 0), (93, 5, 1), (97, 5, 5), (98, 5, 6), (97, 200, 9)]
)
def test_no_more_are_ended_than_it_takes(
    facts: Facts, session: Make, used: int, free: int, ended: int
) -> None:
    sessions = [session(pid=n) for n in range(1, 10)]
    decision = decided({**facts, "used": used}, Wish(IDLE, free=free), *sessions)
    assert len(decision.plan.acts) == ended
    assert decision.state["short"] == decision.symptom


def test_who_is_idle_in_a_transaction_goes_first_and_then_who_is_idle_for_longest(
    facts: Facts, session: Make
) -> None:
    sessions = [
        session(pid=1, state="active", query_seconds=9000.0),
        session(pid=2, state_seconds=800.0),
        session(pid=3, state_seconds=900.0),
        session(pid=4, state="idle in transaction", state_seconds=10.0),
        session(pid=5, state="idle in transaction (aborted)", state_seconds=20.0),
    ]
    decision = decided({**facts, "used": 97}, Wish(ALL, free=4), *sessions)
    assert pids(decision) == [5, 4, 3, 2]
    assert pids(decided({**facts, "used": 97}, Wish(ALL, free=5), *sessions)) == [5, 4, 3, 2, 1]


def test_enough_connections_are_nothing_to_do_and_nothing_to_refuse(facts: Facts, session: Make) -> None:
    decision = decided(facts, Wish(ALL, free=5), session(), session(pid=2, superuser=True))
    assert (decision.symptom, decision.plan.acts, decision.plan.refusals) == (0, (), ())


def test_connections_that_cannot_be_freed_are_said_first(facts: Facts, session: Make) -> None:
    sessions = [session(), session(pid=2, superuser=True)]
    decision = decided({**facts, "used": 97}, Wish(ALL, free=5), *sessions)
    assert (pids(decision), decision.symptom) == ([4242], 5)
    assert decision.plan.refusals[0].reason == (
        "5 connections are to be free, and 4 more would have to end for that: 2 sessions match, 1 of them "
        "protected (the first: role web is a superuser)"
    )


def test_a_roles_own_limit_is_won_back_from_its_own_sessions(facts: Facts, session: Make) -> None:
    facts.update(used=20, limits=[{"kind": "role", "name": "batch", "limit": 3, "used": 3}])
    sessions = [
        session(pid=1, state_seconds=900.0),
        *(session(pid=n, user="batch", state_seconds=100.0 + n) for n in range(2, 5)),
    ]
    assert pids(decided(facts, Wish(IDLE, free=2), *sessions)) == [4, 3]
    assert pids(decided(facts, Wish(IDLE, free=5), *sessions)) == [4, 3, 2]


@pytest.mark.parametrize(("used", "ended"), [(16, []), (17, [2, 3]), (20, [2, 3, 4, 5, 6])])
def test_a_limit_that_is_nearly_reached_is_relieved_as_well(
    facts: Facts, session: Make, used: int, ended: list[int]
) -> None:
    facts.update(used=30, limits=[{"kind": "role", "name": "batch", "limit": 20, "used": used}])
    sessions = [session(pid=n, user="batch", state_seconds=100.0 - n) for n in range(2, 9)]
    assert pids(decided(facts, Wish(IDLE, free=5), *sessions)) == ended


@pytest.mark.parametrize("of", [10, 37, 97, 500])
def test_the_remedy_frees_so_many_that_nothing_is_found_afterwards(facts: Facts, of: int) -> None:
    facts.update(max_connections=of + 3, used=of)
    (finding,) = decided(facts, Wish(IDLE)).findings
    assert finding.remedy is not None
    facts["used"] = of - finding.remedy.inputs["free_connections"]
    assert decided(facts, Wish(IDLE)).findings == ()
    facts["used"] += 1
    assert len(decided(facts, Wish(IDLE)).findings) == 1


def test_who_does_not_say_what_it_does_is_counted(facts: Facts) -> None:
    facts["by_state"] = {"disabled": 6, "active": 1}
    (finding,) = decided(facts, Wish(IDLE)).findings
    assert (finding.id, finding.evidence) == ("postgres.sessions.untracked", {"sessions": 6})


def test_whoever_goes_for_a_limit_counts_in_all_as_well(facts: Facts, session: Make) -> None:
    facts.update(used=97, limits=[{"kind": "database", "name": "side", "limit": 2, "used": 2}])
    sessions = [
        *(session(pid=n, state_seconds=900.0 + n) for n in range(1, 4)),
        session(pid=4, database="side"),
    ]
    assert pids(decided(facts, Wish(IDLE, free=2), *sessions)) == [4, 3]


def test_what_still_holds_is_among_the_findings(facts: Facts, session: Make) -> None:
    (finding,) = decided({**facts, "used": 97}, Wish(IDLE), session()).findings
    assert finding.id == "postgres.connections.exhausted"
    assert finding.remedy is not None and finding.remedy.playbook == "fix_database_connections"
