# SPDX-License-Identifier: GPL-3.0-or-later
"""How far each lever may go: what maxmemory is safe, and which keys a pattern may mean. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Sequence

from ...quantities import MIB, speak_size
from ..decide import lets_nothing_go
from ..figures import Info
from .model import Memory

# A raised limit is to be used by so much afterwards, in percent: well below the warning.
GOAL = 75.0
# Of what a process holds, a fork for saving may copy so much when keys are written meanwhile.
COPIED_BY_FORK = 0.5
# The allocator holds so much more than it has given out; what it really does counts from so many bytes on.
OVERHEAD, MOST_OVERHEAD, TELLING = 1.1, 2.0, 64 * MIB
# For everything else on the machine, and in the container, in percent of its memory.
RESERVE = 5.0
# A raise by less than this helps nobody, in percent.
LEAST_RAISE = 2.0
# What the server notes down for a key that expires, in bytes, and how much of what is free may go into that.
EXPIRY_BYTES, EXPIRY_SHARE = 64, 0.8
# Plain characters, and a star that is none of them.
_OPEN_END = re.compile(r"(?:\\.|[^*?\[\\])*\*", re.DOTALL)
# Fewer plain characters than these in a pattern name nothing.
LEAST_LITERAL = 2


@dataclass(frozen=True)
class Ceiling:
    """The largest maxmemory that is safe, in bytes; None where that is not known. `why` has the figures."""

    bytes: int | None
    why: str


def counted(info: Info) -> int:
    """The bytes that the server compares with maxmemory."""
    return info.number("used_memory") - info.number("mem_not_counted_for_evict")


def ceiling(memory: Memory) -> Ceiling:
    """What the server may use so that a fork, its buffers and the waste of its allocator still find room."""
    info, room = memory.info, memory.room
    if room.most is None:
        return Ceiling(None, "how much memory there is where the server runs cannot be seen from here")
    if not room.pid:
        # One in a container that cannot be asked about is ended by the kernel long before the host is full.
        return Ceiling(None, "what limits its memory cannot be seen, for its process was not found here")
    used, rss = max(1, info.number("used_memory")), info.number("used_memory_rss")
    overhead = min(MOST_OVERHEAD, max(OVERHEAD, rss / used)) if used >= TELLING else OVERHEAD
    fork = COPIED_BY_FORK if _forks(memory) else 0.0
    fixed = info.number("mem_not_counted_for_evict") + int(max(0.0, rss - used * overhead))
    capacity = _capacity(memory, rss)
    safe = max(0, int((capacity - fixed) / (overhead + fork)))
    where = "its container or control group" if room.limit and room.limit == room.most else "this host"
    why = (
        f"it can hold {speak_size(capacity)} of the {speak_size(room.most)} of {where}; with "
        f"{overhead * 100 - 100:.0f} % for the allocator, "
        + (f"{fork * 100:.0f} % for the fork that saves" if fork else "no fork to save anything")
        + f" and {speak_size(fixed)} for buffers and its program, maxmemory {speak_size(safe)} is safe"
    )
    return Ceiling(safe, why)


def too_tight(memory: Memory, keys: int) -> str | None:
    """Why so many keys may not be given a TTL: that takes memory at first, and frees it later."""
    limit = memory.info.number("maxmemory")
    free, needed = limit - counted(memory.info), keys * EXPIRY_BYTES
    if not limit or not lets_nothing_go(memory.info) or needed <= free * EXPIRY_SHARE:
        return None
    return (
        f"a TTL takes memory too, about {speak_size(needed)} for these keys, and {speak_size(max(0, free))} "
        f"are left: raise maxmemory first, or give max_keys"
    )


def goal(memory: Memory) -> int:
    """The maxmemory that brings the use down to `GOAL` percent, in whole MiB where it is many."""
    wanted = int(counted(memory.info) * 100 / GOAL)
    return -(-wanted // MIB) * MIB if wanted >= 8 * MIB else wanted


def _forks(memory: Memory) -> bool:
    """Whether it saves, rewrites its AOF or copies itself to replicas; if it cannot be seen, it may."""
    info = memory.info
    saves = memory.config.get("save", "unknown") != ""
    return saves or info.number("aof_enabled") == 1 or info.number("connected_slaves") > 0


def _capacity(memory: Memory, rss: int) -> int:
    """The bytes that the process may hold, what others hold and a reserve left alone."""
    room = memory.room
    bounds: list[float] = []
    if room.total and room.available is not None:
        bounds.append(room.available + rss - room.total * RESERVE / 100)
    if room.limit:
        others = max(0, (room.limit_used or rss) - rss)
        bounds.append(room.limit * (1 - RESERVE / 100) - others)
    return max(0, int(min(bounds, default=0)))


def literal_start(pattern: str) -> str:
    """What every key that matches begins with."""
    found = re.match(r"(?:\\.|[^*?\[\\])*", pattern, re.DOTALL)
    return re.sub(r"\\(.)", r"\1", found.group() if found else "", flags=re.DOTALL)


def names_nothing(pattern: str) -> bool:
    """Whether it says next to nothing about the keys it means, as `*` does."""
    plain = re.sub(r"\\(.)|\[(?:\\.|[^\]])*\]?|[*?]", r"\1", pattern, flags=re.DOTALL)
    return len(plain) < LEAST_LITERAL


def within(pattern: str, caches: Sequence[str]) -> str | None:
    """The declared cache that all keys of `pattern` certainly belong to; None when that is not certain."""
    for cache in caches:
        if pattern == cache:
            return cache
        # cache:* holds whatever begins with cache:; of other forms it cannot be told.
        open_end = _OPEN_END.fullmatch(cache) and not names_nothing(cache)
        if open_end and literal_start(pattern).startswith(literal_start(cache)):
            return cache
    return None
