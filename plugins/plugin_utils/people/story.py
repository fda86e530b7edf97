# SPDX-License-Identifier: GPL-3.0-or-later
"""What the events of an incident say about whom to tell: since when, how bad, who took it on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.moments import parse_iso

from ..record.event import CLOSED, OPENED, REOPENED, Event
from ..record.incident import ACKNOWLEDGED, RESOLVED, SEVERITY
from ..severity.reading import level_of

UPDATE = "incident.update"
# SENT: it is at one of its places. SETTLED: it is at all of them, or nobody can know.
SENT, SETTLED = "message.sent", "message.settled"
# Of what nobody has judged yet: unsure is the higher one.
UNJUDGED = 2


@dataclass(frozen=True)
class Mark:
    """Something that began with an event; `number` tells it from others of its kind."""

    number: int
    time: datetime


@dataclass(frozen=True)
class Told:
    """A message that is at one place at least, and since when."""

    event: str
    audience: str
    time: datetime


@dataclass(frozen=True)
class Story:
    """`begun` is the opening or the last reopening, `alarm` that or the last time that it became worse.

    The clocks of the escalation count from `alarm`, those of the updates from `news`: whatever was said or
    changed last. `taken` is whether somebody acknowledged since the alarm. `told` has the messages that are
    somewhere, by their keys, `settled` the keys of those that need nothing more.
    """

    begun: Mark
    alarm: Mark
    news: Mark
    severity: int | None = None
    taken: bool = False
    ended: Mark | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    told: Mapping[str, Told] = field(default_factory=dict)
    settled: frozenset[str] = frozenset()

    @property
    def level(self) -> int:
        return self.severity or UNJUDGED

    @property
    def only_begun(self) -> bool:
        """Nothing was said or changed since."""
        return self.news == self.begun

    @classmethod
    def of(cls, events: Sequence[Event]) -> Story:
        """From all events of one incident, in their order."""
        first = Mark(events[0].number, parse_iso(events[0].time))
        story = cls(first, first, first)
        for event in events:
            story = _after(story, event)
        return story


def _after(story: Story, event: Event) -> Story:
    data = event.data
    if isinstance(data.get("facts"), Mapping) and event.kind.startswith("incident."):
        story = replace(story, facts={**story.facts, **data["facts"]})
    mark = Mark(event.number, parse_iso(event.time))
    if event.kind == OPENED:
        begun = replace(mark, time=parse_iso(str(data.get("detected") or event.time)))
        return replace(story, begun=begun, alarm=begun, news=begun, severity=_level(data.get("severity")))
    if event.kind == REOPENED:
        return replace(story, begun=mark, alarm=mark, news=mark, taken=False, ended=None)
    if event.kind == SEVERITY:
        return _judged(story, _level(data["severity"]), mark)
    if event.kind == UPDATE:
        return replace(story, news=mark)
    if event.kind == ACKNOWLEDGED:
        return replace(story, taken=True)
    if event.kind in (RESOLVED, CLOSED):
        return replace(story, ended=story.ended or mark)
    if event.kind in (SENT, SETTLED):
        return _told(story, event, mark)
    return story


def _told(story: Story, event: Event, mark: Mark) -> Story:
    key = str(event.data["notification"])
    told = Told(str(event.data["event"]), str(event.data["audience"]), mark.time)
    settled = story.settled | {key} if event.kind == SETTLED else story.settled
    return replace(story, told={key: told, **story.told}, settled=settled)


def _judged(story: Story, level: int | None, mark: Mark) -> Story:
    if level is None or level == story.severity:
        return story
    if story.severity is None:
        return replace(story, severity=level)
    story = replace(story, news=mark) if level > story.severity else _worse(story, mark)
    return replace(story, severity=level)


def _worse(story: Story, mark: Mark) -> Story:
    return replace(story, alarm=mark, news=mark, taken=False)


def _level(given: Any) -> int | None:
    return None if given is None else level_of("severity", given)
