# SPDX-License-Identifier: GPL-3.0-or-later
"""How bad an incident is and what follows from it, as data: a site gives its own in the same shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MINUTE, HOUR = 60, 3600

# What may be said of an incident: how bad it is, and who has to be told. A number may be a range ("10-60"),
# of which the worse end counts.
NUMBERS: Mapping[str, str] = {
    "users_percent": "share of the users who notice, in percent",
    "error_percent": "share of the requests that fail, in percent",
    "latency_seconds": "what users wait for an answer, in seconds",
    "revenue_per_hour": "what is lost, in dollars an hour",
    "revenue_total": "what was lost so far, in dollars",
}
# Each with its words, the worse ones later.
WORDS: Mapping[str, Sequence[str]] = {
    "outage": ("none", "partial", "complete"),
    "data_breach": ("no", "suspected", "confirmed"),
    "data_loss": ("no", "suspected", "confirmed"),
    "vulnerability": ("none", "minor", "urgent"),
    "login": ("works", "partly", "none"),
    "functions": ("all", "cosmetic", "minor", "major"),
    "legal": ("no", "yes"),
    "complaints": ("none", "some", "rising"),
    "user_facing": ("no", "yes"),
}
# Named services that are down or fail; a rule holds for those it names.
LISTS = ("services", "findings")

# The strictest that holds counts. A value on the boundary is over it: it is the higher level.
RULES: Sequence[Mapping[str, Any]] = (
    {"level": 1, "fact": "outage", "at_least": "complete", "because": "the service is out for everybody"},
    {"level": 1, "fact": "users_percent", "at_least": 100, "because": "every user is affected"},
    {"level": 1, "fact": "data_breach", "at_least": "confirmed", "because": "data was taken"},
    {"level": 1, "fact": "data_loss", "at_least": "suspected", "because": "data is lost or damaged"},
    {"level": 1, "fact": "revenue_per_hour", "at_least": 10_000, "because": "$10,000 an hour are lost"},
    {"level": 1, "fact": "legal", "at_least": "yes", "because": "the law or a contract is broken"},
    {"level": 1, "fact": "login", "at_least": "none", "because": "nobody can log in"},
    {"level": 2, "fact": "outage", "at_least": "partial", "because": "a part of the service is out"},
    {"level": 2, "fact": "users_percent", "at_least": 50, "because": "half of the users are affected"},
    {"level": 2, "fact": "data_breach", "at_least": "suspected", "because": "data may have been taken"},
    {"level": 2, "fact": "vulnerability", "at_least": "urgent", "because": "a hole has to be closed at once"},
    {"level": 2, "fact": "revenue_per_hour", "at_least": 1_000, "because": "$1,000 an hour are lost"},
    {"level": 2, "fact": "error_percent", "at_least": 5, "because": "one request in twenty fails"},
    {"level": 2, "fact": "latency_seconds", "at_least": 5, "because": "answers take five seconds"},
    {"level": 2, "fact": "login", "at_least": "partly", "because": "logging in fails for some"},
    {"level": 2, "fact": "functions", "at_least": "major", "because": "a major function is impaired"},
    {
        "level": 2,
        "fact": "services",
        "any_of": ["payment", "monitoring"],
        "because": "an essential service fails",
    },
    {"level": 3, "fact": "users_percent", "over": 0, "because": "some users are affected"},
    {"level": 3, "fact": "revenue_per_hour", "over": 0, "because": "revenue is lost"},
    {"level": 3, "fact": "error_percent", "over": 0, "because": "requests fail"},
    {"level": 3, "fact": "vulnerability", "at_least": "minor", "because": "there is a hole"},
    {"level": 3, "fact": "functions", "at_least": "minor", "because": "a minor function is impaired"},
    {"level": 3, "fact": "services", "any": True, "because": "a service is impaired"},
)

# Seconds from the detection; None where nothing is due. Of the two scales the stricter clock counts.
DEADLINES: Mapping[int, Mapping[str, int | None]] = {
    1: {
        "respond": 0,
        "notify_executives": 15 * MINUTE,
        "status_page": 15 * MINUTE,
        "updates_every": 30 * MINUTE,
    },
    2: {
        "respond": 15 * MINUTE,
        "notify_executives": None,
        "status_page": 15 * MINUTE,
        "updates_every": 30 * MINUTE,
    },
    3: {"respond": HOUR, "notify_executives": None, "status_page": None, "updates_every": HOUR},
    4: {"respond": 24 * HOUR, "notify_executives": None, "status_page": None, "updates_every": 24 * HOUR},
}
