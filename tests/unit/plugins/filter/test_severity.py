# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.firebreak.incident.plugins.filter.severity import FilterModule

severity = FilterModule().filters()["severity"]
DETECTED = "2026-11-21T22:00:00Z"


def test_it_says_the_level_the_reasons_and_the_deadlines() -> None:
    found = severity({"users_percent": "10-60"}, DETECTED)
    assert (found["level"], found["names"]) == (2, ["Sev2", "P1"])
    assert found["reasons"] == ["half of the users are affected (10-60 % of the users)"]
    assert found["deadlines"]["respond"] == "2026-11-21T22:15:00.000Z"


def test_findings_of_triage_feed_it() -> None:
    assert severity({"findings": [{"level": "critical"}]}, DETECTED)["level"] == 2


def test_a_site_has_its_own_rules_and_clocks() -> None:
    rules = [{"level": 1, "fact": "services", "any_of": ["federation"]}]
    found = severity({"services": "federation"}, DETECTED, rules, {1: {"respond": "5m"}})
    assert (found["level"], found["deadlines"]["respond"]) == (1, "2026-11-21T22:05:00.000Z")


def test_without_a_time_the_clocks_count_from_now() -> None:
    assert severity({})["deadlines"]["respond"] is not None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("down",), "no dictionary of facts"),
        (({"outage": "total"},), "'total' is none of"),
        (({}, "noon"), "it is not UTC"),
        (({}, DETECTED, "all"), "firebreak_severity_rules: it is no list"),
    ],
)
def test_what_it_cannot_judge_is_said(given: tuple[object, ...], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        severity(*given)
