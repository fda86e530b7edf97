# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres import Access
from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.protection import (
    Protection,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.statements.decide import (
    enabling,
    inform,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.statements.observe import (
    Extension,
    Snapshot,
)

GIB = 1024**3
EXTENSION = Extension("shop", "public", "1.10", frozenset({"query"}), True)
UNTRACKED, RUNNING, WAITING = (
    "postgres.statements.untracked",
    "postgres.statement.running",
    "postgres.statement.waiting",
)


def here(**given: Any) -> dict[str, Any]:
    return {
        "version": "15.8 (Debian 15.8-0+deb12u1)",
        "in_recovery": False,
        "sees_all": True,
        "database": "shop",
        "preloaded": True,
        "libraries": "pg_stat_statements",
        "available": True,
        "track": "top",
        "max": 5000,
        "query_id": "auto",
        "io_timing": False,
        "others": ["postgres"],
        **given,
    }


def run(pid: int = 7, **given: Any) -> dict[str, Any]:
    return {
        "pid": pid,
        "backend_start": "2026-11-21T22:01:07.123456+00:00",
        "user": "web",
        "database": "shop",
        "application": "report",
        "client": "10.0.0.9",
        "backend_type": "client backend",
        "state": "active",
        "state_change": "2026-11-21T22:02:07.1+00:00",
        "leader_pid": None,
        "superuser": False,
        "replication": False,
        "query_seconds": 95.2,
        "transaction_seconds": 95.3,
        "wait_event_type": None,
        "wait_event": None,
        "workers": 0,
        "query": "SELECT sum(price) FROM orders",
        "of": 1,
        **given,
    }


def statement(**given: Any) -> dict[str, Any]:
    return {
        "id": "-42",
        "user": "web",
        "database": "shop",
        "toplevel": True,
        "calls": 100,
        "rows": 100,
        "total_seconds": 80.0,
        "mean_seconds": 0.8,
        "max_seconds": 3.0,
        "plans": 0,
        "plan_seconds": 0,
        "read_seconds": 0,
        "hit_bytes": 75,
        "read_bytes": 25,
        "temp_bytes": 0,
        "wal_bytes": 0,
        "query": "SELECT sum(price) FROM orders WHERE day = $1",
        **given,
    }


def snapshot(*running: dict[str, Any], top: tuple[dict[str, Any], ...] | None = (), **given: Any) -> Snapshot:
    collected = None
    if top is not None:
        collected = {
            "entries": 12,
            "calls": 900,
            "seconds": 100.0,
            "info": {"dealloc": 0, "stats_reset": "2026-11-20T08:00:00.25+00:00"},
            "since_seconds": 86400.0,
            "statements": list(top),
        }
    return Snapshot(
        Server(Access(database="shop")), here(**given), running, EXTENSION, ("shop",), 0, collected
    )


def found(seen: Snapshot) -> list[Finding]:
    return list(inform(seen, Protection())[1])


def test_nothing_to_say_of_a_server_that_collects_and_is_fast() -> None:
    data, findings = inform(snapshot(), Protection())
    assert findings == []
    assert data["total"]["since"] == "2026-11-20T08:00:00Z"
    assert data["extension"]["steps"] == []


def test_the_longest_of_several_is_named() -> None:
    finding = found(snapshot(run(7), run(8, query_seconds=40.0)))[0]
    assert (finding.id, finding.level) == (RUNNING, "warning")
    assert "2 statements run, the longest pid 7 of web (report) in shop for 95 s" in finding.summary
    assert finding.remedy is not None and finding.remedy.playbook == "fix_database_performance"


@pytest.mark.parametrize(
    "given",
    [
        {"application": "pg_dump", "query": "COPY public.orders TO stdout"},
        {"query": "VACUUM (ANALYZE) orders"},
        {"query": "create unique index concurrently x on y (z)"},
        {"backend_type": "autovacuum worker", "application": "", "user": None, "superuser": None},
        {"application": "firebreak"},
    ],
)
def test_dumps_and_upkeep_are_only_noted_and_never_proposed(given: dict[str, Any]) -> None:
    data, findings = inform(snapshot(run(**given)), Protection())
    assert [(finding.id, finding.level, finding.remedy) for finding in findings] == [
        (RUNNING, "notice", None)
    ]
    assert data["slow_pids"] == []


def test_who_waits_for_a_lock_is_a_victim() -> None:
    waiting = run(7, wait_event_type="Lock", wait_event="transactionid")
    data, findings = inform(snapshot(waiting, run(8)), Protection())
    assert [finding.id for finding in findings] == [RUNNING, WAITING]
    assert data["slow_pids"] == [8]


def test_a_superuser_is_told_of_and_not_proposed() -> None:
    boss = run(user="postgres", superuser=True)
    data, findings = inform(snapshot(boss), Protection())
    assert data["slow_pids"] == []
    assert findings[0].remedy is None
    assert "1 of them will not be cancelled: role postgres is a superuser" in findings[0].summary
    allowed = Protection(application_is_superuser=True, application_user="postgres")
    assert inform(snapshot(boss), allowed)[0]["slow_pids"] == [7]


@pytest.mark.parametrize(
    ("given", "heavy"),
    [
        ({}, True),
        ({"total_seconds": 24.9}, False),
        # Its time is counted in that of the statement that called it.
        ({"toplevel": False}, False),
    ],
)
def test_a_statement_is_heavy_by_its_share_of_all_time(given: dict[str, Any], heavy: bool) -> None:
    findings = found(snapshot(top=(statement(**given),)))
    assert [(finding.id, finding.level) for finding in findings] == [
        ("postgres.statement.heavy", "notice")
    ] * heavy
    assert not heavy or "80 % of all time since 2026-11-20T08:00:00Z" in findings[0].summary


def test_a_share_of_a_moment_is_nothing() -> None:
    seen = snapshot(top=(statement(total_seconds=0.9),))
    assert seen.collected is not None
    assert found(replace(seen, collected={**seen.collected, "seconds": 1.0})) == []


def test_spilling_is_told_by_the_call() -> None:
    def spilling(size: int, calls: int) -> list[str]:
        spilled = statement(temp_bytes=size, calls=calls, total_seconds=1.0)
        return [finding.id for finding in found(snapshot(top=(spilled,)))]

    assert spilling(4 * GIB, 10) == ["postgres.statement.spilling"]
    assert spilling(4 * GIB, 100_000) == []
    assert spilling(GIB // 2, 1) == []


def test_what_was_read_is_timed_only_where_the_server_times_it() -> None:
    one = statement(read_seconds=0)
    assert inform(snapshot(top=(one,)), Protection())[0]["statements"][0]["read_seconds"] is None
    assert inform(snapshot(top=(one,), io_timing=True), Protection())[0]["statements"][0]["read_seconds"] == 0
    assert inform(snapshot(top=(one,)), Protection())[0]["statements"][0]["hit_share"] == 75.0


def bare(**given: Any) -> Snapshot:
    return replace(snapshot(top=None, **given), extension=None)


@pytest.mark.parametrize(
    ("seen", "steps"),
    [
        (bare(), ["in database shop: CREATE EXTENSION pg_stat_statements;"]),
        (
            bare(preloaded=False, libraries='autoload, "Odd\'Lib"', track=None),
            [
                "ALTER SYSTEM SET shared_preload_libraries = 'autoload', 'Odd''Lib', 'pg_stat_statements';",
                "restart the server, which ends all sessions: systemctl restart postgresql@<version>-main",
                "in database shop: CREATE EXTENSION pg_stat_statements;",
            ],
        ),
        (
            bare(available=False, preloaded=False, libraries=None),
            [
                "install postgresql-contrib (Debian: postgresql-15)",
                "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements';",
                "restart the server, which ends all sessions: systemctl restart postgresql@<version>-main",
                "in database shop: CREATE EXTENSION pg_stat_statements;",
            ],
        ),
        (
            snapshot(track="none", query_id="off"),
            [
                "ALTER SYSTEM SET pg_stat_statements.track = 'top'; SELECT pg_reload_conf();",
                "ALTER SYSTEM SET compute_query_id = 'auto'; SELECT pg_reload_conf();",
            ],
        ),
        # Up to 13 there is no compute_query_id.
        (snapshot(query_id=None), []),
    ],
)
def test_how_to_have_statements_collected(seen: Snapshot, steps: list[str]) -> None:
    assert enabling(seen) == steps
    assert [finding.id for finding in found(seen)] == [UNTRACKED] * bool(steps)


def test_databases_that_were_not_looked_into_are_counted() -> None:
    assert (
        "(3 databases more may have it and were not looked into)"
        in found(replace(bare(), unsearched=3))[0].summary
    )


def test_what_is_not_shown_is_said() -> None:
    unread = replace(snapshot(top=None), unread="permission denied for schema x. Ask for it.")
    assert [(finding.id, finding.level) for finding in found(unread)] == [
        ("postgres.statements.unseen", "warning")
    ]
    blind = found(snapshot(sees_all=False))
    assert 'GRANT pg_monitor TO "postgres"' in blind[0].summary
