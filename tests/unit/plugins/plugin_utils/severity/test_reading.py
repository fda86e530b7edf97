# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.plugin_utils.severity.reading import (
    facts_of,
    number_of,
    spoken,
    word_of,
)


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        (12, 12),
        (0.5, 0.5),
        (" 12 ", 12),
        ("12%", 12),
        ("12 %", 12),
        ("5s", 5),
        ("$12,000", 12_000),
        ("$1,234,567.50", 1_234_567.5),
        ("10k", 10_000),
        ("$1.5K", 1_500),
        ("10-60", 60),
        ("60-10", 60),
        ("10% - 60%", 60),
        ("10 to 60", 60),
        ("$1,000-$10,000", 10_000),
        ("unsure", math.inf),
        ("Unsure", math.inf),
    ],
)
def test_a_number_is_read_however_it_is_typed(typed: Any, number: float) -> None:
    assert number_of("x", typed) == number


@pytest.mark.parametrize("typed", ["1,5", "1,50", "0,500", "1,5-3", "12,00,000", "1,2345"])
def test_a_comma_that_can_mean_two_things_is_refused(typed: str) -> None:
    with pytest.raises(BadInput, match=r"can mean two things\. Write .* with a point; thousands are"):
        number_of("fact error_percent", typed)


@pytest.mark.parametrize(
    "typed", ["", "many", "-5", ">50", "12 apples", "500ms", True, None, math.nan, "1-2-3"]
)
def test_what_is_no_number_is_refused_with_what_is(typed: Any) -> None:
    with pytest.raises(BadInput, match=r"x: .* is no number\. Write 12, 12%, \$12,000, a range as in 10-60"):
        number_of("x", typed)


def test_a_word_is_read_however_it_is_typed_and_doubt_is_the_worst() -> None:
    assert word_of("x", "outage", " Complete ") == "complete"
    assert word_of("x", "outage", "UNSURE") == "complete"
    assert word_of("x", "legal", True) == "yes"
    assert word_of("x", "outage", False) == "none"


@pytest.mark.parametrize("fact", ["login", "functions"])
def test_yes_and_no_say_nothing_of_what_is_not_denied(fact: str) -> None:
    """That the login is false may be meant as that there is none."""
    for said in (True, False):
        with pytest.raises(BadInput, match="is none of"):
            word_of("x", fact, said)


def test_facts_are_recorded_in_one_form_however_they_are_typed() -> None:
    typed = {
        "error_percent": "12%",
        "latency_seconds": "2.5",
        "revenue_per_hour": "$1,000-$10k",
        "users_percent": "Unsure",
        "outage": "Partial",
        "legal": True,
        "services": "payment",
    }
    assert facts_of(typed) == {
        "error_percent": 12,
        "latency_seconds": 2.5,
        "revenue_per_hour": "1000-10000",
        "users_percent": "unsure",
        "outage": "partial",
        "legal": "yes",
        "services": ["payment"],
    }
    assert facts_of(facts_of(typed)) == facts_of(typed)


@pytest.mark.parametrize(
    ("fact", "value", "said"),
    [
        ("error_percent", "12%", "12 % of the requests"),
        ("users_percent", "10-60", "10-60 % of the users"),
        ("revenue_per_hour", 12_000, "$12,000 an hour"),
        ("latency_seconds", 5.5, "5.5 s"),
        ("users_percent", "unsure", "users percent: unsure"),
        ("data_breach", "suspected", "data breach: suspected"),
        ("services", ["payment", "chat"], "payment, chat"),
    ],
)
def test_a_fact_is_said_as_people_say_it(fact: str, value: Any, said: str) -> None:
    assert spoken(fact, value) == said
