# SPDX-License-Identifier: GPL-3.0-or-later
"""What the memory of a server is taken by, and what of that is too much. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterator, Sequence

from ...clients.redis import shown
from ...quantities import MIB
from ..figures import Info
from .model import Key, Memory, Pattern, Sample
from .patterns import matcher, pattern_of

EXPIRED, ALLOCATOR, FRAGMENTATION = "expired", "allocator", "fragmentation"
CLIENTS, REPLICAS, AOF, SCRIPTS = "clients", "replicas", "aof", "scripts"
NO_TTL, BIG_KEY, GROWTH = "no_ttl", "big_key", "growth"

# Buffers, scripts and the like are noise below this share of what is used, and below this size.
LEAST_SHARE, LEAST = 10.0, 4 * MIB
# What the allocator wastes is no harm while it is little.
WASTE, WASTE_SHARE, FRAGMENTED = 64 * MIB, 20.0, 1.5
# With its usual effort, the server lets so many percent of the keys with a TTL lie about past due.
STALE = 10.0
FORGOTTEN = 5.0
BIG_KEY_SHARE = 20.0
LONGEST_NAME = 200
# Names of what is not meant to stay.
_PASSING = re.compile(
    r"(^|[^a-z])(sess|sessions?|cache[ds]?|tokens?|tmp|temp|otp|nonces?|csrf|captcha|rate|throttle|locks?)([^a-z]|$)",
    re.IGNORECASE,
)
# Names of what somebody misses when it is lost.
_MISSED = re.compile(
    r"(^|[^a-z])(sess|sessions?|tokens?|jobs?|queues?|bull|celery|sidekiq|resque|locks?|carts?)([^a-z]|$)",
    re.IGNORECASE,
)
# Who knows the whole name of such a key may use it.
_SECRET = re.compile(r"sess|token|otp|csrf|nonce|auth|reset|verif|invite|secret|api.?key|sid", re.IGNORECASE)


@dataclass(frozen=True)
class Cause:
    """`bytes` that it takes, `share` of used_memory in percent. `pattern` where it is about keys."""

    kind: str
    bytes: int
    share: float
    pattern: Pattern | None = None


def parts(info: Info) -> dict[str, int]:
    """used_memory taken apart, in bytes. `data` has keys and values with the tables that they lie in."""
    found = {
        "startup": info.number("used_memory_startup"),
        CLIENTS: info.number("mem_clients_normal"),
        REPLICAS: info.number("mem_clients_slaves") + info.number("mem_replication_backlog"),
        AOF: info.number("mem_aof_buffer"),
        "scripts_and_functions": info.number("used_memory_scripts")
        or info.number("used_memory_scripts_eval"),
        "cluster_links": info.number("mem_cluster_links"),
    }
    return {"data": max(0, info.number("used_memory") - sum(found.values())), **found}


def causes(memory: Memory) -> list[Cause]:
    """What is more than it has to be, and the data; most bytes first."""
    found = [*_kept_past_due(memory), *_wasted(memory.info), *_held(memory.info), *_of_keys(memory)]
    return sorted(found, key=lambda cause: cause.bytes, reverse=True)


def passing(pattern: Pattern) -> bool:
    """By its name, or because others of its kind have a TTL."""
    mixed = pattern.without_ttl is not None and pattern.without_ttl < 100 - FORGOTTEN
    return mixed or bool(_PASSING.search(pattern.pattern))


def missed(sample: Sample | None) -> Sequence[Pattern]:
    """Kinds of keys that by their name are no cache, and are not declared one."""
    if sample is None:
        return ()
    caches = [matcher(cache.pattern) for cache in sample.caches]
    return [
        one
        for one in sample.patterns
        if _MISSED.search(one.pattern) and not any(matches(one.biggest.name) for matches in caches)
    ]


def name_of(key: Key) -> str:
    """As it may be reported."""
    return shown(pattern_of(key.name) if _SECRET.search(key.name) else key.name[:LONGEST_NAME])


def _cause(info: Info, kind: str, size: float, pattern: Pattern | None = None) -> Cause:
    return Cause(kind, round(size), round(100.0 * size / max(1, info.number("used_memory")), 1), pattern)


def _kept_past_due(memory: Memory) -> Iterator[Cause]:
    """Nobody sees a key past due; the server estimates their share among those with a TTL itself."""
    info = memory.info
    stale = info.decimal("expired_stale_perc") or 0.0
    databases = info.databases().values()
    keys, expires = (sum(one[kind] for one in databases) for kind in ("keys", "expires"))
    size = parts(info)["data"] / max(1, keys) * expires * stale / 100
    if stale >= STALE and size >= LEAST / 4:
        yield _cause(info, EXPIRED, size)


def _wasted(info: Info) -> Iterator[Cause]:
    """Beside used_memory: it counts for the machine and a container, and not for maxmemory."""
    active = info.number("allocator_active")
    kept = info.number("allocator_resident") - active
    if kept >= WASTE and 100.0 * kept >= WASTE_SHARE * info.number("used_memory_rss"):
        yield _cause(info, ALLOCATOR, kept)
    split = active - info.number("allocator_allocated")
    if split >= WASTE and active >= FRAGMENTED * info.number("allocator_allocated"):
        yield _cause(info, FRAGMENTATION, split)


def _held(info: Info) -> Iterator[Cause]:
    found = parts(info)
    scripts = found["scripts_and_functions"] + (
        info.number("used_memory_vm_total") or info.number("used_memory_lua")
    )
    for kind, size in (
        (CLIENTS, found[CLIENTS]),
        (REPLICAS, found[REPLICAS]),
        (AOF, found[AOF]),
        (SCRIPTS, scripts),
    ):
        if size >= LEAST and 100.0 * size >= LEAST_SHARE * info.number("used_memory"):
            yield _cause(info, kind, size)


def _of_keys(memory: Memory) -> Iterator[Cause]:
    info, sample = memory.info, memory.sample
    data = parts(info)["data"]
    if 100.0 * data >= LEAST_SHARE * info.number("used_memory"):
        yield _cause(info, GROWTH, data)
    for pattern in forgotten(sample):
        yield _cause(info, NO_TTL, pattern.persistent_bytes, pattern)
    for key in sample.biggest[:1] if sample else ():
        size = key.bytes or 0
        if size >= LEAST / 4 and 100.0 * size >= BIG_KEY_SHARE * info.number("used_memory"):
            yield _cause(info, BIG_KEY, size)


def forgotten(sample: Sample | None) -> Sequence[Pattern]:
    """Kinds of keys that pass, but not all of them: those without a TTL are an appreciable share of all."""
    if sample is None or not sample.bytes:
        return ()
    least = sample.bytes * FORGOTTEN / 100
    return [one for one in sample.patterns if one.persistent_bytes >= least and passing(one)]


def unexplained(memory: Memory) -> int:
    """Bytes of data that the sample does not account for: few big keys that it did not meet."""
    sample = memory.sample
    if sample is None or sample.complete or sample.bytes is None or sample.total < _all_keys(memory):
        return 0
    left = memory.info.number("used_memory_dataset") - sample.bytes
    return left if left > 0.3 * memory.info.number("used_memory_dataset") else 0


def _all_keys(memory: Memory) -> int:
    return sum(one["keys"] for one in memory.info.databases().values())
