# SPDX-License-Identifier: GPL-3.0-or-later
"""What the record knows of the messages of one incident, and how more is written there."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso, parse_iso

from ..people.story import SENT, SETTLED
from ..record.event import BEGINNING, Draft, Event
from ..record.outbox import Outbox, OutboxAway
from ..record.recorder import Recorder
from .channel import REFUSED, UNKNOWN

if TYPE_CHECKING:
    from ..record.store import Store

CLAIMED, FAILED = "message.claimed", "message.failed"


class Journal(Protocol):
    """Where it is written; `RecordJournal` for real."""

    def events(self) -> Sequence[Event]: ...

    def first(self, draft: Draft) -> bool:
        """Whether it was recorded by this very call. Raises `Unreachable` rather than leave that open."""

    def note(self, draft: Draft) -> None:
        """Recorded now, or when the record can be written again."""


@dataclass(frozen=True)
class RecordJournal:
    recorder: Recorder
    incident: str

    def events(self) -> Sequence[Event]:
        with self._store() as store:
            return store.events(self.incident)

    def first(self, draft: Draft) -> bool:
        with self._store() as store:
            return bool(store.append(self.incident, [draft]))

    def note(self, draft: Draft) -> None:
        self.recorder.record(self.incident, [draft])

    @contextmanager
    def _store(self) -> Iterator[Store]:
        """With what waits here, that somebody was told among it. Without a record nobody knows who was."""
        try:
            with self.recorder.store() as store:
                self.recorder.deliver(self.incident, store)
                yield store
        except Unreachable as error:
            cure = "Nothing is sent without it, lest it is sent twice. Run it again: it sends what is due."
            raise Unreachable(error.subject, error.problem, cure) from error


@dataclass(frozen=True)
class OutboxJournal:
    """Of an incident that was opened while the record was away: its whole story waits on this controller.

    So whom it was told to is known here, and the record learns it with the rest.
    """

    outbox: Outbox
    incident: str

    def events(self) -> Sequence[Event]:
        events: list[Event] = []
        for draft in self.outbox.story(self.incident):
            previous = events[-1].digest if events else BEGINNING
            events.append(Event.following(draft, self.incident, len(events) + 1, previous))
        return events

    def first(self, draft: Draft) -> bool:
        return self.outbox.add_first(self.incident, draft)

    def note(self, draft: Draft) -> None:
        self.outbox.add(self.incident, [draft])


def journal_of(recorder: Recorder, incident: str) -> Journal:
    """Where the story of an incident is. Raises `BadInput`."""
    try:
        if recorder.outbox.story(incident):
            with recorder.store() as store:
                recorder.deliver(incident, store)
    except OutboxAway:
        pass
    except Unreachable:
        return OutboxJournal(recorder.outbox, incident)
    return RecordJournal(recorder, incident)


@dataclass(frozen=True)
class Attempts:
    """Of one message at one place. `pending` is until when somebody may still be handing it over."""

    claims: int = 0
    failures: int = 0
    sent: bool = False
    unknown: bool = False
    pending: datetime | None = None
    last: datetime | None = None

    @classmethod
    def of(cls, events: Sequence[Event], delivery: str) -> Attempts:
        claims = failures = 0
        sent = unknown = False
        pending = last = holder = None
        for event in events:
            if event.data.get("delivery") != delivery:
                continue
            last = parse_iso(event.time)
            if event.kind == CLAIMED:
                claims, pending = claims + 1, parse_iso(str(event.data["until"]))
                holder = event.data.get("claimant")
            elif event.kind == SENT:
                sent, pending = True, None
            elif event.kind == FAILED:
                outcome = event.data.get("outcome")
                failures += 1
                # Of who has not the last claim it says nothing about the message that the claim is for.
                own = outcome == UNKNOWN or event.data.get("claimant") == holder
                if own and event.data.get("attempt") == claims:
                    pending, unknown = None, outcome == UNKNOWN
        return cls(claims, failures, sent, unknown, pending, last)


@dataclass(frozen=True)
class Writer:
    """Writes what becomes of one message at one place; `about` is told each time and holds no secret.

    `claimant` tells its claims from those of others.
    """

    journal: Journal
    delivery: str
    actor: str
    about: Mapping[str, Any]
    clock: Callable[[], datetime]
    claimant: str = field(default_factory=lambda: secrets.token_hex(6))

    def claim(self, number: int, until: datetime) -> bool:
        """Raises `Unreachable` when nobody knows whether it is recorded: that it was not used is noted."""
        try:
            return self.journal.first(
                self._draft(CLAIMED, f"claim{number}", {"attempt": number, "until": iso(until)})
            )
        except Unreachable as error:
            self.failed(number + 1, REFUSED, f"it was not handed over: {error.problem}")
            raise

    def sent(self, attempt: int, data: Mapping[str, Any]) -> None:
        self.journal.note(self._draft(SENT, "sent", {**data, "attempt": attempt}))

    def failed(self, attempt: int, outcome: str, why: str, claimed: bool = True) -> None:
        key = f"{outcome}{attempt}.{self.claimant}"
        if not claimed:
            # Of those that failed before they began there are many with one number.
            key += f".{iso(self.clock())}"
        self.journal.note(self._draft(FAILED, key, {"attempt": attempt, "outcome": outcome, "why": why}))

    def _draft(self, kind: str, what: str, data: Mapping[str, Any]) -> Draft:
        told = {**self.about, **data, "delivery": self.delivery, "claimant": self.claimant}
        return Draft(f"{self.delivery}#{what}", iso(self.clock()), kind, self.actor, None, told)


def settled(key: str, actor: str, now: datetime, event: str, audience: str, places: int) -> Draft:
    """Everybody whom it was for has it, or nobody can know whether they have."""
    told = {"notification": key, "event": event, "audience": audience, "places": places}
    return Draft(key, iso(now), SETTLED, actor, None, told)
