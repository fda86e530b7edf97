# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of both runbooks about how bad an incident is, as the facts that a person would give."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.severity.judge import Severity, judge

DETECTED = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
# The row, what is known, the level. Sev1 to Sev4 of the one, P0 to P3 of the other.
MATRIXON: list[tuple[str, dict[str, Any], int]] = [
    ("sev1 complete service outage affecting all users", {"outage": "complete"}, 1),
    ("sev1 data breach or security compromise", {"data_breach": "confirmed"}, 1),
    ("sev1 data loss or corruption", {"data_loss": "confirmed"}, 1),
    ("sev1 revenue impact over 10000 an hour", {"revenue_per_hour": 10_001}, 1),
    ("sev1 legal or compliance violations", {"legal": "yes"}, 1),
    ("sev1 server completely down", {"outage": "complete", "users_percent": 100}, 1),
    ("sev1 database corruption or failure", {"data_loss": "suspected"}, 1),
    ("sev1 security breach detected", {"data_breach": "confirmed"}, 1),
    ("sev1 major data loss", {"data_loss": "confirmed"}, 1),
    ("sev1 certificate expired causing complete outage", {"outage": "complete"}, 1),
    ("sev2 degradation affecting over 50 percent of users", {"users_percent": 51}, 2),
    ("sev2 performance issues with significant user impact", {"latency_seconds": 6}, 2),
    ("sev2 vulnerabilities requiring immediate patching", {"vulnerability": "urgent"}, 2),
    ("sev2 revenue impact 1000 to 10000 an hour", {"revenue_per_hour": "1000-9999"}, 2),
    ("sev2 federation not working", {"functions": "major"}, 2),
    ("sev2 significant performance degradation", {"latency_seconds": 5}, 2),
    ("sev2 authentication issues", {"login": "partly"}, 2),
    ("sev2 monitoring and alerting down", {"services": ["monitoring"]}, 2),
    ("sev2 high error rates over 5 percent", {"error_percent": 5.1}, 2),
    ("sev3 minor functionality affected", {"functions": "minor"}, 3),
    ("sev3 degradation for under 50 percent of users", {"users_percent": 49}, 3),
    ("sev3 non-critical security issues", {"vulnerability": "minor"}, 3),
    ("sev3 revenue impact under 1000 an hour", {"revenue_per_hour": 999}, 3),
    ("sev3 single container restart needed", {"services": ["cadvisor"]}, 3),
    ("sev3 non-critical feature not working", {"functions": "minor"}, 3),
    ("sev3 logging issues", {"services": ["logging"]}, 3),
    ("sev3 minor configuration problems", {"functions": "minor"}, 3),
    ("sev4 cosmetic issues or minor bugs", {"functions": "cosmetic"}, 4),
    ("sev4 documentation problems", {"functions": "all"}, 4),
    ("sev4 enhancement requests", {"functions": "all"}, 4),
    ("sev4 no revenue impact", {"revenue_per_hour": 0}, 4),
]
ZEKKA: list[tuple[str, dict[str, Any], int]] = [
    ("p0 complete application down", {"outage": "complete"}, 1),
    ("p0 database compromised", {"data_breach": "confirmed"}, 1),
    ("p0 data breach confirmed", {"data_breach": "confirmed"}, 1),
    ("p0 ransomware attack", {"data_loss": "suspected"}, 1),
    ("p0 complete loss of authentication", {"login": "none"}, 1),
    ("p1 database queries over 5 s", {"latency_seconds": 5.1}, 2),
    ("p1 authentication partially down", {"login": "partly"}, 2),
    ("p1 suspected security breach", {"data_breach": "suspected"}, 2),
    ("p1 critical API endpoints failing", {"functions": "major"}, 2),
    ("p1 payment processing failures", {"services": ["payment"]}, 2),
    ("p2 non-critical API endpoints slow", {"functions": "minor", "latency_seconds": 3}, 3),
    ("p2 file upload issues", {"services": ["upload"]}, 3),
    ("p2 email notifications delayed", {"services": ["email"]}, 3),
    ("p2 minor vulnerability discovered", {"vulnerability": "minor"}, 3),
    ("p2 monitoring alerts triggering", {"findings": [{"level": "warning"}]}, 3),
    ("p3 UI rendering issues", {"functions": "cosmetic"}, 4),
    ("p3 non-critical feature bugs", {"functions": "cosmetic"}, 4),
    ("p3 documentation errors", {"functions": "all"}, 4),
    ("p3 performance optimization opportunities", {"findings": [{"level": "notice"}]}, 4),
]
# The row, the level, which clock, and seconds from the detection. Of both scales the stricter one counts.
CLOCKS: list[tuple[str, int, str, int | None]] = [
    ("sev1 respond within 15 minutes and p0 immediately", 1, "respond", 0),
    ("p0 executives within 15 minutes", 1, "notify_executives", 900),
    ("p0 public status page", 1, "status_page", 900),
    ("sev2 respond within 1 hour and p1 within 15 minutes", 2, "respond", 900),
    ("p1 status page if users notice", 2, "status_page", 900),
    ("sev3 respond within 4 hours and p2 within 1 hour", 3, "respond", 3600),
    ("p2 internal communication only", 3, "status_page", None),
    ("sev4 and p3 respond within 24 hours", 4, "respond", 86_400),
    ("p3 no immediate action", 4, "notify_executives", None),
]
OF_LEVEL = {1: {"outage": "complete"}, 2: {"outage": "partial"}, 3: {"functions": "minor"}, 4: {}}


def of(facts: dict[str, Any]) -> Severity:
    return judge(facts, DETECTED)


@pytest.mark.parametrize(("facts", "level"), [row[1:] for row in MATRIXON], ids=[row[0] for row in MATRIXON])
def test_matrixon(facts: dict[str, Any], level: int) -> None:
    assert of(facts).names[0] == f"Sev{level}"


@pytest.mark.parametrize(("facts", "level"), [row[1:] for row in ZEKKA], ids=[row[0] for row in ZEKKA])
def test_zekka(facts: dict[str, Any], level: int) -> None:
    assert of(facts).names[1] == f"P{level - 1}"


@pytest.mark.parametrize(
    ("level", "clock", "seconds"), [row[1:] for row in CLOCKS], ids=[r[0] for r in CLOCKS]
)
def test_clock(level: int, clock: str, seconds: int | None) -> None:
    due = of(OF_LEVEL[level]).deadlines[clock]
    if seconds is None:
        assert due is None
    else:
        passed = datetime.fromisoformat(str(due)) - DETECTED
        assert passed.total_seconds() == seconds


@pytest.mark.parametrize("fact", ["revenue_total", "complaints", "user_facing"])
def test_what_says_who_is_told_makes_nothing_worse(fact: str) -> None:
    assert of({fact: "unsure"}).level == 4
