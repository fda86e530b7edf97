# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso
from ansible_collections.firebreak.incident.plugins.plugin_utils.people.due import Notification, due
from ansible_collections.firebreak.incident.plugins.plugin_utils.people.policy import Policy
from ansible_collections.firebreak.incident.plugins.plugin_utils.people.story import SETTLED
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import BEGINNING, Draft, Event
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.incident import fold

BEGAN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ROLES = (
    "engineering_lead",
    "engineering_manager",
    "cto",
    "ceo",
    "security_team",
    "legal",
    "devops_lead",
    "database_admin",
    "customer_success",
    "public_relations",
)


def site(**given: Any) -> dict[str, Any]:
    """The variables of a site in which each role has a person of its name, and two are on call in turns."""
    names = ("ann", "ben", "dora", *ROLES)
    return {
        "firebreak_people": {name: {"name": name.title(), "urls": []} for name in names},
        "firebreak_roles": {"on_call": "primary", **{role: [role] for role in ROLES}},
        "firebreak_rotations": {
            "primary": {
                "anchor": "2026-11-16T09:00",
                "time_zone": "Europe/Berlin",
                "turn": "1w",
                "people": ["ann", "ben"],
            },
            "database": {"anchor": "2026-11-16T09:00", "time_zone": "UTC", "people": ["dora"]},
        },
        **given,
    }


@dataclass
class Tale:
    """An incident whose events are told one after the other, and what was sent when."""

    policy: Policy
    events: list[Event] = field(default_factory=list)
    sent: list[tuple[float, Notification]] = field(default_factory=list)

    def add(self, kind: str, minute: float, key: str | None = None, **data: Any) -> None:
        number = len(self.events) + 1
        time = iso(BEGAN + timedelta(minutes=minute))
        previous = self.events[-1].digest if self.events else BEGINNING
        draft = Draft(key or f"{kind}{number}", time, kind, "ann", None, data)
        self.events.append(Event.following(draft, "inc-1", number, previous))

    def due(self, minute: float, facts: Mapping[str, Any] | None = None) -> list[Notification]:
        now = BEGAN + timedelta(minutes=minute)
        return due(fold(self.events), self.events, facts or {}, self.policy, now)

    def send(self, minute: float) -> list[str]:
        """What a call of that minute sends, as `event to whom`."""
        sent = self.due(minute)
        for each in sent:
            self.sent.append((minute, each))
            told = {"notification": each.key, "event": each.event, "audience": each.audience}
            self.add(SETTLED, minute, each.key, **told)
        return said(sent)

    def run(self, first: int, last: int) -> None:
        for minute in range(first, last + 1):
            self.send(minute)

    def minutes(self, event: str, whom: str) -> list[float]:
        return [minute for minute, each in self.sent if said([each]) == [f"{event} {whom}"]]


def said(notifications: Sequence[Notification]) -> list[str]:
    return [f"{each.event} {each.person.id if each.person else each.audience}" for each in notifications]


@pytest.fixture
def policy() -> Policy:
    return Policy.of(site())


def tale(policy: Policy, severity: Any = "P0", **data: Any) -> Tale:
    story = Tale(policy)
    story.add("incident.opened", 0, title="the shop is down", severity=severity, **data)
    return story
