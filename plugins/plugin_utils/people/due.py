# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be said to whom by now, and has not been. Pure.

Every message has a key that is the same whenever and by whomever it is worked out, so that it can be asked
for each minute, by several machines, and still be sent once. After an outage what is due now is due once:
updates that would have been sent meanwhile are not made up for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput

from ..record.event import Event
from ..record.incident import Incident
from ..severity.reading import number_of
from .conditions import at_least
from .contacts import Person
from .policy import Policy
from .story import Story, Told

INCIDENTS, ON_CALL, EXECUTIVES = "incidents", "on_call", "executives"
CUSTOMERS, STATUS_PAGE, SECURITY = "customers", "status_page", "security"
AUDIENCES = (INCIDENTS, ON_CALL, EXECUTIVES, CUSTOMERS, STATUS_PAGE, SECURITY)
PERSON = "person"
PREFIX = "message:"

PAGE, ESCALATION, INITIAL, UPDATE = "page", "escalation", "initial", "update"
SUMMARY, RESOLUTION = "summary", "resolution"
_NEWS = (INITIAL, UPDATE)
_EVERYBODY: Mapping[str, str] = {"outage": "complete", "login": "none"}
# Where an audience has a text of its own.
_TEMPLATES: Mapping[tuple[str, str], str] = {
    (INITIAL, EXECUTIVES): "executive",
    (INITIAL, CUSTOMERS): "customer",
    (INITIAL, STATUS_PAGE): "status_page",
    (UPDATE, STATUS_PAGE): "status_page_update",
    (RESOLUTION, CUSTOMERS): "customer_resolution",
    (RESOLUTION, STATUS_PAGE): "status_page_resolution",
}


@dataclass(frozen=True)
class Notification:
    """`audience` is one of AUDIENCES or `person`, then `person` is who, in which `role`.

    `since` is when it began to be due and `deadline` until when it has to be there. `problem` says why there
    is nobody to tell, with the cure.
    """

    event: str
    audience: str
    template: str
    key: str
    since: datetime
    deadline: datetime
    person: Person | None = None
    role: str | None = None
    because: str = ""
    problem: BadInput | None = None

    @property
    def urgent(self) -> bool:
        return self.event in (PAGE, ESCALATION)


def due(
    incident: Incident, events: Sequence[Event], facts: Mapping[str, Any], policy: Policy, now: datetime
) -> list[Notification]:
    """The most urgent first. `facts` are added to those that the events hold. Raises `BadInput`."""
    story = Story.of(events)
    known = {**story.facts, **facts}
    wanted = (
        _ending(incident, story, policy) if story.ended else _running(incident, story, known, policy, now)
    )
    unsent: dict[str, Notification] = {}
    for each in wanted:
        if each.key not in story.settled:
            unsent.setdefault(each.key, each)
    return sorted(unsent.values(), key=lambda each: not each.urgent)


def _running(
    incident: Incident, story: Story, facts: Mapping[str, Any], policy: Policy, now: datetime
) -> Iterator[Notification]:
    if not story.taken:
        yield from _pages(story, policy, now)
    yield from _matrix(incident, story, facts, policy, now)
    for audience, allowed in _told_first(incident, story, facts, policy):
        begun = story.begun.time
        yield _to(audience, INITIAL, f"{story.begun.number}", begun, begun + allowed)
    for audience in (INCIDENTS, SECURITY, STATUS_PAGE):
        yield from _updates(audience, story, policy, now)
    yield from _summary(incident, story, policy, now)


def _pages(story: Story, policy: Policy, now: datetime) -> Iterator[Notification]:
    """Where nobody has the role of a step, who comes next is not kept waiting."""
    vacant = False
    for step in policy.path:
        since = story.alarm.time + step.after
        if story.level not in step.severities or (since > now and not vacant):
            continue
        minutes = int(step.after.total_seconds() // 60)
        because = "nobody has acknowledged it yet" if minutes else "it has begun"
        if since > now:
            because = "nobody has the role that comes before"
        about, times = f"{story.alarm.number}:{minutes}m", (min(since, now), min(since, now))
        found = list(_persons(PAGE, (step.to,), about, times, because, policy, now))
        reached = [each for each in found if each.problem is None]
        yield from found if since <= now else reached
        vacant = not reached


def _matrix(
    incident: Incident, story: Story, facts: Mapping[str, Any], policy: Policy, now: datetime
) -> Iterator[Notification]:
    # Of a data breach a row of its own tells.
    breach = at_least("data_breach", facts.get("data_breach", "no"), "suspected")
    for row in policy.matrix:
        if row.when.holds(story.level, story.alarm.time, incident.security and not breach, facts, now):
            since = story.alarm.time + row.when.unresolved_for
            yield from _persons(
                ESCALATION,
                row.to,
                f"{story.begun.number}:{row.name}",
                (since, since + row.within),
                row.because,
                policy,
                now,
            )


def _persons(
    event: str,
    roles: Sequence[str],
    about: str,
    times: tuple[datetime, datetime],
    because: str,
    policy: Policy,
    now: datetime,
) -> Iterator[Notification]:
    """Somebody who has two of the roles is told once."""
    for role in roles:
        template, (since, deadline) = event, times
        try:
            people = policy.people.with_role(role, now)
        except BadInput as error:
            key = f"{PREFIX}{event}:{about}:{role}"
            yield Notification(event, PERSON, template, key, since, deadline, None, role, because, error)
            continue
        for person in people:
            key = f"{PREFIX}{event}:{about}:{person.id}"
            yield Notification(event, PERSON, template, key, since, deadline, person, role, because)


def _told_first(
    incident: Incident, story: Story, facts: Mapping[str, Any], policy: Policy
) -> Iterator[tuple[str, timedelta]]:
    """Who is told that it has begun, and within what time."""
    level, at_once = story.level, timedelta()
    yield INCIDENTS, at_once
    if incident.security:
        yield SECURITY, at_once
    if level in policy.executives:
        yield EXECUTIVES, policy.executives[level]
    # Not to know whether users notice is to say that they do.
    if level in policy.status_page and (
        level == 1 or at_least("user_facing", facts.get("user_facing", "yes"), "yes")
    ):
        yield STATUS_PAGE, policy.status_page[level]
    if level in policy.customers and _customers_notice(facts, policy):
        yield CUSTOMERS, policy.customers[level]


def _customers_notice(facts: Mapping[str, Any], policy: Policy) -> bool:
    """An outage of everything, or of the login, is everybody's."""
    if any(at_least(fact, facts[fact], worst) for fact, worst in _EVERYBODY.items() if fact in facts):
        return True
    users = facts.get("users_percent")
    return users is not None and number_of("users_percent", users) >= policy.customers_from


def _updates(audience: str, story: Story, policy: Policy, now: datetime) -> Iterator[Notification]:
    """The one of now. Who has not been told of the beginning will be told how it is now instead."""
    if not _was_told(story, audience, story.begun.number):
        return
    every = policy.updates_every.get(story.level)
    # The clock of another machine may be ahead.
    slot = max(0, (now - story.news.time) // every) if every else 0
    since = story.news.time + slot * (every or timedelta())
    if slot < 1 and story.only_begun:
        return
    update = _to(audience, UPDATE, f"{story.news.number}:{slot}", since, since)
    others = [told for key, told in story.told.items() if key != update.key]
    if not any(_is_news(told, audience) and told.time >= since for told in others):
        yield update


def _summary(incident: Incident, story: Story, policy: Policy, now: datetime) -> Iterator[Notification]:
    today = now.astimezone(policy.zone).date()
    for day in (today, today - timedelta(days=1)):
        moment = datetime.combine(day, policy.summary_at, policy.zone).astimezone(UTC)
        if story.begun.time < moment <= now:
            for audience in (INCIDENTS, SECURITY) if incident.security else (INCIDENTS,):
                yield _to(audience, SUMMARY, f"{story.begun.number}:{day}", moment, moment)
            return


def _ending(incident: Incident, story: Story, policy: Policy) -> Iterator[Notification]:
    number, since = story.begun.number, story.ended.time if story.ended else story.begun.time
    always = {INCIDENTS}
    if incident.security:
        always.add(SECURITY)
    if story.level in policy.executives:
        always.add(EXECUTIVES)
    for audience in AUDIENCES:
        if audience in always or _was_told(story, audience, number):
            yield _to(audience, RESOLUTION, f"{number}", since, since)


def _was_told(story: Story, audience: str, number: int) -> bool:
    return _key(INITIAL, audience, f"{number}") in story.told


def _is_news(told: Told, audience: str) -> bool:
    return told.audience == audience and told.event in _NEWS


def _to(audience: str, event: str, about: str, since: datetime, deadline: datetime) -> Notification:
    template = _TEMPLATES.get((event, audience), event)
    return Notification(event, audience, template, _key(event, audience, about), since, deadline)


def _key(event: str, audience: str, about: str) -> str:
    return f"{PREFIX}{event}:{about}:{audience}"
