# SPDX-License-Identifier: GPL-3.0-or-later
"""Which groups of processes are at their limits."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any, Iterator, Sequence

from ..finding import CRITICAL, WARNING, Finding
from ..quantities import share, speak_size
from .observe import Limited

# The interval has about four periods of 100 ms. A group that is stopped in two of them has a burst.
THROTTLED_SHARE, THROTTLED_PERIODS = 75.0, 3
GROUP_FULL = 95.0

_CONTAINER = re.compile(r"(?:[a-z]+-)?([0-9a-f]{12})[0-9a-f]{52}(?:\.scope)?")


def group_name(path: str) -> str:
    """How people call a group: its unit, or the id of its container."""
    last = path.rstrip("/").rpartition("/")[2]
    container = _CONTAINER.fullmatch(last)
    return f"container {container.group(1)}" if container else last or "this whole host"


def at_limits(seen: Sequence[Limited], interval: float) -> Iterator[Finding]:
    for limited in seen:
        yield from _throttled(limited, interval)
        yield from _full(limited)


def _throttled(limited: Limited, interval: float) -> Iterator[Finding]:
    part = share(limited.throttled, limited.periods) if limited.periods else 0.0
    if limited.periods < THROTTLED_PERIODS or part < THROTTLED_SHARE:
        return
    now = limited.now
    yield Finding(
        id="host.cgroup.throttled",
        level=WARNING,
        subject=group_name(now.path),
        summary=f"{group_name(now.path)} was stopped in {limited.throttled} of {limited.periods} periods "
        f"within {interval:.1f} s, for it may use {now.cpus or 0:.2g} CPUs: it is slow whatever the host has "
        f"left. Since it was started {share(now.throttled, now.periods):.0f} % of its periods",
        evidence=_evidence(limited),
    )


def _full(limited: Limited) -> Iterator[Finding]:
    now = limited.now
    part = share(now.memory, now.memory_limit) if now.memory_limit else 0.0
    if part < GROUP_FULL and not limited.kills:
        return
    killed = f"; {limited.kills} of its processes were killed just now" if limited.kills else ""
    before = f"; {now.kills} were killed since it was started" if now.kills and not limited.kills else ""
    yield Finding(
        id="host.cgroup.memory_full",
        level=CRITICAL if limited.kills else WARNING,
        subject=group_name(now.path),
        summary=f"{group_name(now.path)} uses {speak_size(now.memory)} of the "
        f"{speak_size(now.memory_limit or 0)} it may ({part:.0f} %), caches left out{killed}{before}",
        evidence=_evidence(limited),
    )


def _evidence(limited: Limited) -> dict[str, Any]:
    rates = {"periods": limited.periods, "throttled": limited.throttled, "kills": limited.kills}
    return {"group": asdict(limited.now), "in_interval": rates}
