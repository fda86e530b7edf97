# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings each message to each of its places once, whoever else tries and whenever one is killed.

A claim is recorded at the last moment before a message may arrive, and what became of it right after. Of
several that try, the record takes the claim of one. So a message is in doubt only when its sender is killed,
or its receiver falls silent, between the two. Where the receiver knows a message again (a status page, a
pager, a webhook that was said to) it is then sent again with the same key. Elsewhere it is not: that it may
not have arrived is recorded and said, for a second one would be as wrong.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso

from ..people.due import STATUS_PAGE, Notification
from ..people.story import SENT
from ..record.event import Event
from .channel import ACCEPTED, REFUSED, SEND_SECONDS, TAKEN, UNKNOWN, Channel, Message
from .journal import Attempts, Journal, Writer, settled
from .template import Text

# The first time a message is tried so often, with these seconds before each.
PAUSES = (0.0, 1.0, 3.0)
# Then once in a call, ever more seldom, but at least so often.
SELDOM = timedelta(minutes=15)
# Longer than handing over a message can take, the record being busy included.
LEASE = timedelta(seconds=2 * SEND_SECONDS + 60)

WAITS, IN_DOUBT, FAILED, IN_PROGRESS, ALREADY = "waits", "in_doubt", "failed", "in_progress", "already"
SENT_NOW = "sent"
_FINAL = (SENT_NOW, ALREADY, IN_DOUBT)


@dataclass(frozen=True)
class Letter:
    """A notification that was put into words, and its places."""

    notification: Notification
    text: Text
    channels: Sequence[Channel]


@dataclass
class Item:
    """One message on its way to one place; `state` is how far it came."""

    letter: Letter
    channel: Channel
    message: Message
    writer: Writer
    attempts: Attempts
    state: str = WAITS
    why: str = ""

    @property
    def done(self) -> bool:
        return self.state in _FINAL

    def as_dict(self) -> dict[str, Any]:
        return {
            "event": self.message.event,
            "audience": self.message.audience,
            "place": self.channel.shown,
            "state": self.state,
            "why": self.why,
            "attempts": self.attempts.claims,
        }


@dataclass(frozen=True)
class Delivery:
    """`clock` and `sleep` are passed in."""

    journal: Journal
    incident: str
    actor: str
    clock: Callable[[], datetime]
    sleep: Callable[[float], None] = field(default=time.sleep)

    def deliver(self, letters: Sequence[Letter], events: Sequence[Event]) -> list[Item]:
        """What became of each; those that are not final are due again. Raises `Unreachable`, `BadInput`."""
        items = [item for letter in letters for item in self._items(letter, events)]
        for item in items:
            self._look(item)
        # All are tried once before any is tried again: who hangs must not keep the others waiting.
        for number, pause in enumerate(PAUSES):
            waiting = [item for item in items if item.state in (WAITS, FAILED) and self._may(item, number)]
            if waiting:
                self.sleep(pause)
            for item in waiting:
                self._try(item)
        for letter in letters:
            self._settle(letter, [item for item in items if item.letter is letter])
        return items

    def _items(self, letter: Letter, events: Sequence[Event]) -> Iterator[Item]:
        told = letter.notification
        for channel in letter.channels:
            delivery = f"{told.key}@{channel.id}"
            audience = told.person.id if told.person else told.audience
            message = Message(
                delivery,
                self.incident,
                told.event,
                audience,
                letter.text.subject,
                letter.text.body,
                told.urgent,
            )
            about = {
                "notification": told.key,
                "event": told.event,
                "audience": told.audience,
                "person": told.person.id if told.person else None,
                "role": told.role,
                "because": told.because,
                "address": channel.shown,
                "deadline": iso(told.deadline),
            }
            writer = Writer(self.journal, delivery, self.actor, about, self.clock)
            yield Item(letter, channel, message, writer, Attempts.of(events, delivery))

    def _look(self, item: Item) -> None:
        """What earlier calls, or others, made of it."""
        tries, now = item.attempts, self.clock()
        if tries.sent:
            item.state = ALREADY
        elif tries.pending is not None and now < tries.pending:
            item.state, item.why = IN_PROGRESS, "somebody hands it over at this moment"
        elif tries.pending is not None:
            self._doubt(item, "whoever handed it over was ended before it could tell")
        elif tries.unknown and not item.channel.deduplicates:
            item.state, item.why = IN_DOUBT, "it may not have arrived"

    def _doubt(self, item: Item, why: str) -> None:
        item.writer.failed(item.attempts.claims, UNKNOWN, why)
        item.why = why
        item.state = FAILED if item.channel.deduplicates else IN_DOUBT
        self._count(item)

    def _count(self, item: Item) -> None:
        item.attempts = replace(item.attempts, failures=item.attempts.failures + 1, last=self.clock())

    def _may(self, item: Item, number: int) -> bool:
        tries, first = item.attempts, len(PAUSES)
        if tries.failures < first or tries.last is None:
            return True
        rest = min(timedelta(minutes=2 ** min(tries.failures - first, 10)), SELDOM)
        return number == 0 and self.clock() - tries.last >= rest

    def _try(self, item: Item) -> None:
        number, lock, live, claimed = item.attempts.claims, threading.Lock(), True, False

        def claim() -> bool:
            nonlocal claimed
            with lock:
                # Who was given up may wake up later, and must not send then.
                claimed = live and item.writer.claim(number, self.clock() + LEASE)
                return claimed

        outcome = item.channel.send(item.message, claim)
        with lock:
            live = False
        if claimed:
            item.attempts = replace(item.attempts, claims=number + 1)
        item.why = outcome.why
        if outcome.result == ACCEPTED:
            item.writer.sent(number + 1, outcome.data)
            item.state = SENT_NOW
        elif outcome.result == TAKEN:
            item.state = IN_PROGRESS
        elif outcome.result == REFUSED or not claimed:
            item.writer.failed(number + claimed, REFUSED, outcome.why, claimed)
            item.state = FAILED
            self._count(item)
        else:
            self._doubt(item, outcome.why)

    def _settle(self, letter: Letter, items: Sequence[Item]) -> None:
        told = letter.notification
        if items and all(item.done for item in items):
            self.journal.note(
                settled(told.key, self.actor, self.clock(), told.event, told.audience, len(items))
            )


def page_incident(events: Sequence[Event]) -> str | None:
    """The id that the status page gave the incident, None when there is none yet."""
    for event in reversed(events):
        if event.kind == SENT and event.data.get("audience") == STATUS_PAGE:
            made = event.data.get("page_incident")
            return None if made is None else str(made)
    return None
