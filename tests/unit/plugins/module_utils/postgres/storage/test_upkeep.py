# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.storage.upkeep import judge_upkeep

Facts = dict[str, Any]
GIB = 1024**3


def judged(facts: Facts) -> list[Finding]:
    return list(judge_upkeep(facts, "postgresql shop"))


def replica(**given: Any) -> dict[str, Any]:
    return {
        "name": "standby1",
        "client": "10.0.0.2",
        "state": "streaming",
        "sync": "async",
        "lag_bytes": 0,
        "lag_seconds": None,
        **given,
    }


@pytest.mark.parametrize(
    ("given", "lags"),
    [
        ({}, False),
        ({"lag_seconds": 59.0}, False),
        ({"lag_seconds": 60.0}, True),
        ({"lag_bytes": GIB}, True),
        ({"lag_bytes": None, "state": None}, False),
        ({"state": "backup", "lag_bytes": 9 * GIB}, False),
    ],
)
def test_a_replica_lags_by_time_or_by_bytes(facts: Facts, given: dict[str, Any], lags: bool) -> None:
    facts["replicas"] = [replica(**given)]
    assert [finding.id for finding in judged(facts)] == ["postgres.replication.lagging"] * lags


def standby(**given: Any) -> dict[str, Any]:
    return {
        "receiver": "streaming",
        "paused": False,
        "lag_bytes": 0,
        "last_transaction_seconds": 5.0,
        **given,
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, None),
        # The primary is at rest: nothing to replay is no lag.
        ({"last_transaction_seconds": 86400.0}, None),
        ({"last_transaction_seconds": 90.0, "lag_bytes": 4096}, "it follows its primary"),
        ({"last_transaction_seconds": 90.0, "receiver": None}, "no primary sends anything"),
        ({"last_transaction_seconds": None, "receiver": None}, None),
        ({"paused": True}, "replay is paused"),
    ],
)
def test_a_standby_lags_when_there_is_something_it_does_not_replay(
    facts: Facts, given: dict[str, Any], said: str | None
) -> None:
    facts["standby"] = standby(**given)
    findings = judged(facts)
    assert [finding.id for finding in findings] == ["postgres.replication.lagging"] * (said is not None)
    assert said is None or said in findings[0].summary


def slot(**given: Any) -> dict[str, Any]:
    return {
        "name": "old",
        "kind": "logical",
        "active": False,
        "wal_status": "reserved",
        "retained_bytes": 2 * GIB,
        **given,
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "keeps 2.0 GiB of WAL"),
        ({"active": True}, None),
        ({"retained_bytes": 16 * 1024**2}, None),
        ({"retained_bytes": None}, None),
        ({"retained_bytes": None, "wal_status": "lost"}, "must be set up anew"),
        (
            {"retained_bytes": 1024, "wal_status": "unreserved"},
            "loses what it needs with the next checkpoint",
        ),
    ],
)
def test_a_slot_that_nobody_reads_is_named_with_its_bytes(
    facts: Facts, given: dict[str, Any], said: str | None
) -> None:
    facts["slots"] = [slot(**given)]
    findings = judged(facts)
    assert [finding.id for finding in findings] == ["postgres.slot.retaining"] * (said is not None)
    assert said is None or said in findings[0].summary


@pytest.mark.parametrize(
    ("failed", "archived", "mode", "failing"),
    [
        (None, 20.0, "on", False),
        (3600.0, 20.0, "on", False),
        (20.0, 3600.0, "on", True),
        (20.0, None, "always", True),
        (20.0, None, "off", False),
    ],
)
def test_the_archiver_fails_when_nothing_succeeded_since(
    facts: Facts, failed: float | None, archived: float | None, mode: str, failing: bool
) -> None:
    facts["archiver"] = {
        "mode": mode,
        "failed_count": 3,
        "last_failed_wal": "0000000100000000000000A7",
        "failed_seconds_ago": failed,
        "archived_seconds_ago": archived,
    }
    assert [finding.id for finding in judged(facts)] == ["postgres.archiver.failing"] * failing


@pytest.mark.parametrize(
    ("age", "forced", "levels"),
    [
        (999_999_999, 200_000_000, []),
        (1_000_000_000, 200_000_000, ["warning"]),
        # Somebody lets it grow so old on purpose.
        (1_500_000_000, 1_500_000_000, []),
        (1_900_000_000, 2_000_000_000, ["critical"]),
    ],
)
def test_wraparound_is_near_when_forced_vacuum_does_not_succeed(
    facts: Facts, age: int, forced: int, levels: list[str]
) -> None:
    for numbers, limit in (("transactions", "freeze_max_age"), ("multixacts", "multixact_freeze_max_age")):
        oldest = {**facts["oldest"], numbers: age, limit: forced}
        findings = judged({**facts, "oldest": oldest})
        assert [finding.level for finding in findings] == levels
        assert all(finding.evidence["left"] == 2**31 - 3_000_000 - age for finding in findings)
