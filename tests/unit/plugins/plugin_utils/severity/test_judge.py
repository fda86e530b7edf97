# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.plugin_utils.severity.judge import Severity, judge
from ansible_collections.firebreak.incident.plugins.plugin_utils.severity.rules import NUMBERS, RULES, WORDS

DETECTED = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)


def severity(**facts: Any) -> Severity:
    return judge(facts, DETECTED)


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        ({"outage": "complete"}, 1),
        ({"data_breach": "confirmed"}, 1),
        ({"data_loss": "confirmed"}, 1),
        ({"data_loss": "suspected"}, 1),
        ({"legal": "yes"}, 1),
        ({"legal": True}, 1),
        ({"login": "none"}, 1),
        ({"users_percent": 100}, 1),
        ({"outage": "partial"}, 2),
        ({"data_breach": "suspected"}, 2),
        ({"vulnerability": "urgent"}, 2),
        ({"login": "partly"}, 2),
        ({"functions": "major"}, 2),
        ({"services": ["payment"]}, 2),
        ({"services": "monitoring"}, 2),
        ({"functions": "minor"}, 3),
        ({"vulnerability": "minor"}, 3),
        ({"services": ["upload"]}, 3),
        ({"functions": "cosmetic"}, 4),
        ({}, 4),
        ({"findings": [{"level": "warning"}, {"level": "critical"}]}, 2),
        ({"findings": [{"level": "warning"}]}, 3),
        ({"findings": [{"level": "notice"}]}, 4),
    ],
)
def test_what_is_affected_says_how_bad_it_is(facts: dict[str, Any], level: int) -> None:
    assert severity(**facts).level == level


@pytest.mark.parametrize(
    ("fact", "boundary", "level"),
    [
        ("revenue_per_hour", 10_000, 1),
        ("revenue_per_hour", 1_000, 2),
        ("users_percent", 50, 2),
        ("error_percent", 5, 2),
        ("latency_seconds", 5, 2),
    ],
)
def test_a_value_on_a_boundary_is_the_higher_severity(fact: str, boundary: int, level: int) -> None:
    assert severity(**{fact: boundary}).level == level
    assert severity(**{fact: boundary - 0.1}).level == level + 1 if fact != "latency_seconds" else 4


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        ({"users_percent": "10-60"}, 2),
        ({"users_percent": "10 - 49 %"}, 3),
        ({"revenue_per_hour": "unsure"}, 1),
        ({"data_breach": "unsure"}, 1),
        ({"users_percent": None}, 4),
    ],
)
def test_in_doubt_it_is_the_higher_severity(facts: dict[str, Any], level: int) -> None:
    assert severity(**facts).level == level


def test_the_worst_that_is_known_counts_and_is_the_reason() -> None:
    found = severity(users_percent=3, data_breach="suspected", functions="minor")
    assert found.level == 2
    assert found.reasons == ("data may have been taken (data breach: suspected)",)


def test_a_reason_names_the_services_that_are_one_and_no_others() -> None:
    found = severity(services=["chat", "payment"])
    assert found.reasons == ("an essential service fails (payment)",)


def test_both_scales_are_told_and_the_stricter_clock_counts() -> None:
    assert severity(outage="complete").names == ("Sev1", "P0")
    assert severity(outage="complete").deadlines == {
        "respond": "2026-11-21T22:00:00.000Z",
        "notify_executives": "2026-11-21T22:15:00.000Z",
        "status_page": "2026-11-21T22:15:00.000Z",
        "updates_every": 1800,
    }
    assert severity(outage="partial").deadlines["respond"] == "2026-11-21T22:15:00.000Z"
    assert severity(functions="minor").deadlines["updates_every"] == 3600
    assert severity().deadlines["status_page"] is None


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"user_percent": 5}, "fact 'user_percent': no rule knows it"),
        ({"users_percent": "many"}, "a range as in 10-60"),
        ({"users_percent": -1}, "is no number"),
        ({"outage": "total"}, "'total' is none of none, partial, complete"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(facts: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as caught:
        severity(**facts)
    assert said in str(caught.value)


def test_a_site_has_rules_and_clocks_of_its_own() -> None:
    rules = [{"level": 1, "fact": "services", "any_of": ["federation"], "because": "it is what we are for"}]
    clocks: dict[int, dict[str, int | None]] = {
        1: {"respond": 300, "updates_every": 600},
        4: {"respond": None, "updates_every": None},
    }
    found = judge({"services": ["federation"]}, DETECTED, rules, clocks)
    assert (found.level, found.deadlines["respond"]) == (1, "2026-11-21T22:05:00.000Z")
    assert judge({"outage": "complete"}, DETECTED, rules, clocks).level == 4


def test_every_rule_is_about_a_fact_that_can_be_given() -> None:
    for rule in RULES:
        assert rule["fact"] in {*NUMBERS, *WORDS, "services", "findings"}
        assert 1 <= rule["level"] <= 4


@given(st.floats(0, 100), st.floats(0, 100))
def test_more_users_are_never_less_bad(one: float, other: float) -> None:
    less, more = sorted((round(one, 3), round(other, 3)))
    assert severity(users_percent=f"{more:.3f}").level <= severity(users_percent=f"{less:.3f}").level
