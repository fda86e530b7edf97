# SPDX-License-Identifier: GPL-3.0-or-later
"""One place that messages go to, and what can become of a message on its way there."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError

# ACCEPTED: it is there. REFUSED: it is certainly not. UNKNOWN: it was handed over and nobody answered.
# TAKEN: somebody else hands it over.
ACCEPTED, REFUSED, UNKNOWN, TAKEN = "accepted", "refused", "unknown", "taken"

# What one message may take, answers included.
SEND_SECONDS = 30.0
CONNECT_SECONDS, READ_SECONDS = 5.0, 10.0
_THREAD = "message"

# Asked once, at the moment from which on the message may arrive: whether it is ours to hand over.
Claim = Callable[[], bool]


@dataclass(frozen=True)
class Message:
    """`key` is the same for each attempt to bring the same message to the same place.

    `incident` is its id; `event` and `audience` are those of the notification.
    """

    key: str
    incident: str
    event: str
    audience: str
    subject: str
    body: str
    urgent: bool = False

    @property
    def token(self) -> str:
        """The key, short enough for any receiver and without a word that tells something."""
        return hashlib.sha256(f"{self.incident} {self.key}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Outcome:
    """`why` holds no secret; `data` is what is to be remembered of it."""

    result: str
    why: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class Channel(Protocol):
    """`id` is stable and tells nothing, `shown` may be read by anybody.

    One that `deduplicates` takes the same message twice and shows it once, so it can be sent again when
    nobody knows whether it arrived.
    """

    @property
    def id(self) -> str: ...

    @property
    def shown(self) -> str: ...

    @property
    def deduplicates(self) -> bool: ...

    def send(self, message: Message, claim: Claim) -> Outcome: ...


class Taken(Exception):
    """Somebody else hands it over."""


def address_id(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:12]


def bounded(work: Callable[[], Outcome], seconds: float = SEND_SECONDS) -> Outcome:
    """What `work` returns or raises, or that nobody knows, when a receiver keeps it for longer."""
    outcomes: list[Outcome] = []
    errors: list[FirebreakError] = []

    def run() -> None:
        try:
            outcomes.append(work())
        except Taken:
            outcomes.append(Outcome(TAKEN))
        except FirebreakError as error:
            errors.append(error)
        except Exception as error:
            # Of a hundred libraries, whatever one trips over. Its words may hold the address.
            outcomes.append(Outcome(UNKNOWN, type(error).__name__))

    thread = threading.Thread(target=run, daemon=True, name=_THREAD)
    # Libraries log the addresses that they have trouble with.
    for handler in (*logging.root.handlers, logging.lastResort):
        if handler is not None:
            handler.addFilter(_not_while_sending)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    return outcomes[0] if outcomes else Outcome(UNKNOWN, f"no answer within {seconds:.0f} s")


def _not_while_sending(record: logging.LogRecord) -> bool:
    return record.threadName != _THREAD
