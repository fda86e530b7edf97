# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import time, timedelta
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.plugin_utils.people.policy import Policy
from ansible_collections.firebreak.incident.plugins.plugin_utils.severity.reading import level_of

from .conftest import BEGAN, site


def test_every_role_of_the_defaults_can_be_filled(policy: Policy) -> None:
    assert policy.unfilled(BEGAN) == []


def test_roles_that_nobody_has_are_told_before_they_are_needed() -> None:
    roles = {name: who for name, who in site()["firebreak_roles"].items() if name != "legal"}
    (said,) = Policy.of(site(firebreak_roles=roles)).unfilled(BEGAN)
    assert said.startswith("role legal: nobody was ever given it. Name people or a rotation")


@pytest.mark.parametrize(
    ("given", "level"),
    [
        ("P0", 1),
        ("p3", 4),
        ("Sev1", 1),
        ("Severity 2", 2),
        ("3", 3),
        (4, 4),
        ("critical", 1),
        ("Low", 4),
        ("sev-2", 2),
    ],
)
def test_a_severity_is_known_by_both_scales(given: Any, level: int) -> None:
    assert level_of("x", given) == level


@pytest.mark.parametrize("given", ["P4", "Sev0", "Sev5", "urgent", "", 0])
def test_what_is_no_severity_is_refused(given: Any) -> None:
    with pytest.raises(BadInput, match="is no severity"):
        level_of("x", given)


def test_the_clocks_are_those_of_the_severity_unless_the_escalation_has_its_own() -> None:
    clocks = {
        "1": {"updates_every": "10m", "notify_executives": "5m", "status_page": None},
        "4": {"respond": "2d"},
    }
    policy = Policy.of(site(firebreak_severity_deadlines=clocks))
    assert (policy.updates_every[1], policy.updates_every[2]) == (
        timedelta(minutes=10),
        timedelta(minutes=30),
    )
    assert policy.updates_every[4] is None, "the summary of the day is enough"
    assert policy.executives == {1: timedelta(minutes=5)}
    assert 1 not in policy.status_page and 1 not in policy.customers
    assert policy.respond[4] == timedelta(days=2)
    own = {"updates_every": {"P0": "20m"}}
    policy = Policy.of(site(firebreak_severity_deadlines=clocks, firebreak_escalation=own))
    assert policy.updates_every[1] == timedelta(minutes=20)


def test_clocks_that_cannot_be_read_are_named() -> None:
    with pytest.raises(BadInput, match=r"firebreak_severity_deadlines\[1\]"):
        Policy.of(site(firebreak_severity_deadlines={1: {"updates_every": "soon"}}))


def test_the_time_of_the_summary_may_be_what_yaml_makes_of_it() -> None:
    assert Policy.of(site(firebreak_escalation={"summary_at": 18 * 60})).summary_at == time(18, 0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], None),
        (["x"], "firebreak_escalation: it cannot be read"),
        ({"paht": []}, "firebreak_escalation: it cannot be read. It has path, matrix"),
        ({"path": "cto"}, r"path: it is no list"),
        ({"path": [{"to": "cto"}]}, r"path\[0\]: it cannot be read. Give it after, to"),
        ({"path": [{"after": "soon", "to": "cto"}]}, "it is not a duration"),
        ({"path": [{"after": "1m", "to": "cto", "severities": ["P9"]}]}, "'P9' is no severity"),
        ({"matrix": [{"name": "x", "when": {}, "to": ["cto"]}]}, r"matrix\[0\]\.when: it cannot be read"),
        ({"matrix": [{"name": "x", "when": {"fact": "mood"}, "to": ["cto"]}]}, "nothing is known of 'mood'"),
        (
            {"matrix": [{"name": "x", "when": {"fact": "data_breach", "at_least": "x"}, "to": ["cto"]}]},
            "'x' is no word",
        ),
        (
            {"matrix": [{"name": "x", "when": {"fact": "revenue_total", "at_least": "x"}, "to": ["cto"]}]},
            "'x' is no number",
        ),
        ({"matrix": [{"name": "x", "when": {"fact": "services"}, "to": ["cto"]}]}, "a number is missing"),
        (
            {"matrix": [{"name": "x", "when": {"fact": "services", "any_of": "db"}, "to": ["cto"]}]},
            r"any_of: it is no list. Write \[postgres\]",
        ),
        ({"matrix": [{"name": "x", "when": {"severities": [1]}, "to": "cto"}]}, "it is no list of roles"),
        ({"matrix": [{"name": "X Y", "when": {"severities": [1]}, "to": ["cto"]}]}, "is no name"),
        (
            {"matrix": [{"name": "x", "when": {"severities": [1]}, "to": ["cto"]}] * 2},
            "two rows have one name",
        ),
        ({"summary_at": "late"}, "'late' is no time of day"),
        ({"time_zone": "Mars"}, "no time zone"),
        ({"executives": "15m"}, "it is no mapping"),
    ],
)
def test_what_cannot_be_meant_is_named(given: Any, said: str | None) -> None:
    if said is None:
        assert Policy.of(site(firebreak_escalation=given)).path
        return
    with pytest.raises(BadInput, match=said):
        Policy.of(site(firebreak_escalation=given))
