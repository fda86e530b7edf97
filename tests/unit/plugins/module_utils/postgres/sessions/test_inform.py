# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.inform import inform
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.observe import Snapshot
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.protection import (
    Protection,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.session import Session

Make = Callable[..., Session]
Facts = dict[str, Any]


def holder(**given: Any) -> dict[str, Any]:
    return {
        "kind": "backend", "name": "4242", "user": "web", "application": "shop", "database": "shop",
        "state": "idle in transaction", "transactions": 60_000_000, "seconds": 86400.0 * 3, "query": "",
        **given,
    }  # fmt: skip


def informed(facts: Facts, *sessions: Session, **more: Any) -> tuple[Any, list[Finding]]:
    groups: Facts = {f"by_{name}": [] for name in ("user", "application", "client", "database")}
    whole = {**groups, "xmin": [], **facts, **more}
    data, findings = inform(Snapshot("postgresql shop on db1", Protection(), whole, sessions, more=7))
    json.dumps([data, [finding.as_dict() for finding in findings]])
    return data, list(findings)


def test_the_budget_is_without_what_is_reserved(facts: Facts) -> None:
    data, findings = informed(facts)
    assert findings == []
    assert {name: data["connections"][name] for name in ("max", "reserved", "budget", "used", "free")} == {
        "max": 100, "reserved": 3, "budget": 97, "used": 9, "free": 88,
    }  # fmt: skip
    assert informed(facts, used=99)[0]["connections"]["free"] == 0


def test_every_session_says_whether_it_is_protected(facts: Facts, session: Make) -> None:
    data, _findings = informed(facts, session(), session(pid=2, superuser=True))
    assert [one["protected"] for one in data["sessions"]] == [None, "role web is a superuser"]
    assert data["more"] == 7


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (holder(), "pid 4242 of web (shop) (idle in transaction for 3 d)"),
        (
            holder(kind="prepared", name="order-1", application=None, state=None),
            "the prepared transaction order-1 of web, open for 3 d,",
        ),
        (
            holder(kind="slot", name="old", user=None, application=None, state="inactive", seconds=None),
            "the inactive replication slot old",
        ),
        (holder(kind="standby", application="db2", seconds=None), "the standby db2 (pid 4242"),
    ],
)
def test_what_holds_back_vacuum_is_named(facts: Facts, one: dict[str, Any], says: str) -> None:
    _data, findings = informed(facts, xmin=[one])
    assert [(finding.id, finding.level) for finding in findings] == [("postgres.xmin.held", "warning")]
    assert findings[0].summary.startswith(says)
    assert "60 million" in findings[0].summary


def test_what_every_busy_server_has_holds_nothing_back(facts: Facts) -> None:
    assert informed(facts, xmin=[holder(transactions=50_000_000)])[1] == []


def test_more_are_counted_than_are_listed(facts: Facts) -> None:
    row = {
        "pid": 1,
        "user": "web",
        "application": "",
        "backend_type": "client backend",
        "state_seconds": 900.0,
    }
    (finding,) = informed(facts, idle_transactions=[row], idle_late=61)[1]
    assert (finding.id, finding.evidence["number"]) == ("postgres.transaction.idle", 61)
    assert "and 60 more" in finding.summary
