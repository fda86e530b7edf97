# SPDX-License-Identifier: GPL-3.0-or-later
"""What the caller asked for, read from the options of a module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ..addresses import canonical, parse_network, too_wide
from ..errors import BadInput
from ..quantities import parse_duration
from .span import span

PRESENT, ABSENT = "present", "absent"
SHORTEST, LONGEST = 60, 30 * 86400


@dataclass(frozen=True)
class Request:
    """`addresses` are canonical and none lies within another; `seconds` is how long a block is to last."""

    addresses: tuple[str, ...]
    state: str
    seconds: int
    kill_connections: bool

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Request:
        seconds = int(parse_duration(params["duration"]))
        if not SHORTEST <= seconds <= LONGEST:
            raise BadInput(
                f"duration {params['duration']!r}",
                "a block lasts between one minute and 30 days",
                "Write for instance 24h, and block again when it is still needed.",
            )
        addresses = distinct(params["addresses"])
        if params["state"] == ABSENT:
            _refuse_wide(addresses)
        return cls(addresses, params["state"], seconds, params["kill_connections"])


def _refuse_wide(addresses: Sequence[str]) -> None:
    """To let a network go lifts every block inside it. Blocks of wide ones are refused by the guard."""
    for address in addresses:
        because = too_wide(parse_network(address))
        if because is not None:
            raise BadInput(f"network {address}", because, "Name the addresses that are to be let in.")


def distinct(texts: Sequence[str]) -> tuple[str, ...]:
    """Each address or network once, in one spelling, without those that lie within another one."""
    found = {canonical(text): None for text in texts}
    spans = {address: span(address) for address in found}
    return tuple(
        address
        for address in found
        if not any(spans[address].within(spans[other]) for other in found if other != address)
    )
