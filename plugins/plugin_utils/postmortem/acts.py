# SPDX-License-Identifier: GPL-3.0-or-later
"""What was done, and which of it was taken back since. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..record.event import Event, canonical

DONE, UNDONE = "act.done", "undone"


@dataclass(frozen=True)
class Done:
    """`state` is `done`, `refused`, `failed` or `undone`; `number` that of its event."""

    number: int
    time: str
    host: str
    action: str
    target: str
    state: str
    reason: str
    actor: str


def acts(events: Sequence[Event]) -> tuple[Done, ...]:
    told = [event for event in events if event.kind.startswith("act.")]
    taken_back = _taken_back(told)
    return tuple(
        Done(
            event.number,
            event.time,
            event.host or "",
            str(event.data["action"]),
            str(event.data["target"]),
            UNDONE if event.number in taken_back else event.kind.rpartition(".")[2],
            str(event.data["reason"]),
            event.actor,
        )
        for event in told
    )


def _taken_back(events: Sequence[Event]) -> set[int]:
    """As the ledger of a host sees it: whoever does what the undo of an act says has taken it back."""
    standing: dict[int, str] = {}
    found: set[int] = set()
    for event in events:
        if event.kind != DONE:
            continue
        key = _key(event, event.data)
        back = [number for number, undo in standing.items() if undo == key]
        for number in back:
            del standing[number]
        found.update(back)
        if not back and event.data.get("undo"):
            standing[event.number] = _key(event, event.data["undo"])
    return found


def _key(event: Event, act: Mapping[str, Any]) -> str:
    return canonical([event.host, act.get("action"), act.get("identity")])
