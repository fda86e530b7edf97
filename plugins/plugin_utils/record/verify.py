# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a record still is what was recorded, and where not. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .event import BEGINNING, UNREADABLE, Event


def altered(events: Sequence[Event], count: int, digest: str) -> Iterator[str]:
    """What is wrong with these events, of which there must be `count`, the last with `digest`."""
    previous = BEGINNING
    for number, event in enumerate(events, 1):
        if event.number != number:
            yield f"event {number} is missing"
            return
        if event.kind == UNREADABLE:
            yield f"event {number} was altered so that it cannot be read"
        elif not event.genuine:
            yield f"event {number} ({event.kind}, {event.time}) was altered"
        if event.previous != previous:
            yield f"event {number} does not follow the one before it"
        previous = event.digest
    if len(events) != count:
        yield f"{len(events)} events are there and {count} were recorded"
    elif previous != digest:
        yield f"event {count} is not the one that was recorded last"
