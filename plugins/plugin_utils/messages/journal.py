# SPDX-License-Identifier: GPL-3.0-or-later
"""What the record knows of the messages of one incident, and how more is written there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso, parse_iso

from ..people.story import SENT, SETTLED
from ..record.event import Draft, Event
from ..record.recorder import Recorder
from .channel import REFUSED, UNKNOWN

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
        with self.recorder.store() as store:
            self.recorder.outbox.deliver(self.incident, store.append)
            return store.events(self.incident)

    def first(self, draft: Draft) -> bool:
        with self.recorder.store() as store:
            self.recorder.outbox.deliver(self.incident, store.append)
            return bool(store.append(self.incident, [draft]))

    def note(self, draft: Draft) -> None:
        self.recorder.record(self.incident, [draft])


@dataclass(frozen=True)
class Attempts:
    """Of one message at one place. `pending` is until when somebody may still be handing it over."""

    claims: int = 0
    refusals: int = 0
    sent: bool = False
    unknown: bool = False
    pending: datetime | None = None
    last: datetime | None = None

    @classmethod
    def of(cls, events: Sequence[Event], delivery: str) -> Attempts:
        claims = refusals = 0
        sent = unknown = False
        pending = last = None
        for event in events:
            if event.data.get("delivery") != delivery:
                continue
            last = parse_iso(event.time)
            if event.kind == CLAIMED:
                claims, pending = claims + 1, parse_iso(str(event.data["until"]))
            elif event.kind == SENT:
                sent, pending = True, None
            elif event.kind == FAILED:
                pending = None
                refusals += event.data["outcome"] == REFUSED
                unknown = event.data["outcome"] == UNKNOWN
        return cls(claims, refusals, sent, unknown, pending, last)


@dataclass(frozen=True)
class Writer:
    """Writes what becomes of one message at one place; `about` is told each time and holds no secret."""

    journal: Journal
    delivery: str
    actor: str
    about: Mapping[str, Any]
    clock: Callable[[], datetime]

    def claim(self, number: int, until: datetime) -> bool:
        return self.journal.first(
            self._draft(CLAIMED, f"claim{number}", {"attempt": number, "until": iso(until)})
        )

    def sent(self, attempt: int, data: Mapping[str, Any]) -> None:
        self.journal.note(self._draft(SENT, "sent", {**data, "attempt": attempt}))

    def failed(self, attempt: int, outcome: str, why: str, claimed: bool = True) -> None:
        key = f"{outcome}{attempt}"
        if not claimed:
            # Of those that failed before they began there are many with one number.
            key += f".{iso(self.clock())}"
        self.journal.note(self._draft(FAILED, key, {"attempt": attempt, "outcome": outcome, "why": why}))

    def _draft(self, kind: str, what: str, data: Mapping[str, Any]) -> Draft:
        told = {**self.about, **data, "delivery": self.delivery}
        return Draft(f"{self.delivery}#{what}", iso(self.clock()), kind, self.actor, None, told)


def settled(key: str, actor: str, now: datetime, event: str, audience: str, places: int) -> Draft:
    """Everybody whom it was for has it, or nobody can know whether they have."""
    told = {"notification": key, "event": event, "audience": audience, "places": places}
    return Draft(key, iso(now), SETTLED, actor, None, told)
