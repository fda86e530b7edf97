# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.findings import inform
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.observe import (
    Index,
    Snapshot,
    Table,
    Worker,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.room import Room


def told(snapshot: Snapshot) -> list[tuple[str, str]]:
    data, findings = inform(snapshot)
    json.dumps([data, [finding.as_dict() for finding in findings]])
    return [(finding.level, finding.id) for finding in findings]


def only(findings: Sequence[Finding]) -> Finding:
    (finding,) = findings
    return finding


def test_a_server_at_rest_has_nothing_to_say(
    snapshot: Callable[..., Snapshot], table: Callable[..., Table]
) -> None:
    assert told(snapshot(tables=(table(dead=10, modified=10),))) == []


def test_a_little_late_is_a_notice_and_not_keeping_up_is_a_warning(
    snapshot: Callable[..., Snapshot], table: Callable[..., Table]
) -> None:
    assert told(snapshot(tables=(table(dead=2051),))) == [("notice", "postgres.table.vacuum_due")]
    assert told(snapshot(tables=(table(dead=10_000),))) == [("warning", "postgres.table.vacuum_due")]
    assert told(snapshot(tables=(table(modified=10_000),))) == [("warning", "postgres.table.analyze_due")]
    # Few rows are soon vacuumed.
    assert told(snapshot(tables=(table(tuples=10.0, dead=9_999),))) == [
        ("notice", "postgres.table.vacuum_due")
    ]


def test_what_somebody_works_on_is_not_due(
    snapshot: Callable[..., Snapshot], table: Callable[..., Table], worker: Callable[..., Worker]
) -> None:
    data, findings = inform(snapshot(tables=(table(dead=99_999),), running=(worker(),)))
    assert (data["due"], list(findings)) == ([], [])
    assert (data["running"][0]["share"], data["running"][0]["phase"]) == (25.0, "scanning heap")


def test_a_standby_counts_no_rows(snapshot: Callable[..., Snapshot], table: Callable[..., Table]) -> None:
    assert told(snapshot(tables=(table(dead=99_999),), in_recovery=True)) == []


def test_numbers_that_run_out_are_critical(
    snapshot: Callable[..., Snapshot], table: Callable[..., Table], holder: Callable[..., dict[str, Any]]
) -> None:
    old = table(age=2_000_000_000)
    finding = only(inform(snapshot(tables=(old,), holders=(holder(),)))[1])
    assert (finding.level, finding.id) == ("critical", "postgres.table.wraparound_near")
    assert "144 million" in finding.summary
    assert "pid 4242 of web" in finding.summary


def test_an_index_that_is_being_built_is_not_invalid(
    snapshot: Callable[..., Snapshot], index: Callable[..., Index], worker: Callable[..., Worker]
) -> None:
    broken = index(valid=False)
    assert told(snapshot(invalid=(broken,))) == [("warning", "postgres.index.invalid")]
    assert told(snapshot(invalid=(broken,), running=(worker("create_index"),))) == []
    assert told(snapshot(invalid=(broken,), running=(worker("vacuum"),))) == [
        ("warning", "postgres.index.invalid")
    ]


def test_a_leftover_that_writes_keep_up_to_date_is_worse(
    snapshot: Callable[..., Snapshot], leftover: Callable[..., Index]
) -> None:
    assert told(snapshot(invalid=(leftover(),))) == [("warning", "postgres.index.leftover")]
    assert told(snapshot(invalid=(leftover(ready=False),))) == [("notice", "postgres.index.leftover")]


def test_whom_a_build_waits_for_is_named(
    snapshot: Callable[..., Snapshot], worker: Callable[..., Worker]
) -> None:
    locker = {"pid": 7, "user": "web", "application": "", "state": "idle in transaction"}
    waiting = worker(
        "create_index",
        progress={"phase": "waiting for old snapshots", "lockers_done": 1, "lockers_total": 4},
        locker={**locker, "transaction_seconds": 840.0},
    )
    data, findings = inform(snapshot(running=(waiting,)))
    assert only(findings).id == "postgres.maintenance.waiting"
    assert only(findings).level == "warning"
    assert (
        "waits for pid 7 of web, idle in transaction, its transaction is 14 min old" in only(findings).summary
    )
    assert data["running"][0]["share"] == 25.0


def test_what_cannot_be_seen_is_said(snapshot: Callable[..., Snapshot]) -> None:
    assert told(snapshot(sees_all=False, room=Room(unseen="no engine"))) == [
        ("warning", "postgres.maintenance.unseen"),
        ("notice", "postgres.maintenance.space_unseen"),
    ]
