# SPDX-License-Identifier: GPL-3.0-or-later
"""Which levers are moved, and how far; which are not, and why. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence, Tuple

from ...lifecycle import Decision
from ...moments import iso_at
from ...plan import DESTRUCTIVE, DISRUPTIVE, REVERSIBLE, Act, Plan, Undo
from ...quantities import speak_count, speak_duration, speak_size
from ..decide import MACHINE_HIGH, MEMORY_FULL, MEMORY_HIGH, lets_nothing_go
from ..figures import used_percent
from . import probe
from .afterwards import afterwards
from .causes import ALLOCATOR, EXPIRED, causes
from .eviction import ground, not_only_caches, proved
from .judge import judge
from .levers import LEAST_RAISE, Ceiling, ceiling, counted, goal, too_tight, within
from .model import Memory
from .removal import Tally

EXPIRE, PURGE, RAISE, TTL, UNLINK, EVICT, FLUSH = (
    "expire", "purge", "raise", "ttl", "unlink", "evict", "flush",
)  # fmt: skip
LEVERS = (EXPIRE, PURGE, RAISE, TTL, UNLINK, EVICT, FLUSH)
EFFORT, MAXMEMORY, POLICY = "active-expire-effort", "maxmemory", "maxmemory-policy"
MOST_EFFORT = "10"
# A refused write outweighs any percentage and any number of keys.
REFUSED = 1e12
JEMALLOC = "jemalloc"
CONSOLE = "set it where the server is rented: its parameter group, or a larger instance"


# Acts, each with the reason not to do it, if there is one.
Choices = Iterator[Tuple[Act, Optional[str]]]


@dataclass(frozen=True)
class Wish:
    """`moment` is when the first key of `ttl` expires, in milliseconds since 1970; `spread` for the last."""

    levers: Sequence[str]
    way_in: Mapping[str, Any]
    caches: Sequence[str] = ()
    maxmemory: int | None = None
    pattern: str | None = None
    ttl: int | None = None
    moment: int = 0
    spread: int = 1
    policy: str | None = None
    database: int | None = None
    max_keys: int | None = None
    max_bytes: int | None = None


@dataclass(frozen=True)
class View:
    """`survey` counts the keys of the pattern, `unsurveyed` says why that could not be. `probe` is what
    became of a write after the acts, None before. `work` is what was done to keys, `done` the acts that were.
    """

    memory: Memory
    survey: Tally | None = None
    matching: int = 0
    unsurveyed: str | None = None
    probe: str | None = None
    work: Mapping[str, Any] | None = None
    done: frozenset[str] = field(default_factory=frozenset)


def decide(view: View, wish: Wish) -> Decision:
    """The symptom: percent of the limit above the warning; far more when writes are refused; percent of what
    is used that is past due or wasted, where a lever asked for is against that; and the keys and settings
    that the levers asked for by name still find.
    """
    acts: list[Act] = []
    refusals: list[Act] = []
    for lever in LEVERS:
        for act, because in _CHOICES[lever](view, wish) if lever in wish.levers else ():
            because = _not_here(view.memory) or because
            if because is None:
                acts.append(act)
            else:
                refusals.append(act.refused(because))
    symptom = trouble(view, wish) + _asked_for(view, wish)
    plan = Plan(_ordered(acts), tuple(refusals), sequential=False)
    return Decision(
        symptom, _state(view), (*judge(view.memory), *afterwards(view.memory, view.done, view.probe)), plan
    )


def _ordered(acts: Sequence[Act]) -> tuple[Act, ...]:
    """The configuration is written before anything temporary is set."""
    return tuple(sorted(acts, key=lambda act: act.action == "redis.expire_effort"))


def trouble(view: View, wish: Wish) -> float:
    """What may pass by itself when the acts take effect."""
    refused = REFUSED if _refuses(view) else 0.0
    return _over(view.memory) + refused + _kept_needlessly(view, wish)


def _over(memory: Memory) -> float:
    """Percent above the warning; 0 where the policy makes room by itself."""
    info = memory.info
    if info.number("maxmemory"):
        return max(0.0, round(used_percent(info) - MEMORY_HIGH, 2)) if lets_nothing_go(info) else 0.0
    most = memory.room.most or info.number("total_system_memory")
    return max(0.0, round(100.0 * info.number("used_memory_rss") / most - MACHINE_HIGH, 2)) if most else 0.0


def _refuses(view: View) -> bool:
    info = view.memory.info
    full = bool(info.number("maxmemory")) and lets_nothing_go(info) and used_percent(info) >= MEMORY_FULL
    return full or view.memory.refused() > 0 or probe.refuses(view.probe)


def _kept_needlessly(view: View, wish: Wish) -> float:
    """In percent of what is used. Of a server that tries its hardest already, nothing more can be asked."""
    shares = {cause.kind: cause.share for cause in causes(view.memory)}
    raised = view.memory.config.get(EFFORT) == MOST_EFFORT and "redis.expire_effort" not in view.done
    expired = shares.get(EXPIRED, 0.0) if EXPIRE in wish.levers and not raised else 0.0
    return expired + (shares.get(ALLOCATOR, 0.0) if PURGE in wish.levers and _can_purge(view.memory) else 0.0)


def _can_purge(memory: Memory) -> bool:
    return memory.info.text("mem_allocator").startswith(JEMALLOC)


def _asked_for(view: View, wish: Wish) -> int:
    """What the levers that were named find to do, in keys; a setting counts for one."""
    info, wanted = view.memory.info, 0
    if view.unsurveyed:
        wanted += 1
    elif UNLINK in wish.levers:
        wanted += view.matching
    elif TTL in wish.levers and view.survey:
        wanted += _lasting(view)
    if EVICT in wish.levers:
        wanted += info.text("maxmemory_policy") != wish.policy
    if FLUSH in wish.levers:
        wanted += _keys(view.memory).get(wish.database or 0, 0)
    if RAISE in wish.levers and wish.maxmemory:
        wanted += 0 < info.number("maxmemory") < wish.maxmemory
    return wanted


def _lasting(view: View) -> int:
    """How many keys of the pattern have no TTL."""
    survey = view.survey
    return round(view.matching * survey.lasting / survey.matching) if survey and survey.matching else 0


def _not_here(memory: Memory) -> str | None:
    """Why this server is the wrong one for any change."""
    info = memory.info
    if memory.loading:
        return "the server still reads its data from disk and refuses everything"
    if memory.replica:
        master = f"{info.text('master_host')}:{info.text('master_port')}"
        return (
            f"this is a replica, and what is changed here is not changed for its master {master}: act there"
        )
    return None


def _expire(view: View, wish: Wish) -> Choices:
    cause = next((each for each in causes(view.memory) if each.kind == EXPIRED), None)
    old = view.memory.config.get(EFFORT, "1")
    if cause is not None and old != MOST_EFFORT:
        reason = (
            f"from {old} to {MOST_EFFORT}: about {speak_size(cause.bytes)} are past due and still there; the "
            f"server looks for them harder, at the cost of CPU"
        )
        target, identity, undo = _setting(view, wish, (EFFORT, old, MOST_EFFORT))
        act = Act("redis.expire_effort", target, identity, REVERSIBLE, reason, undo)
        yield act, _managed(view.memory, EFFORT)


def _purge(view: View, wish: Wish) -> Choices:
    cause = next((each for each in causes(view.memory) if each.kind == ALLOCATOR), None)
    if cause is not None and _can_purge(view.memory):
        reason = (
            f"the allocator keeps {speak_size(cause.bytes)} that nothing uses; the machine gets them back"
        )
        # There is nothing to take back, so that it counts as more than it is.
        yield Act("redis.purge", view.memory.subject, _identity(view, wish), DISRUPTIVE, reason), None


def _raise(view: View, wish: Wish) -> Choices:
    memory, info = view.memory, view.memory.info
    limit = info.number("maxmemory")
    needed = _over(memory) > 0 or _refuses(view)
    if not limit or not (needed or limit < (wish.maxmemory or 0)):
        return
    safe = ceiling(memory)
    new, because = _new_limit(memory, wish, limit, safe)
    known = f"up to {speak_size(safe.bytes)} are safe here" if safe.bytes is not None else safe.why
    node = ", on this node of the cluster only" if memory.cluster else ""
    reason = (
        f"to {speak_size(new)}: {speak_size(counted(info))} of {speak_size(limit)} are in use; {known}{node}"
    )
    target, identity, undo = _setting(view, wish, (MAXMEMORY, str(limit), str(new)))
    act = Act("redis.maxmemory", target, identity, REVERSIBLE, reason, undo)
    refused = _managed(memory, MAXMEMORY) or because
    yield act, refused
    if refused is None and memory.config_file:
        yield _persisting(view, wish, act), None


def _new_limit(memory: Memory, wish: Wish, limit: int, safe: Ceiling) -> tuple[int, str | None]:
    """The new maxmemory, and why it must not be set."""
    used, new = counted(memory.info), wish.maxmemory or goal(memory)
    if wish.maxmemory:
        if new < used:
            return new, f"maxmemory {speak_size(new)} is less than the {speak_size(used)} in use"
        if new <= limit:
            return new, f"maxmemory is {speak_size(limit)} already"
        if safe.bytes is not None and new > safe.bytes:
            return new, f"maxmemory {speak_size(new)} is more than is safe: {safe.why}"
        return new, None
    if safe.bytes is None:
        because = f"{safe.why}, and nothing is raised blindly: name maxmemory; {speak_size(new)} would do"
        return new, because
    new = max(limit, min(new, safe.bytes))
    if new < max(limit, used) * (1 + LEAST_RAISE / 100):
        return new, f"there is no room to raise maxmemory from {speak_size(limit)}: {safe.why}"
    return new, None


def _persisting(view: View, wish: Wish, raised: Act) -> Act:
    identity = {**_identity(view, wish), "file": view.memory.config_file, "setting": MAXMEMORY}
    undo = raised.undo.identity if raised.undo else {}
    return Act(
        "redis.persist",
        f"{view.memory.config_file} of {view.memory.subject}",
        {**identity, "value": raised.identity["to"]},
        REVERSIBLE,
        "so that it is kept over a restart; CONFIG REWRITE writes all settings as they are now",
        Undo("redis.set_back", {**undo, "rewrite": True}),
    )


def _ttl(view: View, wish: Wish) -> Choices:
    count = _lasting(view)
    if view.unsurveyed is None and not count:
        return
    cache = within(str(wish.pattern), wish.caches)
    work = {**_pattern_identity(view, wish), "ttl": wish.ttl}
    undo = {**work, "at": wish.moment, "spread": wish.spread}
    meaning = f"they are of the cache {cache}" if cache else "whatever they hold is lost then"
    yield (
        Act(
            "redis.ttl",
            # Another run finds other keys: undo must not take the two for one.
            f"keys {wish.pattern} without TTL in database {wish.database or 0} of {view.memory.subject}, "
            f"to expire from {iso_at(wish.moment / 1000)}",
            {**work, "max_keys": wish.max_keys},
            REVERSIBLE if cache else DESTRUCTIVE,
            f"about {speak_count(count, 'key')} would last for ever; they expire in "
            f"{speak_duration(wish.ttl or 0)}, spread over {speak_duration(wish.spread / 1000)}; {meaning}",
            Undo("redis.ttl.remove", undo),
        ),
        view.unsurveyed or too_tight(view.memory, min(count, wish.max_keys or count)),
    )


def _unlink(view: View, wish: Wish) -> Choices:
    if view.unsurveyed is None and not view.matching:
        return
    cache = within(str(wish.pattern), wish.caches)
    identity = {**_pattern_identity(view, wish), "max_keys": wish.max_keys, "max_bytes": wish.max_bytes}
    kinds = view.survey.types if view.survey else {}
    meaning = (
        f"of the declared cache {cache}"
        if cache
        else "not of a declared cache: what they hold is lost for good"
    )
    yield (
        Act(
            "redis.unlink",
            f"keys {wish.pattern} in database {wish.database or 0} of {view.memory.subject}",
            identity,
            DISRUPTIVE if cache else DESTRUCTIVE,
            f"about {speak_count(view.matching, 'key')} ({', '.join(sorted(kinds)) or 'unseen'}), {meaning}",
        ),
        view.unsurveyed,
    )


def _evict(view: View, wish: Wish) -> Choices:
    old, policy = view.memory.info.text("maxmemory_policy"), str(wish.policy)
    if old == policy:
        return
    reason = f"from {old} to {policy}: {ground(view.memory, wish.caches)}"
    target, identity, undo = _setting(view, wish, (POLICY, old, policy))
    risk = DISRUPTIVE if proved(view.memory) else DESTRUCTIVE
    act = Act("redis.policy", target, identity, risk, reason, undo)
    yield act, _managed(view.memory, POLICY) or not_only_caches(view.memory, policy, wish.caches)


def _flush(view: View, wish: Wish) -> Choices:
    keys = _keys(view.memory).get(wish.database or 0, 0)
    if not keys:
        return
    act = Act(
        "redis.flush",
        f"database {wish.database} of {view.memory.subject}",
        {**_identity(view, wish), "database": wish.database, "keys": keys},
        DESTRUCTIVE,
        f"all of its {speak_count(keys, 'key')} are lost, whatever they hold",
    )
    yield act, None


_CHOICES: Mapping[str, Callable[[View, Wish], Choices]] = {
    EXPIRE: _expire,
    PURGE: _purge,
    RAISE: _raise,
    TTL: _ttl,
    UNLINK: _unlink,
    EVICT: _evict,
    FLUSH: _flush,
}


def _setting(view: View, wish: Wish, change: tuple[str, str, str]) -> tuple[str, dict[str, Any], Undo]:
    """Target, identity and undo of an act; `change` is the name, the old and the new value."""
    name, old, new = change
    put = {**wish.way_in, "setting": name, "from": old, "to": new}
    identity = {**_identity(view, wish), **put}
    return f"{name} of {view.memory.subject}", identity, Undo("redis.set_back", {**put, "rewrite": False})


def _managed(memory: Memory, name: str) -> str | None:
    if name in memory.config:
        return None
    return f"the server refuses CONFIG ({memory.config_refused or 'it does not tell ' + name}): {CONSOLE}"


def _identity(view: View, wish: Wish) -> dict[str, Any]:
    return {**wish.way_in, "run_id": view.memory.run_id}


def _pattern_identity(view: View, wish: Wish) -> dict[str, Any]:
    kinds = sorted(view.survey.types) if view.survey else []
    return {
        **_identity(view, wish),
        "database": wish.database or 0,
        "pattern": wish.pattern,
        "types": kinds,
        "cluster": view.memory.cluster,
    }


def _keys(memory: Memory) -> dict[int, int]:
    return {int(name[2:]): found["keys"] for name, found in memory.info.databases().items()}


def _state(view: View) -> dict[str, Any]:
    memory, info = view.memory, view.memory.info
    limit, seconds = info.number("maxmemory"), max(memory.snapshot.interval, 0.001)
    return {
        "used": counted(info),
        "rss": info.number("used_memory_rss"),
        "limit": limit or None,
        "used_percent": round(used_percent(info), 1) if limit else None,
        "policy": info.text("maxmemory_policy"),
        "refused_per_second": round(memory.refused() / seconds, 1),
        "evicted_per_second": round(memory.during("evicted_keys") / seconds, 1),
        "keys": sum(_keys(memory).values()),
        "matching": view.matching if view.survey else None,
        "probe": view.probe,
        "work": view.work,
    }
