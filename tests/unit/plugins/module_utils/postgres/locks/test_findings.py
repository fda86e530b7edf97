# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks.findings import judge_locks

HOLDER: dict[str, Any] = {
    "pid": 4242,
    "user": "web",
    "application": "shop",
    "backend_type": "client backend",
    "state": "active",
    "state_seconds": 10.0,
}


def judged(**given: Any) -> list[Finding]:
    quiet = {"waiting": 0, "waiting_long": 0, "waiting_seconds": 0.0, "roots": [], "prepared": []}
    return list(judge_locks({**quiet, **given}, "postgresql shop"))


def root(**given: Any) -> dict[str, Any]:
    return {**HOLDER, **given}


@pytest.mark.parametrize(
    ("waiting", "seconds", "level"),
    [(1, 2.1, "warning"), (4, 59.0, "warning"), (5, 2.1, "critical"), (1, 60.0, "critical")],
)
def test_waiting_is_as_bad_as_it_is_wide_or_long(waiting: int, seconds: float, level: str) -> None:
    (finding,) = judged(
        waiting=waiting,
        waiting_long=waiting,
        waiting_seconds=seconds,
        roots=[root(blocked=waiting, state="idle in transaction", state_seconds=840)],
    )
    assert (finding.id, finding.level) == ("postgres.sessions.blocked", level)
    assert finding.evidence["root_pids"] == [4242]
    assert f"pid 4242 of web (shop) (idle in transaction for 14 min, {waiting} behind it)" in finding.summary


def test_waiting_for_a_moment_is_normal() -> None:
    assert judged(waiting=30, waiting_long=0, waiting_seconds=1.2, roots=[root(blocked=30)]) == []


def test_a_prepared_transaction_that_blocks_is_named_by_its_gid() -> None:
    (finding,) = judged(
        waiting=3,
        waiting_long=3,
        waiting_seconds=20.0,
        roots=[{**dict.fromkeys(HOLDER), "pid": 0, "blocked": 3}],
        prepared=[{"gid": "order-17", "user": "web", "database": "shop", "seconds": 30.0}],
    )
    assert "a prepared transaction (order-17, 3 behind it)" in finding.summary


@pytest.mark.parametrize(
    ("roots", "said"),
    [
        ([], "behind each other"),
        ([{**dict.fromkeys(HOLDER), "pid": 7, "blocked": 2}], "pid 7 (gone by now, 2 behind it)"),
    ],
)
def test_a_root_that_is_gone_or_a_deadlock_does_not_break_the_sentence(
    roots: list[dict[str, Any]], said: str
) -> None:
    (finding,) = judged(waiting=2, waiting_long=2, waiting_seconds=3.0, roots=roots)
    assert said in finding.summary


@pytest.mark.parametrize(("seconds", "expected"), [(599.0, []), (600.0, ["postgres.transaction.prepared"])])
def test_an_old_prepared_transaction_is_named_by_its_gid(seconds: float, expected: list[str]) -> None:
    findings = judged(prepared=[{"gid": "order-17", "user": "web", "database": "shop", "seconds": seconds}])
    assert [finding.id for finding in findings] == expected
    assert all(finding.subject.endswith("order-17") for finding in findings)
