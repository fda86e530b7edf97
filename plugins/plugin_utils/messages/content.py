# SPDX-License-Identifier: GPL-3.0-or-later
"""What a message may say, by who reads it. Pure.

What a template is not given here it cannot tell: of a security incident nobody but the audience `security`
is told more than that there is one, and the public is never told of machines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.moments import parse_iso
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import speak_duration

from ..people.contacts import External, People
from ..people.due import CUSTOMERS, SECURITY, STATUS_PAGE, Notification
from ..people.policy import Policy
from ..people.story import UPDATE, Story
from ..record.event import OPENED, Event
from ..record.incident import ACKNOWLEDGED, RESOLVED, SEVERITY, Incident

PUBLIC = (STATUS_PAGE, CUSTOMERS)
# All that those are told of a security incident who are not in its channel.
_OPEN_TO_ALL = (
    "incident",
    "severity",
    "level",
    "status",
    "started",
    "duration",
    "next_update",
    "person",
    "role",
    "commander",
    "status_page",
)
_TO_THE_PUBLIC = (
    "level",
    "status",
    "started",
    "duration",
    "next_update",
    "status_page",
    "postmortem",
    "public",
    "public_update",
    "public_impact",
    "root_cause",
    "resolution",
)
COMMANDER = "incident_commander"
SECURITY_TITLE = "Security incident"


def channel_name(opened: datetime) -> str:
    """The channel in which one incident is worked on, after the second in which it was opened, in UTC."""
    return f"#incident-{opened.astimezone(UTC):%Y%m%d-%H%M%S}"


def values(
    incident: Incident,
    events: Sequence[Event],
    policy: Policy,
    notification: Notification,
    links: Mapping[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """What the template of the notification may use; what is not known is not there."""
    known = {**_known(incident, events, policy, links, now), **_recipient(notification)}
    if notification.audience in PUBLIC:
        allowed = set(_TO_THE_PUBLIC) & (set(_OPEN_TO_ALL) if incident.security else set(_TO_THE_PUBLIC))
        return {name: value for name, value in known.items() if name in allowed}
    if incident.security and notification.audience != SECURITY:
        told = {name: value for name, value in known.items() if name in _OPEN_TO_ALL}
        return {**told, "title": SECURITY_TITLE, "restricted": True}
    return known


def _known(
    incident: Incident,
    events: Sequence[Event],
    policy: Policy,
    links: Mapping[str, Any],
    now: datetime,
) -> dict[str, Any]:
    story = Story.of(events)
    opening, resolving = _last(events, OPENED), _last(events, RESOLVED)
    judged = _last(events, SEVERITY) or opening
    update, taken = _last(events, UPDATE), _last(events, ACKNOWLEDGED)
    begun = parse_iso(incident.times.get("detected", events[0].time))
    end = story.ended.time if story.ended else now
    every = policy.updates_every.get(story.level)
    opened = parse_iso(events[0].time)
    return {
        "incident": incident.id,
        # What an alert was called must not look like lines of ours.
        "title": " ".join(incident.title.split()) or incident.id,
        "severity": f"Sev{story.level} / P{story.level - 1}",
        "level": story.level,
        "status": _status(story, incident),
        "started": f"{begun:%Y-%m-%d %H:%M} UTC",
        "duration": speak_duration((end - begun).total_seconds()),
        "next_update": speak_duration(every.total_seconds()) if every else None,
        "channel": channel_name(opened),
        "assessment": opening.get("text"),
        "impact": opening.get("impact") or impact(story.facts),
        "reasons": list(judged.get("reasons") or ()),
        "hosts": sorted({event.host for event in events if event.host}),
        "update": update.get("text"),
        "commander": _commander(incident, policy.people, now),
        "taken_by": taken.get("by") if story.taken else None,
        "root_cause": resolving.get("root_cause"),
        "resolution": resolving.get("resolution"),
        "public": opening.get("public"),
        "public_update": update.get("public"),
        "public_impact": opening.get("public_impact"),
        "war_room": links.get("war_room") if story.level == 1 else None,
        "status_page": links.get("status_page"),
        "postmortem": links.get("postmortem"),
        "outside_help": [_contact(each) for each in policy.people.external],
    }


def _commander(incident: Incident, people: People, now: datetime) -> str | None:
    """Who was given the role, else who has it by the inventory."""
    given = incident.roles.get(COMMANDER)
    if given:
        return people.people[given].name if given in people.people else given
    try:
        return people.with_role(COMMANDER, now)[0].name
    except BadInput:
        return None


def _contact(external: External) -> str:
    account = f"account {external.account}" if external.account else ""
    told = ", ".join(part for part in (external.contact, account, external.notes) if part)
    return f"{external.service}: {told}" if told else external.service


def impact(facts: Mapping[str, Any]) -> str:
    """In a sentence what is known, empty when nothing is."""
    said = {
        "outage": "{} outage",
        "users_percent": "{} % of the users",
        "error_percent": "{} % of the requests fail",
        "latency_seconds": "answers take {} s",
    }
    parts = [text.format(facts[name]) for name, text in said.items() if facts.get(name) not in (None, "none")]
    services = facts.get("services")
    if services:
        parts.append(f"services: {services if isinstance(services, str) else ', '.join(map(str, services))}")
    return "; ".join(parts)


def _recipient(notification: Notification) -> dict[str, Any]:
    return {
        "person": notification.person.name if notification.person else None,
        "role": (notification.role or "").replace("_", " "),
        "because": notification.because,
    }


def _status(story: Story, incident: Incident) -> str:
    if story.ended:
        return "resolved"
    contained = "contained" in incident.times
    return "contained" if contained else "being worked on" if story.taken else "investigating"


def _last(events: Sequence[Event], kind: str) -> Mapping[str, Any]:
    return next((event.data for event in reversed(events) if event.kind == kind), {})
