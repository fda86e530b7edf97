# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is on call, who was told, what is due by now and what comes next. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.finding import CRITICAL, WARNING, Finding
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso, parse_iso
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import speak_duration

from ..record.event import Event
from ..record.incident import ACKNOWLEDGED, Incident, fold
from .due import PERSON, UPDATE, Notification, due
from .policy import Policy
from .rotation import Rotation
from .story import SENT, Story

# How far ahead it is looked.
HORIZON = timedelta(days=1)
# How many of the messages that follow are told.
SHOWN = 3
# What was resolved and still is after this should be closed.
CLOSE_WITHIN = timedelta(days=2)
# What has to be at once takes a minute.
AT_ONCE = timedelta(minutes=1)
# Sev1 and Sev2 need somebody at once.
_SERIOUS = (1, 2)


@dataclass(frozen=True)
class Standing:
    """`due` are the messages that should be there and are not, `ahead` those that follow if nothing is said
    or done until then, the next first; each moment is that of `since`."""

    incident: Incident
    story: Story
    due: tuple[Notification, ...]
    ahead: tuple[Notification, ...]
    told: tuple[Mapping[str, Any], ...]
    # Who acknowledged since the alarm.
    taken_by: str | None = None

    @classmethod
    def of(cls, events: Sequence[Event], policy: Policy, now: datetime) -> Standing:
        """From all events of one incident. Raises `BadInput`."""
        incident, story = fold(events), Story.of(events)
        wanted = due(incident, events, {}, policy, now)
        ahead = () if story.ended else tuple(_ahead(incident, events, story, policy, now, wanted))
        taken = [event.data.get("by") for event in events if event.kind == ACKNOWLEDGED]
        by = str(taken[-1]) if story.taken and taken and taken[-1] else None
        return cls(incident, story, tuple(wanted), ahead, tuple(_told(events)), by)

    def as_dict(self) -> dict[str, Any]:
        return {
            "told": list(self.told),
            "due": [_plain(each, "deadline", each.deadline) for each in self.due],
            "ahead": [_plain(each, "time", each.since) for each in self.ahead],
        }

    def findings(self, policy: Policy, now: datetime) -> Iterator[Finding]:
        story, subject = self.story, self.incident.id
        level = CRITICAL if story.level in _SERIOUS else WARNING
        allowed = policy.respond.get(story.level)
        passed = now - story.alarm.time
        if not story.ended and not story.taken and allowed is not None and passed > max(allowed, AT_ONCE):
            yield Finding(
                id="incident.response.late",
                level=level,
                subject=subject,
                summary=f"nobody has acknowledged it for {_span(passed)}, and "
                f"{f'{_span(allowed)} are allowed' if allowed else 'it has to be at once'}",
                evidence={"seconds": passed.total_seconds(), "allowed_seconds": allowed.total_seconds()},
            )
        late = [each for each in self.due if each.deadline + AT_ONCE < now]
        if late:
            yield Finding(
                id="incident.message.late",
                level=level,
                subject=subject,
                summary=f"not told yet: {'; '.join(map(_whom, late))}",
                evidence={"due": [_plain(each, "deadline", each.deadline) for each in late]},
            )
        resolved = self.incident.times.get("resolved")
        if resolved and not self.incident.closed and now - parse_iso(resolved) > CLOSE_WITHIN:
            yield Finding(
                id="incident.close.late",
                level=WARNING,
                subject=subject,
                summary=f"it was resolved {_span(now - parse_iso(resolved))} ago and is not closed",
                evidence={"resolved": resolved},
            )


def on_call(policy: Policy, now: datetime) -> list[dict[str, Any]]:
    """Of each rotation who has the turn, and who takes over when."""
    return [_turn(name, rotation, policy, now) for name, rotation in sorted(policy.people.rotations.items())]


def spoken(standing: Standing, policy: Policy, now: datetime, zone: tzinfo) -> list[str]:
    """What somebody who was just woken has to know, a line each. `zone` is where the clock on the wall is."""
    incident, story = standing.incident, standing.story
    who = {role.replace("_", " "): _name(person, policy) for role, person in incident.roles.items()}
    if standing.taken_by:
        who = {"acknowledged by": _name(standing.taken_by, policy), **who}
    since = f"since {moment(story.begun.time, now, zone)}, {_span(now - story.begun.time)} ago"
    lines = [f"{incident.id}: {_level(story)}, {incident.phase}, {since}: {incident.title}"]
    if who:
        lines.append(", ".join(f"{what} {name}" for what, name in who.items()))
    if standing.told:
        lines.append(f"told: {_summed(standing.told, policy)}")
    if not story.ended and not story.taken and story.level in policy.respond:
        until = story.alarm.time + policy.respond[story.level]
        if until > now:
            lines.append(
                f"somebody has to acknowledge it within {_span(until - now)}, by {moment(until, now, zone)}"
            )
    for each in standing.ahead[:SHOWN]:
        lines.append(f"in {_span(each.since - now)}, {moment(each.since, now, zone)}: {_whom(each)}")
    return lines


def spoken_turns(turns: Sequence[Mapping[str, Any]], now: datetime, zone: tzinfo) -> Iterator[str]:
    for turn in turns:
        until = moment(parse_iso(turn["until"]), now, zone) if turn["until"] else ""
        yield f"on call ({turn['rotation']}): {turn['name']}" + (
            until and f" until {until}, then {turn['next']}"
        )


def moment(time: datetime, now: datetime, zone: tzinfo) -> str:
    """`22:15 UTC (23:15 CET)`, with the day where it is not today's."""
    there, here = time.astimezone(UTC), time.astimezone(zone)
    text = f"{_day(there, now.astimezone(UTC))}{there:%H:%M} UTC"
    return f"{text} ({_day(here, there)}{here:%H:%M %Z})" if here.utcoffset() else text


def _day(time: datetime, known: datetime) -> str:
    return "" if time.date() == known.date() else f"{time:%Y-%m-%d} "


def _ahead(
    incident: Incident,
    events: Sequence[Event],
    story: Story,
    policy: Policy,
    now: datetime,
    wanted: Sequence[Notification],
) -> Iterator[Notification]:
    """The answer is asked for at each moment at which it may change, so that it is the one of that moment."""
    seen = {_same(each) for each in wanted}
    for at in sorted({at for at in _moments(story, policy, now) if now < at <= now + HORIZON}):
        for each in due(incident, events, {}, policy, at):
            if _same(each) not in seen:
                seen.add(_same(each))
                yield each


def _moments(story: Story, policy: Policy, now: datetime) -> Iterator[datetime]:
    yield from (story.alarm.time + step.after for step in policy.path)
    yield from (story.alarm.time + row.when.unresolved_for for row in policy.matrix)
    every = policy.updates_every.get(story.level)
    if every:
        yield story.news.time + ((now - story.news.time) // every + 1) * every
    today = now.astimezone(policy.zone).date()
    for day in (today, today + timedelta(days=1)):
        yield datetime.combine(day, policy.summary_at, policy.zone).astimezone(UTC)


def _same(notification: Notification) -> str:
    """Of updates only the next one is told."""
    if notification.event == UPDATE:
        return f"{UPDATE}:{notification.audience}"
    return notification.key


def _told(events: Sequence[Event]) -> Iterator[Mapping[str, Any]]:
    for event in events:
        if event.kind == SENT:
            data = event.data
            yield {
                "time": event.time,
                "event": data.get("event"),
                "audience": data.get("audience"),
                "person": data.get("person"),
                "role": data.get("role"),
                "place": data.get("address"),
            }


def _plain(each: Notification, name: str, time: datetime) -> dict[str, Any]:
    return {
        name: iso(time),
        "event": each.event,
        "audience": each.audience,
        "person": each.person.id if each.person else None,
        "role": each.role,
    }


def _turn(name: str, rotation: Rotation, policy: Policy, now: datetime) -> dict[str, Any]:
    person, handover = rotation.on_call(now), rotation.next(now)
    return {
        "rotation": name,
        "person": person,
        "name": _name(person, policy),
        "until": iso(handover.moment) if handover else None,
        "next": _name(handover.person, policy) if handover else None,
    }


def _name(person: str, policy: Policy) -> str:
    known = policy.people.people.get(person)
    return known.name if known else person


def _level(story: Story) -> str:
    return f"Sev{story.level} / P{story.level - 1}" if story.severity else "not judged yet"


def _whom(each: Notification) -> str:
    role = (each.role or "").replace("_", " ")
    if each.person:
        return f"{each.event} to {each.person.name} ({role})"
    return f"{each.event} to {(role if each.audience == PERSON else each.audience).replace('_', ' ')}"


def _summed(told: Sequence[Mapping[str, Any]], policy: Policy) -> str:
    """By who was told, with how often of what."""
    whom: dict[str, dict[str, None]] = {}
    for each in told:
        person = each["person"]
        who = _name(str(person), policy) if person else str(each["audience"]).replace("_", " ")
        whom.setdefault(who, {})[str(each["event"])] = None
    return ", ".join(f"{who} ({', '.join(events)})" for who, events in whom.items())


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    return speak_duration(60 * round(seconds / 60) if seconds >= 60 else seconds)
