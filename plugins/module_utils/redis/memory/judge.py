# SPDX-License-Identifier: GPL-3.0-or-later
"""Why memory is full, or will be. Pure."""

from __future__ import annotations

from typing import Any, Iterator, Sequence

from ...clients.redis import shown
from ...finding import NOTICE, WARNING, Finding, Remedy
from ...quantities import share, speak_duration, speak_size
from ..decide import PLAYBOOK, loading
from ..decide import memory as room_left
from . import causes as kinds
from .causes import Cause, causes, missed, name_of, unexplained
from .model import Client, Memory, Pattern
from .patterns import ANY

# The findings that say that there is too little memory: what takes it matters then.
PRESSING = ("redis.memory.full", "redis.memory.high", "redis.keys.evicted")
# Without that, the data is nobody's trouble; of these, so many bytes are worth a word.
BIG = 64 * 1024**2
OF_KEYS = (kinds.NO_TTL, kinds.BIG_KEY)
NAMED = 3
CACHE_SHARE = 5.0
FEW_WITH_TTL = 10.0


def judge(memory: Memory) -> list[Finding]:
    if memory.loading:
        return list(loading(memory.snapshot))
    room = list(room_left(memory.snapshot, memory.room.most))
    pressed = any(finding.id in PRESSING for finding in room)
    return [
        *room,
        *_causes(memory, pressed),
        *_limits(memory),
        *_policy(memory, pressed),
        *_unseen(memory),
    ]


def _causes(memory: Memory, pressed: bool) -> Iterator[Finding]:
    named: set[str] = set()
    for cause in causes(memory):
        # Of several patterns, the one with the most bytes.
        harmless = cause.kind == kinds.GROWTH or (cause.kind in OF_KEYS and cause.bytes < BIG)
        if cause.kind in named or (harmless and not pressed):
            continue
        named.add(cause.kind)
        yield _MAKERS[cause.kind](memory, cause, pressed)


def _level(pressed: bool) -> str:
    """What takes the memory matters when there is too little of it."""
    return WARNING if pressed else NOTICE


def _remedy(memory: Memory, lever: str, **inputs: Any) -> Remedy | None:
    """A replica takes no orders."""
    if memory.replica:
        return None
    return Remedy(PLAYBOOK, {"levers": [lever], **inputs})


def _evidence(cause: Cause, **more: Any) -> dict[str, Any]:
    return {"bytes": cause.bytes, "percent_of_used": cause.share, **more}


def _growth(memory: Memory, cause: Cause, pressed: bool) -> Finding:
    sample = memory.sample
    used = memory.info.number("used_memory")
    summary = f"the data itself takes {speak_size(cause.bytes)} of {speak_size(used)}"
    evidence = _evidence(cause)
    remedy = _remedy(memory, "raise") if _may_grow(memory) else None
    if sample is not None and sample.keys:
        named = [_spoken(one) for one in sample.patterns[:NAMED]]
        summary += f": {'; '.join(named)} (measured on {sample.keys} of {sample.total} keys)"
        evidence.update(
            sampled=sample.keys, keys=sample.total, patterns=[_shown(p) for p in sample.patterns[:NAMED]]
        )
        hidden = unexplained(memory)
        if hidden:
            evidence["unexplained"] = hidden
            summary += f"; {speak_size(hidden)} more are in few big keys that the sample did not meet"
        cache = max(sample.caches, key=lambda one: one.bytes or 0, default=None)
        if cache is not None and cache.share >= CACHE_SHARE:
            summary += f"; {_spoken(cache)} is declared a cache and may go"
            remedy = _remedy(memory, "unlink", pattern=cache.pattern, database=cache.database)
    return Finding(
        id="redis.memory.growth",
        level=_level(pressed),
        subject=memory.subject,
        summary=summary,
        evidence=evidence,
        remedy=remedy,
    )


def _no_ttl(memory: Memory, cause: Cause, pressed: bool) -> Finding:
    pattern = cause.pattern
    if pattern is None:
        raise ValueError("a cause about keys has no pattern")
    remedy = None
    if pattern.ttl_seconds and pattern.pattern != ANY and shown(pattern.pattern) == pattern.pattern:
        remedy = _remedy(
            memory, "ttl", pattern=pattern.pattern, database=pattern.database, ttl=f"{pattern.ttl_seconds}s"
        )
    longest = f"; the others have up to {speak_duration(pattern.ttl_seconds)}" if pattern.ttl_seconds else ""
    return Finding(
        id="redis.memory.no_ttl",
        level=_level(pressed),
        subject=memory.subject,
        summary=f"{shown(pattern.pattern)} in db{pattern.database} does not pass by itself: "
        f"{pattern.without_ttl:g} % of its keys have no TTL and hold {speak_size(cause.bytes)}{longest}",
        evidence=_evidence(cause, pattern=_shown(pattern)),
        remedy=remedy,
    )


def _big_key(memory: Memory, cause: Cause, pressed: bool) -> Finding:
    key = memory.sample.biggest[0] if memory.sample else None
    if key is None:
        raise ValueError("a cause about a key has no sample")
    return Finding(
        id="redis.memory.big_key",
        level=_level(pressed),
        subject=memory.subject,
        summary=f"one key, {name_of(key)} in db{key.database} ({key.type}), holds {speak_size(cause.bytes)}, "
        f"{cause.share:g} % of all: a queue that nobody empties grows like that",
        evidence=_evidence(cause, key=name_of(key), database=key.database, type=key.type),
    )


def _expired(memory: Memory, cause: Cause, pressed: bool) -> Finding:
    info = memory.info
    stale, capped = info.decimal("expired_stale_perc"), memory.during("expired_time_cap_reached_count")
    return Finding(
        id="redis.memory.expired",
        level=_level(pressed),
        subject=memory.subject,
        summary=f"about {stale:g} % of the keys with a TTL are past due and still there, about "
        f"{speak_size(cause.bytes)}: more expire than the server removes",
        evidence=_evidence(
            cause,
            stale_percent=stale,
            time_cap_reached_now=capped,
            time_cap_reached_total=info.number("expired_time_cap_reached_count"),
            active_expire_effort=memory.config.get("active-expire-effort"),
        ),
        remedy=_remedy(memory, "expire"),
    )


def _allocator(memory: Memory, cause: Cause, pressed: bool) -> Finding:
    jemalloc = memory.info.text("mem_allocator").startswith("jemalloc")
    return Finding(
        id="redis.memory.allocator",
        level=_level(pressed),
        subject=memory.subject,
        summary=f"the allocator keeps {speak_size(cause.bytes)} that nothing uses; giving them back helps "
        f"the machine or the container, and not against maxmemory, which does not count them",
        evidence=_evidence(cause, allocator=memory.info.text("mem_allocator")),
        remedy=_remedy(memory, "purge") if jemalloc else None,
    )


def _fragmentation(memory: Memory, cause: Cause, pressed: bool) -> Finding:
    return Finding(
        id="redis.memory.fragmentation",
        level=_level(pressed),
        subject=memory.subject,
        summary=f"{speak_size(cause.bytes)} lie between what is used, in pages that are not empty: "
        f"only activedefrag or a restart gets them back",
        evidence=_evidence(
            cause,
            ratio=memory.info.decimal("allocator_frag_ratio"),
            activedefrag=memory.config.get("activedefrag"),
        ),
    )


def _clients(memory: Memory, cause: Cause, pressed: bool) -> Finding:
    biggest = _biggest(memory, ("normal", "pubsub"))
    who = f"; most of all {_client(biggest[0])}" if biggest else ""
    return Finding(
        id="redis.memory.clients",
        level=_level(pressed),
        subject=memory.subject,
        summary=f"the buffers of clients hold {speak_size(cause.bytes)}, {cause.share:g} % of what is used"
        f"{who}. CLIENT KILL ID ends one; client-output-buffer-limit keeps it from happening again",
        evidence=_evidence(cause, biggest=[_client_data(one) for one in biggest]),
    )


def _replicas(memory: Memory, cause: Cause, pressed: bool) -> Finding:
    biggest = _biggest(memory, ("replica",))
    who = f"; most of all {_client(biggest[0])}" if biggest else ""
    return Finding(
        id="redis.memory.replicas",
        level=_level(pressed),
        subject=memory.subject,
        summary=f"what waits for replicas and the backlog hold {speak_size(cause.bytes)}{who}: a replica "
        f"that does not keep up, or a repl-backlog-size too big for this server",
        evidence=_evidence(
            cause,
            backlog=memory.info.number("mem_replication_backlog"),
            replicas=memory.info.number("connected_slaves"),
            biggest=[_client_data(one) for one in biggest],
        ),
    )


def _aof(memory: Memory, cause: Cause, pressed: bool) -> Finding:
    return Finding(
        id="redis.memory.aof",
        level=_level(pressed),
        subject=memory.subject,
        summary=f"{speak_size(cause.bytes)} wait to be written to the AOF: the disk does not keep up, or a "
        f"rewrite of it runs",
        evidence=_evidence(cause, rewriting=memory.info.number("aof_rewrite_in_progress") == 1),
    )


def _scripts(memory: Memory, cause: Cause, pressed: bool) -> Finding:
    cached = memory.info.number("number_of_cached_scripts")
    return Finding(
        id="redis.memory.scripts",
        level=_level(pressed),
        subject=memory.subject,
        summary=f"scripts and functions hold {speak_size(cause.bytes)}, with {cached} scripts kept: somebody "
        f"makes a new script for every call instead of passing arguments. SCRIPT FLUSH empties it",
        evidence=_evidence(cause, cached_scripts=cached),
    )


def _limits(memory: Memory) -> Iterator[Finding]:
    limit, most = memory.info.number("maxmemory"), memory.room.most
    room = {"maxmemory": limit or None, "host": memory.room.total, "limit": memory.room.limit}
    if not limit:
        until = f"the {speak_size(most)} of where it runs" if most else "the memory of its machine"
        yield Finding(
            id="redis.memory.unlimited",
            level=NOTICE,
            subject=memory.subject,
            summary=f"it has no maxmemory: it grows up to {until}, and is killed then instead of refusing "
            f"writes",
            evidence=room,
        )
    elif most and limit > most:
        yield Finding(
            id="redis.memory.overcommitted",
            level=WARNING,
            subject=memory.subject,
            summary=f"maxmemory is {speak_size(limit)}, but it can have {speak_size(most)} where it runs: it "
            f"is killed before it refuses a write",
            evidence=room,
        )


def _policy(memory: Memory, pressed: bool) -> Iterator[Finding]:
    info = memory.info
    policy, limit = info.text("maxmemory_policy"), info.number("maxmemory")
    databases = info.databases().values()
    keys, expires = (sum(one[kind] for one in databases) for kind in ("keys", "expires"))
    if limit and policy.startswith("volatile") and keys and share(expires, keys) < FEW_WITH_TTL:
        yield Finding(
            id="redis.memory.policy",
            level=WARNING if pressed else NOTICE,
            subject=memory.subject,
            summary=f"policy {policy} evicts keys with a TTL only, and {expires} of {keys} have one: when "
            f"these are gone, writes are refused",
            evidence={"policy": policy, "keys": keys, "with_ttl": expires},
        )
    kept = missed(memory.sample)[:NAMED]
    if limit and policy.startswith("allkeys") and kept:
        evicting = memory.during("evicted_keys") > 0
        names = ", ".join(shown(one.pattern) for one in kept)
        yield Finding(
            id="redis.memory.evictable",
            level=WARNING if evicting else NOTICE,
            subject=memory.subject,
            summary=f"policy {policy} may evict anything{', and does so now' if evicting else ''}, also "
            f"{names}, which by the name are no cache: sessions or jobs are lost then",
            evidence={"policy": policy, "patterns": [_shown(one) for one in kept]},
        )


def _unseen(memory: Memory) -> Iterator[Finding]:
    reasons = [*memory.unseen, *([f"its settings: {memory.config_refused}"] if memory.config_refused else [])]
    if reasons:
        yield Finding(
            id="redis.memory.unseen",
            level=NOTICE,
            subject=memory.subject,
            summary=f"not everything could be seen: {'; '.join(reasons)}",
            evidence={"reasons": reasons},
        )


def _may_grow(memory: Memory) -> bool:
    """Whether there is memory for more, as far as is known."""
    limit, most = memory.info.number("maxmemory"), memory.room.most
    return bool(limit and most and limit < most)


def _biggest(memory: Memory, wanted: Sequence[str]) -> list[Client]:
    found = [client for kind in wanted if kind in memory.clients for client in memory.clients[kind].biggest]
    return sorted(found, key=lambda client: client.total, reverse=True)[:NAMED]


def _client(client: Client) -> str:
    name = f" {client.name}" if client.name else ""
    return (
        f"client {client.id}{name} at {client.address} with {speak_size(client.total)} ({client.command}, "
        f"idle for {speak_duration(client.idle_seconds)})"
    )


def _client_data(client: Client) -> dict[str, Any]:
    return {"id": client.id, "address": client.address, "name": client.name, "bytes": client.total}


def _spoken(pattern: Pattern) -> str:
    ttl = "" if pattern.without_ttl is None else f", {pattern.without_ttl:g} % without TTL"
    if pattern.bytes is None:
        return f"{shown(pattern.pattern)} about {pattern.keys} keys{ttl}"
    return f"{shown(pattern.pattern)} {pattern.share:g} % of the bytes, about {pattern.keys} keys{ttl}"


def _shown(pattern: Pattern) -> dict[str, Any]:
    return {
        "database": pattern.database,
        "pattern": shown(pattern.pattern),
        "keys": pattern.keys,
        "bytes": pattern.bytes,
        "share": pattern.share,
        "without_ttl": pattern.without_ttl,
    }


_MAKERS = {
    kinds.GROWTH: _growth,
    kinds.NO_TTL: _no_ttl,
    kinds.BIG_KEY: _big_key,
    kinds.EXPIRED: _expired,
    kinds.ALLOCATOR: _allocator,
    kinds.FRAGMENTATION: _fragmentation,
    kinds.CLIENTS: _clients,
    kinds.REPLICAS: _replicas,
    kinds.AOF: _aof,
    kinds.SCRIPTS: _scripts,
}
