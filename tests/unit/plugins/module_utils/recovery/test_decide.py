# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.http import Answer, parse_target
from ansible_collections.firebreak.incident.plugins.module_utils.recovery.decide import Limits, judge
from ansible_collections.firebreak.incident.plugins.module_utils.recovery.observe import Measured, Snapshot
from ansible_collections.firebreak.incident.plugins.module_utils.workload.observe import Probed
from ansible_collections.firebreak.incident.plugins.module_utils.workload.probes import Probe

LIMITS = Limits(error_percent=1.0, latency_seconds=5.0)
TARGET = parse_target("http://127.0.0.1:3000/health")


def probed(status: int | None = 200, essential: bool = True, seconds: float = 0.1) -> Probed:
    answer = Answer(seconds, status, error=None if status else "connection refused")
    return Probed(Probe(TARGET, service="app", essential=essential), TARGET, answer)


def judged(*probes: Probed, **measured: Measured) -> tuple[Any, list[tuple[str, str]]]:
    data, findings = judge(Snapshot(probes, measured), LIMITS)
    return data, [(finding.id, finding.level) for finding in findings]


def test_a_service_that_answers_is_well() -> None:
    data, findings = judged(probed())
    assert (data["healthy"], data["reasons"], findings) == (True, [], [])


@pytest.mark.parametrize("status", [None, 404, 500, 503])
def test_a_service_that_fails_is_not_and_says_why(status: int | None) -> None:
    data, findings = judged(probed(), probed(status))
    assert not data["healthy"]
    assert findings == [("workload.http.failing", "critical")]
    assert "http://127.0.0.1:3000/health" in data["reasons"][0]


def test_what_is_not_essential_keeps_nobody_waiting() -> None:
    data, findings = judged(probed(), probed(503, essential=False))
    assert data["healthy"]
    assert findings == [("workload.http.failing", "notice")]


def test_a_slow_answer_is_told_and_is_one() -> None:
    data, findings = judged(probed(seconds=4.0))
    assert (data["healthy"], findings) == (True, [("workload.http.slow", "warning")])


def test_without_anything_to_ask_nothing_is_said_to_be_well() -> None:
    data, findings = judged()
    assert not data["healthy"]
    assert findings == [("recovery.check.missing", "critical")]


@pytest.mark.parametrize(("errors", "healthy"), [(0.0, True), (1.0, True), (1.1, False), (100.0, False)])
def test_too_many_errors_are_no_recovery(errors: float, healthy: bool) -> None:
    data, findings = judged(probed(), errors=Measured(errors))
    assert data["healthy"] is healthy
    assert (("recovery.errors.high", "critical") in findings) is not healthy


@pytest.mark.parametrize(
    ("seconds", "healthy"), [(0.2, True), (5.0, True), (5.1, False), (float("inf"), False)]
)
def test_answers_that_take_too_long_are_none(seconds: float, healthy: bool) -> None:
    data, findings = judged(probed(), latency=Measured(seconds))
    assert data["healthy"] is healthy
    assert (("recovery.latency.high", "critical") in findings) is not healthy


def test_what_prometheus_does_not_tell_is_said_and_stops_nothing() -> None:
    data, findings = judged(probed(), errors=Measured(unseen="connection refused"), latency=Measured())
    assert data["healthy"]
    assert findings == [("recovery.measure.unseen", "warning")]
    assert data["measured"] == {
        "errors": {"value": None, "unseen": "connection refused"},
        "latency": {"value": None, "unseen": None},
    }


def test_only_a_prometheus_that_does_not_tell_anything_is_nothing_seen() -> None:
    data, findings = judged(errors=Measured(unseen="connection refused"), latency=Measured(unseen="x"))
    assert not data["healthy"]
    assert ("recovery.check.missing", "critical") in findings
