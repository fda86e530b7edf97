# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what is due to whom it is due."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.finding import CRITICAL, Finding
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso

from ..people.due import PAGE, PREFIX, SECURITY, Notification, due
from ..people.policy import Policy
from ..placeholders import refuse_placeholders
from ..record.event import Event, canonical
from ..record.incident import Incident, fold
from ..record.recorder import Recorder
from ..run import parse_id
from .audiences import Audiences, Nowhere
from .content import PUBLIC, values
from .delivery import FAILED, IN_DOUBT, SENT_NOW, Delivery, Item, Letter, page_incident
from .journal import Journal, OutboxJournal, journal_of
from .template import Templates, Text

LINKS, TEMPLATES = "firebreak_links", "firebreak_templates"
VARIABLES = (
    "firebreak_record",
    "firebreak_people",
    "firebreak_roles",
    "firebreak_rotations",
    "firebreak_external_contacts",
    "firebreak_escalation",
    "firebreak_severity_deadlines",
    "firebreak_audiences",
    "firebreak_status_page",
    "firebreak_links",
    "firebreak_templates",
    "firebreak_messages_sandbox",
)


@dataclass
class Report:
    """What was sent, what is wrong and must be mended, and what a person should know.

    `lost` has for each fault what is not sent because of it.
    """

    items: list[tuple[str, Item]] = field(default_factory=list)
    planned: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    lost: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def lose(self, event: str, incident: str, why: str) -> None:
        self.lost.setdefault(f"of {incident}: {why}", []).append(event)

    def as_dict(self) -> dict[str, Any]:
        told = [{"incident": incident, **item.as_dict()} for incident, item in self.items]
        sent = [each for each in told if each["state"] == SENT_NOW]
        failed = [
            f"{each['event']} of {each['incident']} to {each['audience']} ({each['place']}): {each['why']}"
            f"{_by_hand(item.letter.notification)}"
            for each, (_incident, item) in zip(told, self.items, strict=True)
            if each["state"] == FAILED
        ]
        doubtful = [
            f"{each['event']} of {each['incident']} to {each['audience']} ({each['place']}) may not have "
            f"arrived: {each['why']}. It is not sent twice; ask whether it is there."
            for each in told
            if each["state"] == IN_DOUBT
        ]
        lost = [f"{' and '.join(dict.fromkeys(events))} {why}" for why, events in self.lost.items()]
        problems = [*self.problems, *lost, *failed]
        result: dict[str, Any] = {
            "changed": bool(sent),
            "messages": told,
            "due": self.planned,
            "problems": problems,
            "warnings": list(dict.fromkeys([*self.warnings, *doubtful])),
        }
        said = [*self.problems, *(f"NOT sent: {each}" for each in (*lost, *failed))]
        said += [f"{each['event']} of {each['incident']} sent to {each['audience']}" for each in sent]
        if problems:
            result["failed"] = True
        # Other callbacks, that of AWX among them, show the message of a task only when they are told to.
        return {**result, "msg": "\n".join(said), "_ansible_verbose_always": True} if said else result


@dataclass(frozen=True)
class Request:
    """One message that a person or a playbook wants sent, once for its key."""

    incident: str
    template: str
    audiences: Sequence[str]
    values: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None


@dataclass(frozen=True)
class Desk:
    """`clock` and `sleep` are passed in; `variables` are the inventory's."""

    policy: Policy
    audiences: Audiences
    templates: Templates
    links: Mapping[str, Any]
    actor: str
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]

    @classmethod
    def of(
        cls,
        variables: Mapping[str, Any],
        actor: str,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> Desk:
        """Raises `BadInput`."""
        policy = Policy.of(variables)
        links = variables.get(LINKS) or {}
        if not isinstance(links, Mapping):
            raise BadInput(LINKS, "it is no mapping", "Of war_room, status_page and postmortem give any.")
        return cls(
            policy,
            Audiences.of(variables, policy.people),
            Templates.of(variables.get(TEMPLATES)),
            links,
            actor,
            clock,
            sleep,
        )

    @property
    def names_nobody(self) -> bool:
        """Whether the inventory says nothing at all of people and places."""
        people, audiences = self.policy.people, self.audiences
        return not (people.people or people.roles or audiences.given or audiences.status_page)

    def faults(self) -> list[str]:
        """What would be missed when it is needed: roles that nobody has, places that cannot be read."""
        now = self.clock()
        return [*self.policy.unfilled(now), *map(str, self.audiences.check(now))]

    def escalate(self, journal: Journal, report: Report, check: bool = False) -> None:
        """Everything that is due in one incident."""
        events = journal.events()
        incident = fold(events)
        wanted = due(incident, events, {}, self.policy, self.clock())
        self._send(journal, incident, events, [(each, {}) for each in wanted], report, check)

    def notify(self, journal: Journal, asked: Request, report: Report, check: bool = False) -> None:
        """Raises `BadInput`."""
        given = asked.values
        for name, value in given.items():
            refuse_placeholders(f"value {name}", value)
        events = journal.events()
        same = canonical([asked.template, dict(given)])
        about = asked.key or hashlib.sha256(same.encode()).hexdigest()[:16]
        now = self.clock()
        wanted = [
            Notification(asked.template, each, asked.template, f"{PREFIX}said:{about}:{each}", now, now)
            for each in asked.audiences
        ]
        settled = {event.key for event in events}
        todo = [(each, given) for each in wanted if each.key not in settled]
        self._send(journal, fold(events), events, todo, report, check)

    def _send(
        self,
        journal: Journal,
        incident: Incident,
        events: Sequence[Event],
        wanted: Sequence[tuple[Notification, Mapping[str, Any]]],
        report: Report,
        check: bool,
    ) -> None:
        letters = []
        for each, given in wanted:
            letter = self._letter(incident, events, each, given, report)
            report.planned.append(_planned(incident, each, letter))
            if letter is not None:
                letters.append(letter)
        if check:
            return
        delivery = Delivery(journal, incident.id, self.actor, self.clock, self.sleep)
        report.items += [(incident.id, item) for item in delivery.deliver(letters, events)]

    def _letter(
        self,
        incident: Incident,
        events: Sequence[Event],
        told: Notification,
        given: Mapping[str, Any],
        report: Report,
    ) -> Letter | None:
        now = self.clock()
        channels, problems = self.audiences.channels(told, page_incident(events), now)
        for problem in problems:
            if told.urgent or not isinstance(problem, Nowhere):
                report.lose(told.event, incident.id, f"{problem}{_by_hand(told)}")
            else:
                report.warnings.append(f"{told.event} of {incident.id}: {problem}")
        if told.problem is not None:
            return None
        known = values(incident, events, self.policy, told, self.links, now)
        if incident.security and told.audience != SECURITY:
            given = {name: value for name, value in given.items() if name.startswith("public")}
        try:
            if told.audience in PUBLIC:
                for name, value in {**known, **given}.items():
                    refuse_placeholders(f"value {name}", value)
            text = self._text(told, {**known, **given}, report)
        except BadInput as error:
            report.problems.append(f"{told.event} of {incident.id}: {error}")
            return None
        return Letter(told, text, channels) if channels else None

    def _text(self, told: Notification, known: Mapping[str, Any], report: Report) -> Text:
        try:
            return self.templates.render(told.template, known)
        except BadInput as error:
            if told.event != PAGE or self.templates.directory is None:
                raise
            # A fault of a template must not keep anybody asleep.
            report.problems.append(f"the built-in text was sent instead: {error}")
            return Templates().render(told.template, known)


def escalate(
    variables: Mapping[str, Any],
    incident: str | None,
    actor: str,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
    check: bool = False,
) -> dict[str, Any]:
    """What is due in one incident, or in all that are open. Raises `FirebreakError`."""
    desk, recorder, report = Desk.of(variables, actor, clock, sleep), Recorder.of(variables), Report()
    ids = [parse_id(incident)] if incident else _open(recorder, report)
    if desk.names_nobody:
        if incident:
            journal_of(recorder, incident).events()
        return {**_nobody(ids), "incidents": ids, "names_nobody": True}
    if check:
        report.warnings += desk.faults()
    for each in ids:
        try:
            desk.escalate(journal_of(recorder, each), report, check)
        except BadInput as error:
            # One incident must not keep the others waiting.
            report.problems.append(str(error))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            fault = f"its record cannot be read ({type(error).__name__})"
            report.problems.append(str(BadInput(f"incident {each}", fault, "Look who altered it.")))
    return {**report.as_dict(), "incidents": ids, "names_nobody": False}


def _open(recorder: Recorder, report: Report) -> list[str]:
    """Without the record, those that were opened since it is away."""
    try:
        return recorder.open_incidents()
    except Unreachable as error:
        ids = [each for each in recorder.outbox.waiting() if recorder.outbox.story(each)]
        if not ids:
            raise
        report.problems.append(f"what is due in other incidents is not known: {error}")
        return [each for each in ids if not fold(OutboxJournal(recorder.outbox, each).events()).closed]


def _nobody(incidents: Sequence[str]) -> dict[str, Any]:
    if not incidents:
        return Report().as_dict()
    names = ", ".join(incidents)
    fault = BadInput(
        f"NOBODY IS TOLD of {names}",
        "this inventory names nobody",
        "Tell people by hand. Fill in firebreak_people, firebreak_roles and firebreak_audiences "
        "(docs/incidents.md, 'Who is told'), and run escalate: it sends what is due.",
    )
    untold = Finding(
        id="incident.people.missing",
        level=CRITICAL,
        subject=names,
        summary="nobody is told of it, for this inventory names nobody",
    )
    return {**Report(problems=[str(fault)]).as_dict(), "findings": [untold.as_dict()]}


def _by_hand(told: Notification) -> str:
    """How to reach who is wanted and cannot be told."""
    person = told.person
    if person is None or not (person.phone or person.email):
        return ""
    return f" Call {person.name}, {person.phone}." if person.phone else f" Write to {person.email}."


def notify(
    variables: Mapping[str, Any],
    asked: Request,
    actor: str,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
    check: bool = False,
) -> dict[str, Any]:
    """One message to some audiences. Raises `FirebreakError`."""
    desk, recorder, report = Desk.of(variables, actor, clock, sleep), Recorder.of(variables), Report()
    desk.notify(journal_of(recorder, parse_id(asked.incident)), asked, report, check)
    return report.as_dict()


def _planned(incident: Incident, told: Notification, letter: Letter | None) -> dict[str, Any]:
    return {
        "incident": incident.id,
        "event": told.event,
        "audience": told.audience,
        "person": told.person.id if told.person else None,
        "role": told.role,
        "deadline": iso(told.deadline),
        "places": [channel.shown for channel in letter.channels] if letter else [],
        "subject": letter.text.subject if letter else "",
    }
