# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is told of an incident, and when, as data: a site gives its own in the same shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..severity.rules import HOUR

_DAY = 24 * HOUR

# Paged, until somebody acknowledges, for as long as it lasts. `after` counts from the detection.
PATH: Sequence[Mapping[str, Any]] = (
    {"after": "0s", "to": "everybody_on_call", "severities": [1]},
    {"after": "0s", "to": "on_call", "severities": [2, 3]},
    {"after": "15m", "to": "engineering_lead", "severities": [1, 2]},
    {"after": "30m", "to": "cto", "severities": [1, 2]},
    {"after": "60m", "to": "ceo", "severities": [1]},
    # Its answer is due within the hour.
    {"after": "60m", "to": "engineering_lead", "severities": [3]},
)

# The same by the levels of a table of contacts: level 1 at once, one level more each quarter of an hour.
PATH_BY_LEVEL: Sequence[Mapping[str, Any]] = (
    {"after": "0s", "to": "everybody_on_call", "severities": [1]},
    {"after": "0s", "to": "on_call", "severities": [2, 3]},
    {"after": "15m", "to": "devops_lead", "severities": [1, 2]},
    {"after": "30m", "to": "engineering_manager", "severities": [1, 2]},
    {"after": "60m", "to": "cto", "severities": [1, 2]},
)

# What a site may name instead of writing its own.
PATHS: Mapping[str, Sequence[Mapping[str, Any]]] = {"by_time": PATH, "by_level": PATH_BY_LEVEL}

# Told once, whether or not somebody acknowledged. `within` counts from when the condition holds.
MATRIX: Sequence[Mapping[str, Any]] = (
    {
        "name": "severity_1_lasts",
        "when": {"severities": [1], "unresolved_for": "30m"},
        "to": ["engineering_manager"],
        "within": "0s",
        "because": "severity 1 is not resolved after 30 minutes",
    },
    {
        "name": "severity_2_lasts",
        "when": {"severities": [2], "unresolved_for": "2h"},
        "to": ["engineering_manager"],
        "within": "15m",
        "because": "severity 2 is not resolved after 2 hours",
    },
    {
        "name": "data_breach",
        "when": {"fact": "data_breach", "at_least": "suspected"},
        "to": ["security_team", "legal"],
        "within": "0s",
        "because": "data may have been taken",
    },
    {
        "name": "security",
        "when": {"security": True},
        "to": ["security_team"],
        "within": "0s",
        "because": "it is a security incident",
    },
    {
        "name": "revenue",
        # In total. What is lost in an hour is another quantity, and makes the severity.
        "when": {"fact": "revenue_total", "at_least": 10_000},
        "to": ["engineering_manager", "cto"],
        "within": "0s",
        "because": "$10,000 are lost in all",
    },
    {
        "name": "database",
        "when": {"fact": "services", "any_of": ["database", "postgres", "postgresql", "redis"]},
        "to": ["database_admin"],
        "within": "15m",
        "because": "a database is affected",
    },
    {
        "name": "several_services",
        "when": {"fact": "services", "count": 2},
        "to": ["devops_lead"],
        "within": "15m",
        "because": "more than one service is affected",
    },
    {
        "name": "complaints",
        "when": {"fact": "complaints", "at_least": "rising"},
        "to": ["customer_success", "public_relations"],
        "within": "30m",
        "because": "more and more customers complain",
    },
    {
        "name": "lead_knows",
        "when": {"severities": [2]},
        "to": ["engineering_lead"],
        "within": "15m",
        "because": "the team lead is told of every incident of severity 2",
    },
)

# Customers are written to when that many of them notice, in percent.
CUSTOMERS_FROM = 10
# When the summary of the day goes out, on the clock of the site.
SUMMARY_AT, TIME_ZONE = "18:00", "UTC"


def updates_every(deadlines: Mapping[int, Mapping[str, int | None]]) -> Mapping[int, int | None]:
    """Seconds between status updates by severity; None where the summary of the day is enough."""
    every = {level: due["updates_every"] for level, due in deadlines.items()}
    return {level: seconds if seconds and seconds < _DAY else None for level, seconds in every.items()}


def within(name: str, deadlines: Mapping[int, Mapping[str, int | None]]) -> Mapping[int, int | None]:
    """Seconds from the detection within which they are told, by severity."""
    return {level: due[name] for level, due in deadlines.items()}
