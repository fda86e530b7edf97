# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.plugin_utils.severity.rules import DEADLINES, RULES
from ansible_collections.firebreak.incident.plugins.plugin_utils.severity.site import Scale

R, D = "firebreak_severity_rules", "firebreak_severity_deadlines"


def test_without_variables_the_runbooks_count() -> None:
    assert Scale.of({}) == Scale.of({R: None, D: {}}) == Scale(RULES, DEADLINES)


def test_our_own_rules_can_be_given() -> None:
    assert [dict(rule) for rule in Scale.of({R: list(RULES)}).rules] == [dict(rule) for rule in RULES]


def test_a_site_gives_only_the_clocks_that_it_wants_others() -> None:
    deadlines = Scale.of(
        {D: {"1": {"respond": "5m"}, 3: {"status_page": "1h", "updates_every": None}}}
    ).deadlines
    assert deadlines[1] == {**DEADLINES[1], "respond": 300}
    assert deadlines[2] == DEADLINES[2]
    assert deadlines[3] == {**DEADLINES[3], "status_page": 3600, "updates_every": None}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({R: "all"}, "firebreak_severity_rules: it is no list"),
        ({R: [{"level": 1, "fact": "outage", "atleast": "partial"}]}, r"rules\[0\]: it cannot be read"),
        ({R: [{"level": 5, "fact": "outage", "at_least": "partial"}]}, r"rules\[0\].level: 5 is no level"),
        ({R: [{"level": 1, "fact": "weather", "at_least": 1}]}, r"rules\[0\].fact: nothing is known of"),
        ({R: [{"level": 1, "fact": "outage"}]}, "cannot be tested on outage"),
        ({R: [{"level": 1, "fact": "outage", "at_least": "total"}]}, "one of none, partial, complete"),
        ({R: [{"level": 1, "fact": "error_percent", "at_least": "5"}]}, "at_least or over, a number"),
        ({R: [{"level": 1, "fact": "services", "over": 1}]}, "any_of, a list"),
        ({R: [{"level": 1, "fact": "error_percent", "at_least": 5, "over": 3}]}, "cannot be tested"),
        ({D: [1]}, "firebreak_severity_deadlines: it is no dictionary"),
        ({D: {"P0": {}}}, "'P0' is no level"),
        ({D: {1: {"answer": 5}}}, r"deadlines\[1\]: it cannot be read"),
        ({D: {1: {"respond": "soon"}}}, r"deadlines\[1\]: duration 'soon'"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_place(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Scale.of(given)
