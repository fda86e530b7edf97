# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of both runbooks about how bad an incident is, as the facts that a person would give."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.severity.judge import Severity, judge

from ..runbooks import Response, minutes_until, said, text

DETECTED = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
P0, P1, P2, P3 = ({"severity": f"P{number}"} for number in range(4))
PEOPLE = ("page", "escalation")
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
    ("p0 complete service outage affecting all users", {"outage": "complete"}, 1),
    (
        "p0 critical security breach affecting all users",
        {"data_breach": "confirmed", "users_percent": 100},
        1,
    ),
    ("p0 complete application down", {"outage": "complete"}, 1),
    ("p0 database compromised", {"data_breach": "confirmed"}, 1),
    ("p0 data breach confirmed", {"data_breach": "confirmed"}, 1),
    ("p0 ransomware attack", {"data_loss": "suspected"}, 1),
    ("p0 complete loss of authentication", {"login": "none"}, 1),
    ("p1 major functionality impaired", {"functions": "major"}, 2),
    ("p1 significant security risk", {"vulnerability": "urgent"}, 2),
    ("p1 large user impact", {"users_percent": "50-80"}, 2),
    ("p1 database queries over 5 s", {"latency_seconds": 5.1}, 2),
    ("p1 authentication partially down", {"login": "partly"}, 2),
    ("p1 suspected security breach", {"data_breach": "suspected"}, 2),
    ("p1 critical API endpoints failing", {"functions": "major"}, 2),
    ("p1 payment processing failures", {"services": ["payment"]}, 2),
    ("p2 moderate functionality impaired", {"functions": "minor"}, 3),
    ("p2 minor security risk", {"vulnerability": "minor"}, 3),
    ("p2 limited user impact", {"users_percent": 5}, 3),
    ("p2 non-critical API endpoints slow", {"functions": "minor", "latency_seconds": 3}, 3),
    ("p2 file upload issues", {"services": ["upload"]}, 3),
    ("p2 email notifications delayed", {"services": ["email"]}, 3),
    ("p2 minor vulnerability discovered", {"vulnerability": "minor"}, 3),
    ("p2 monitoring alerts triggering", {"findings": [{"level": "warning"}]}, 3),
    ("p3 minor issues with minimal user impact", {"functions": "cosmetic", "users_percent": 0}, 4),
    ("p3 cosmetic problems", {"functions": "cosmetic"}, 4),
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
    ("p1 investigation starts within 15 minutes", 2, "respond", 900),
    ("p1 status page if users notice", 2, "status_page", 900),
    ("p1 executives are told of p0 alone", 2, "notify_executives", None),
    ("sev3 respond within 4 hours and p2 within 1 hour", 3, "respond", 3600),
    ("p2 internal communication only, no status page", 3, "status_page", None),
    ("p2 internal communication only, no executives", 3, "notify_executives", None),
    ("sev4 and p3 respond within 24 hours", 4, "respond", 86_400),
    ("p3 no immediate action, no executives", 4, "notify_executives", None),
    ("p3 no immediate action, no status page", 4, "status_page", None),
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


@pytest.mark.parametrize(
    ("level", "seconds"),
    [
        pytest.param(1, 1800, id="every 30 minutes during p0"),
        pytest.param(2, 1800, id="every 30 minutes during p1"),
        pytest.param(3, 3600, id="hourly for p2"),
        pytest.param(4, 86_400, id="end-of-day summary"),
    ],
)
def test_status_updates(level: int, seconds: int) -> None:
    assert of(OF_LEVEL[level]).deadlines["updates_every"] == seconds


@pytest.mark.parametrize(("fact", "level"), [("revenue_per_hour", 1), ("users_percent", 1), ("login", 1)])
def test_remember_when_in_doubt_it_is_the_higher_one(fact: str, level: int) -> None:
    assert of({fact: "unsure"}).level == level


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        pytest.param({"revenue_per_hour": 10_000}, 1, id="10000 an hour, of sev1 and sev2"),
        pytest.param({"revenue_per_hour": 1_000}, 2, id="1000 an hour, of sev2 and sev3"),
        pytest.param({"users_percent": 50}, 2, id="50 percent of users, of sev2 and sev3"),
        pytest.param({"error_percent": 5}, 2, id="5 percent of errors"),
        pytest.param({"latency_seconds": 5}, 2, id="5 s"),
    ],
)
def test_a_value_on_the_boundary_of_two_rows_is_the_higher_one(facts: dict[str, Any], level: int) -> None:
    """The runbooks leave it open: they write over $10,000 and $1,000-$10,000, over 50 % and under 50 %."""
    assert of(facts).level == level


# What each severity asks for, as it is told at the site of the runbook.


def test_p0_immediate_escalation_to_all_on_call_personnel(zekka: Response) -> None:
    other = {"anchor": "2026-01-05T09:00", "time_zone": "UTC", "people": ["security"]}
    zekka.variables["firebreak_rotations"]["security"] = other
    zekka.open(**P0)
    assert {"page engineer_b", "page security"} <= said(zekka.tell(0))


def test_p0_executive_notification_within_15_minutes(zekka: Response) -> None:
    zekka.open(**P0)
    assert minutes_until(zekka.due(0, "initial", "executives")) == 15


def test_p0_public_status_page_update(zekka: Response) -> None:
    """Whoever notices it."""
    zekka.open(**P0, facts={"user_facing": "no"})
    assert minutes_until(zekka.due(0, "initial", "status_page")) == 15


def test_p1_on_call_engineer_paged_immediately(zekka: Response) -> None:
    zekka.open(**P1)
    assert "page engineer_b" in said(zekka.tell(0))


def test_p1_team_lead_notified(zekka: Response) -> None:
    """Also when somebody has taken it on already, so that nobody is paged."""
    zekka.open(**P1)
    zekka.say(0, "acknowledge")
    assert minutes_until(zekka.due(0, "escalation", "lead")) == 15
    assert "escalation lead" in said(zekka.tell(0))


def test_p1_investigation_starts_within_15_minutes(zekka: Response) -> None:
    """Who has not said by then that it is being looked into is no longer alone with it."""
    assert zekka.open(**P1).data["deadlines"]["respond"] == "2026-11-21T22:16:07.000Z"
    assert "page lead" in said(zekka.tell(0, 15))


@pytest.mark.parametrize(("user_facing", "told"), [("yes", True), ("unsure", True), ("no", False)])
def test_p1_status_page_update_if_user_facing(zekka: Response, user_facing: str, told: bool) -> None:
    zekka.open(**P1, facts={"user_facing": user_facing})
    assert ("initial status_page" in said(zekka.tell(0))) is told


def test_p2_on_call_engineer_notified(zekka: Response) -> None:
    zekka.open(**P2)
    assert "page engineer_b" in said(zekka.tell(0))
    assert not [each for each in zekka.tell(15, 30, 45) if each.event in PEOPLE]


def test_p2_investigation_during_business_hours(zekka: Response) -> None:
    """The runbook wants an answer within the hour as well, and the stricter clock counts: also at night."""
    assert zekka.open(**P2).data["deadlines"]["respond"] == "2026-11-21T23:01:07.000Z"


def test_p2_internal_communication_only(zekka: Response) -> None:
    zekka.open(**P2, facts={"users_percent": 40, "user_facing": "yes"})
    told = {each.whom for each in zekka.tell(0, 60, 120)}
    assert told <= {*zekka.policy().people.people, "incidents"}


def test_p3_ticket_created_for_review(zekka: Response) -> None:
    """The record of the incident is the ticket, and its opening is told where incidents are."""
    zekka.open(**P3)
    assert said(zekka.tell(0)) == {"initial incidents"}
    assert zekka.incident().severity == "Sev4"


def test_p3_no_immediate_action_required(zekka: Response) -> None:
    assert zekka.open(**P3).data["deadlines"]["respond"] == "2026-11-22T22:01:07.000Z"
    assert not [each for each in zekka.tell(0, 60, 600, 1439) if each.event in PEOPLE]


def test_p0_emergency_war_room_activation(zekka: Response) -> None:
    """Everybody who is paged is given the link; a meeting that stands needs nobody to open it."""
    zekka.open(**P0)
    pages = [each for each in zekka.tell(0, 15, 30, 60) if each.event == "page"]
    assert {each.whom for each in pages} >= {"engineer_b", "lead", "cto", "ceo"}
    assert all("War room: https://meet.example/zekka-war-room" in each.text for each in pages)


def test_p0_executive_notification_says_what_it_is_and_asks_nothing(zekka: Response) -> None:
    zekka.open(**P0, facts={"users_percent": 50})
    told = text(zekka.tell(0), "initial", "executives")
    page = "Public status: https://status.zekka.example"
    for part in ("Sev1 / P0", "50 % of the users", page, "Nothing is asked of you"):
        assert part in told
