# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts of two windows: the last minutes, and the hour before, to hold them against."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Iterable

# Seconds. Errors are counted over `RECENT`, requests over the shorter `REQUESTS`: there are many of them.
RECENT, REQUESTS, BEFORE = 600.0, 300.0, 3600.0
WHOLE = RECENT + BEFORE


@dataclass
class Count:
    """How often something happened in the last `recent` seconds, and in the hour before."""

    until: float
    recent: float = RECENT
    now: int = 0
    before: int = 0
    last: float = 0.0
    text: str = ""

    def add(self, time: float, text: str = "") -> None:
        ago = self.until - time
        if ago <= self.recent:
            self.now += 1
        elif ago <= self.recent + BEFORE:
            self.before += 1
        else:
            return
        if time >= self.last:
            self.last, self.text = time, text


@dataclass(frozen=True)
class Errors:
    """The error lines of one log. `service` is whose it is, by its name in the inventory, where it is known.

    `seen_from`: what was written before this was not read (seconds since the epoch); None when all was.
    `undated`: error lines that name no time, which count nowhere.
    """

    source: str
    service: str | None
    count: Count
    seen_from: float | None = None
    undated: int = 0

    def before_rate(self) -> float | None:
        """Errors of the hour before as often as in a `RECENT` time; None when less than half was read."""
        begins = self.count.until - WHOLE
        seen = BEFORE if self.seen_from is None else self.count.until - RECENT - max(begins, self.seen_from)
        return self.count.before * RECENT / seen if seen >= RECENT / 2 else None


@dataclass
class Http:
    """The requests of one access log. `good`: how many succeeded since the last one that failed with 5xx.

    `failing` counts the paths and statuses of the failed ones among the recent.
    """

    source: str
    until: float
    total: int = 0
    client_errors: int = 0
    server_errors: int = 0
    before_total: int = 0
    before_server_errors: int = 0
    good: int = 0
    last_failed: float = 0.0
    failing: Counter[str] = field(default_factory=Counter)

    def add(self, time: float, path: str, status: int) -> None:
        ago = self.until - time
        failed = 500 <= status <= 599
        self.good = 0 if failed else self.good + 1
        if failed:
            self.last_failed = time
        if ago <= REQUESTS:
            self.total += 1
            self.client_errors += 400 <= status <= 499
            self.server_errors += failed
            if failed:
                self.failing[f"{status} {path}"] += 1
        elif ago <= REQUESTS + BEFORE:
            self.before_total += 1
            self.before_server_errors += failed


@dataclass
class Kernel:
    """Packets that were dropped, with their sources and ports, and what was denied by whom."""

    until: float
    packets: Count
    sources: Counter[str] = field(default_factory=Counter)
    ports: Counter[str] = field(default_factory=Counter)
    denials: dict[str, Count] = field(default_factory=dict)

    @classmethod
    def empty(cls, until: float) -> Kernel:
        return cls(until, Count(until))


def merged(kernels: Iterable[Kernel], until: float) -> Kernel:
    whole = Kernel.empty(until)
    for one in kernels:
        whole.packets.now += one.packets.now
        whole.packets.before += one.packets.before
        whole.packets.last = max(whole.packets.last, one.packets.last)
        whole.sources += one.sources
        whole.ports += one.ports
        for what, count in one.denials.items():
            known = whole.denials.setdefault(what, Count(until))
            known.now, known.before = known.now + count.now, known.before + count.before
            known.last = max(known.last, count.last)
    return whole
