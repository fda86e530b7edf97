# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of addresses as pairs of numbers, so that a block list of 100,000 entries is searched in time."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from ..addresses import parse_network


class Span(NamedTuple):
    """From the first to the last address of one IP version, both included."""

    version: int
    first: int
    last: int

    def overlaps(self, other: Span) -> bool:
        return self.version == other.version and self.first <= other.last and other.first <= self.last

    def within(self, other: Span) -> bool:
        return self.version == other.version and other.first <= self.first and self.last <= other.last

    @property
    def everything(self) -> bool:
        return self.first == 0 and self.last == 2 ** (32 if self.version == 4 else 128) - 1


def span(text: str) -> Span:
    """Of an address, a network or `first-last`. Raises `BadInput` for anything else."""
    first, dash, last = text.partition("-")
    if dash:
        start, end = parse_network(first), parse_network(last)
        return Span(start.version, int(start.network_address), int(end.broadcast_address))
    network = parse_network(text)
    return Span(network.version, int(network.network_address), int(network.broadcast_address))


def is_address(text: str) -> bool:
    """Whether `text` begins like an address, and not like the name of a host or a set."""
    try:
        ipaddress.ip_network(text.partition("-")[0].strip("[]"), strict=False)
    except ValueError:
        return False
    return True
