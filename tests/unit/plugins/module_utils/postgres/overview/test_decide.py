# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    DATABASE,
    FULL,
    OTHER,
    PASSWORD,
    PEER,
    SILENT,
    STARTING,
    STOPPED,
    Access,
)
from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.overview.decide import judge
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.overview.observe import (
    Answer,
    Snapshot,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server

Facts = dict[str, Any]
SERVER = Server(Access(database="shop"), unit="postgresql@15-main.service")
ADMITTED = Answer("web", 0.02, {"read_only": False})


def refused(reason: str, user: str = "postgres") -> Answer:
    return Answer(user, 0.02, reason=reason, said=f"it said {reason}.")


def judged(facts: Facts | Answer, application: Answer | None = ADMITTED) -> list[Finding]:
    administrator = facts if isinstance(facts, Answer) else Answer("postgres", 0.05, facts)
    data, findings = judge(Snapshot(SERVER, administrator, application))
    json.dumps([data, [finding.as_dict() for finding in findings]])
    return list(findings)


def told(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.level, finding.id) for finding in findings]


def session(**given: Any) -> dict[str, Any]:
    return {
        "pid": 4242,
        "user": "web",
        "database": "shop",
        "application": "shop",
        "client": "10.0.0.9",
        "backend_type": "client backend",
        "state": "active",
        "backend_start": "2026-11-21T22:01:07.123456+00:00",
        "transaction_seconds": 10.0,
        "state_seconds": 10.0,
        "query": "SELECT 1",
        **given,
    }


def test_no_server_is_no_data_and_no_finding() -> None:
    assert judge(None) == (None, ())


def test_a_server_at_rest_has_nothing_wrong(facts: Facts) -> None:
    assert judged(facts) == []


def test_the_data_hold_the_budget_and_both_logins(facts: Facts) -> None:
    data, _findings = judge(Snapshot(SERVER, Answer("postgres", 0.05, facts), None))
    assert data is not None
    assert (data["connections"]["budget"], data["connections"]["used"]) == (97, 9)
    assert (data["administrator"]["ok"], data["application"]) == (True, None)


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        (82, []),
        (83, [("warning", "postgres.connections.high")]),
        (96, [("warning", "postgres.connections.high")]),
        (97, [("critical", "postgres.connections.exhausted")]),
        (98, [("critical", "postgres.connections.exhausted")]),
    ],
)
def test_connections_are_held_against_what_ordinary_roles_may_have(
    facts: Facts, used: int, expected: list[tuple[str, str]]
) -> None:
    assert told(judged({**facts, "used": used})) == expected


def test_an_exhausted_pool_says_who_holds_it_and_how(facts: Facts) -> None:
    facts.update(
        used=97,
        by_state={"idle in transaction": 60, "idle in transaction (aborted)": 1, "idle": 36},
        holders=[{"user": "web", "application": "shop", "sessions": 90, "idle_in_transaction": 61}],
    )
    (finding,) = judged(facts)
    assert finding.summary == (
        "97 of 97 client connections are in use, 61 idle in transaction; most are web (shop)'s with 90: "
        "the next one is refused"
    )
    assert finding.evidence["idle_in_transaction"] == 61


def test_the_limit_of_one_role_counts_as_much_and_is_told_once(facts: Facts) -> None:
    facts["limits"] = [
        {"kind": "role", "name": "web", "limit": 20, "used": 20},
        {"kind": "database", "name": "shop", "limit": 50, "used": 20},
    ]
    (finding,) = judged(facts, refused(FULL, "web"))
    assert (finding.id, finding.level) == ("postgres.connections.exhausted", "critical")
    assert "20 of the 20 connections of role web" in finding.summary


def test_when_not_even_the_administrator_gets_in_it_says_so() -> None:
    (finding,) = judged(refused(FULL), refused(FULL, "web"))
    assert (finding.level, finding.id) == ("critical", "postgres.connections.exhausted")
    assert "not even postgres gets in" in finding.summary


@pytest.mark.parametrize("reason", [STOPPED, STARTING, SILENT])
def test_a_server_that_is_down_is_one_critical_finding(reason: str) -> None:
    (finding,) = judged(refused(reason), refused(reason, "web"))
    assert (finding.level, finding.id) == ("critical", "postgres.server.unreachable")
    assert ("systemctl start postgresql@15-main.service" in finding.summary) == (reason == STOPPED)


@pytest.mark.parametrize("reason", [PASSWORD, PEER, OTHER])
def test_an_administrator_who_is_not_let_in_leaves_the_server_unknown_not_healthy(reason: str) -> None:
    assert told(judged(refused(reason))) == [("warning", "postgres.administrator.refused")]


def test_a_server_nobody_configured_is_only_mentioned() -> None:
    snapshot = Snapshot(replace(SERVER, configured=False), refused(PASSWORD), None)
    _data, findings = judge(snapshot)
    assert told(list(findings)) == [("notice", "postgres.server.unknown")]


@pytest.mark.parametrize("reason", [PASSWORD, DATABASE, STOPPED])
def test_an_application_that_is_refused_is_critical(facts: Facts, reason: str) -> None:
    assert told(judged(facts, refused(reason, "web"))) == [("critical", "postgres.application.refused")]


def test_a_full_pool_and_the_refusal_that_comes_of_it_are_one_finding(facts: Facts) -> None:
    findings = judged({**facts, "used": 97}, refused(FULL, "web"))
    assert told(findings) == [("critical", "postgres.connections.exhausted")]


def test_an_application_that_cannot_write_is_named(facts: Facts) -> None:
    (finding,) = judged({**facts, "in_recovery": True}, Answer("web", 0.02, {"read_only": True}))
    assert (finding.level, finding.id) == ("warning", "postgres.application.read_only")
    assert "standby" in finding.summary


def test_what_the_administrator_is_not_shown_is_not_called_healthy(facts: Facts) -> None:
    facts.update(sees_all=False, used=0, by_state={"unknown": 0})
    assert told(judged(facts)) == [("warning", "postgres.sessions.unseen")]


def test_who_waits_for_whom_is_told_as_by_those_who_look_at_locks(facts: Facts) -> None:
    wanted = {"kind": "relation", "mode": "ShareLock", "relation": "t", "database": "shop", "object": None}
    facts.update(
        waiting=2,
        waits=[
            {"pid": 7, "seconds": 90.0, "blockers": [4242], **wanted},
            {"pid": 8, "seconds": 30.0, "blockers": [7, 4242], **wanted},
        ],
        concerned=[session(), session(pid=7), session(pid=8)],
    )
    data, findings = judge(Snapshot(SERVER, Answer("postgres", 0.05, facts), None))
    assert told(list(findings)) == [("critical", "postgres.sessions.blocked")]
    assert findings[0].evidence["root_pids"] == [4242]
    assert data is not None
    assert (data["waiting"], data["waiting_long"], data["waiting_seconds"]) == (2, 2, 90.0)
    assert [(root["pid"], root["blocked"]) for root in data["roots"]] == [(4242, 2)]
    assert not {"waits", "held", "concerned", "beyond"} & data.keys()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"transaction_seconds": 1799.0}, []),
        ({"transaction_seconds": 1800.0}, [("warning", "postgres.transaction.long")]),
        (
            {"transaction_seconds": 9000.0, "application": "pg_dump"},
            [("notice", "postgres.transaction.long")],
        ),
        (
            {"transaction_seconds": 9000.0, "query": "CREATE INDEX CONCURRENTLY i ON t (x)"},
            [("notice", "postgres.transaction.long")],
        ),
        (
            {"transaction_seconds": 9000.0, "application": None, "query": None},
            [("warning", "postgres.transaction.long")],
        ),
    ],
)
def test_a_long_transaction_is_wrong_unless_it_is_long_by_nature(
    facts: Facts, given: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    facts["transactions"] = [session(**given)]
    assert told(judged(facts)) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (59.0, []),
        (60.0, [("notice", "postgres.transaction.idle")]),
        (300.0, [("warning", "postgres.transaction.idle")]),
    ],
)
def test_idle_in_transaction_is_measured_by_state_change(
    facts: Facts, seconds: float, expected: list[tuple[str, str]]
) -> None:
    facts["idle_transactions"] = [
        session(state="idle in transaction", state_seconds=seconds, transaction_seconds=9000.0)
    ]
    assert told(judged(facts)) == expected
