# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what the module `redis_memory` needs."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any, Mapping

from ...clients.redis import Redis, ServerError
from ...deadlines import Deadline
from ...errors import BadInput
from ...lifecycle import Job, Performer
from ...quantities import parse_duration, parse_size, speak_count, speak_duration
from ..entry import SECONDS, find, identity_of, reach
from ..entry import SPEC as ENTRY_SPEC
from ..server import Server, session
from .act import Levers, performers
from .decide import EVICT, EXPIRE, FLUSH, LEVERS, PURGE, RAISE, TTL, UNLINK, View, Wish, decide, trouble
from .levers import names_nothing
from .model import Memory, Sampling
from .observe import observe
from .probe import write_probe
from .removal import PATIENCE, Tally, survey

POLICIES = (
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
)
SPEC: Mapping[str, Any] = {
    "levers": {"type": "list", "elements": "str", "choices": list(LEVERS), "default": [EXPIRE, PURGE, RAISE]},
    "maxmemory": {"type": "str"},
    "pattern": {"type": "str"},
    "ttl": {"type": "str"},
    "policy": {"type": "str", "choices": list(POLICIES)},
    "database": {"type": "int"},
    "max_keys": {"type": "int", "no_log": False},
    "max_bytes": {"type": "str"},
    **ENTRY_SPEC,
}
# What was asked of the server takes effect within so many seconds, or not.
SETTLING, PAUSE = 5.0, 0.3
# After the acts a second is long enough to see whether writes are still refused.
INTERVAL = 1.0
SAMPLE, SAMPLE_SECONDS = 10_000, 5.0
# Of its TTL, so that not all keys go in the same moment.
SPREAD = 0.1
SHORTEST_TTL = 60


def job(params: Mapping[str, Any]) -> Job[View]:
    server = reach(params)
    wish = _wish(params, server)
    return _Work(server, wish).job()


class _Work:
    def __init__(self, server: Server, wish: Wish) -> None:
        self._server, self._wish = server, wish
        self._levers = Levers(lambda _identity: server, spread=wish.spread)
        self._done: set[str] = set()
        self._acted = False

    def job(self) -> Job[View]:
        return Job(
            observe=self._settled,
            decide=lambda view: decide(view, self._wish),
            perform={
                action: partial(self._perform, action, performer)
                for action, performer in performers(self._levers).items()
            },
        )

    def _perform(self, action: str, performer: Performer, identity: Mapping[str, Any]) -> None:
        self._acted = True
        performer(identity)
        self._done.add(action)

    def _settled(self) -> View:
        """Before the acts one look; afterwards as long as what was done may still take effect."""
        end = time.monotonic() + SETTLING
        while True:
            view = self._look(SAMPLE if EVICT in self._wish.levers else 0)
            if not self._acted or trouble(view, self._wish) == 0:
                return view
            if time.monotonic() >= end:
                # Who reads on wants to know what holds the memory.
                return replace(view, memory=self._observe(SAMPLE))
            time.sleep(PAUSE)

    def _look(self, keys: int) -> View:
        memory = self._observe(keys)
        if not self._acted:
            self._expire_by(memory.snapshot.now)
        view = View(memory, done=frozenset(self._done), work=_told(self._levers.work))
        deadline = Deadline(2 * SECONDS + PATIENCE)
        with session(self._server, lambda: deadline.remaining(SECONDS)) as connection:
            if self._acted:
                view = replace(view, probe=write_probe(connection))
            if self._wish.pattern and not memory.loading:
                view = self._surveyed(connection, self._wish.pattern, view)
        return view

    def _surveyed(self, connection: Redis, pattern: str, view: View) -> View:
        database = self._wish.database or 0
        if database:
            connection.execute("SELECT", database)
        lasting = TTL in self._wish.levers
        try:
            tally = survey(connection, pattern, lasting)
        except ServerError as error:
            return replace(view, unsurveyed=f"the keys could not be counted: {error.problem}")
        found = tally.lasting if lasting else tally.matching
        # Who went through all of them leaves none behind.
        if not (tally.whole or found or any(work.whole for work in self._levers.work)):
            return replace(view, unsurveyed=_none_among(tally))
        return replace(view, survey=tally, matching=_matching(tally, view.memory, database))

    def _expire_by(self, now: int) -> None:
        """By the clock of the server, which need not be that of this host."""
        if self._wish.ttl:
            moment = (now + self._wish.ttl) * 1000
            self._wish = replace(self._wish, moment=moment)
            self._levers.moment = moment

    def _observe(self, keys: int) -> Memory:
        sampling = Sampling(
            keys=keys, seconds=SAMPLE_SECONDS, caches=tuple(self._wish.caches), interval=INTERVAL
        )
        return observe(self._server, sampling, Deadline(SECONDS + SAMPLE_SECONDS))


def _none_among(tally: Tally) -> str:
    return (
        f"none was found among the {speak_count(tally.looked_at, 'key')} that could be looked at in "
        f"{speak_duration(tally.seconds)}, and there may be some further on"
    )


def _matching(tally: Tally, memory: Memory, database: int) -> int:
    """How many keys match: counted, or from the share of those that were looked at."""
    if tally.whole:
        return tally.matching
    keys = memory.info.databases().get(f"db{database}", {}).get("keys", 0)
    return max(tally.matching, min(keys, round(keys * tally.matching / max(1, tally.looked_at))))


def _told(work: list[Tally]) -> Mapping[str, Any] | None:
    if not work:
        return None
    return {
        "keys": sum(tally.done for tally in work),
        "bytes": sum(tally.bytes for tally in work),
        "spared": sum(tally.spared for tally in work),
        "budget_used_up": any(tally.full for tally in work),
        "complete": all(tally.whole for tally in work),
        "seconds": round(sum(tally.seconds for tally in work), 3),
        "steps": sum(tally.steps for tally in work),
        "longest_step_seconds": round(max(tally.longest for tally in work), 4),
    }


def _wish(params: Mapping[str, Any], server: Server) -> Wish:
    """Raises `BadInput`."""
    levers, pattern, database = tuple(params["levers"]), params["pattern"], params["database"]
    _check(params, levers)
    _check_limits(params, levers)
    ttl = parse_duration(params["ttl"]) if params["ttl"] else 0
    if TTL in levers and ttl < SHORTEST_TTL:
        raise BadInput(
            "ttl", f"{speak_duration(ttl)} is as good as removing the keys", "Give 60s or more, or unlink."
        )
    return Wish(
        levers=levers,
        way_in=identity_of(server, find(server)),
        caches=server.caches,
        maxmemory=parse_size(params["maxmemory"]) if params["maxmemory"] else None,
        pattern=pattern if TTL in levers or UNLINK in levers else None,
        ttl=ttl or None,
        spread=max(1, int(ttl * 1000 * SPREAD)),
        policy=params["policy"],
        database=database,
        max_keys=params["max_keys"],
        max_bytes=parse_size(params["max_bytes"]) if params["max_bytes"] else None,
    )


def _check(params: Mapping[str, Any], levers: tuple[str, ...]) -> None:
    for lever, needed in (
        (TTL, "pattern"),
        (TTL, "ttl"),
        (UNLINK, "pattern"),
        (EVICT, "policy"),
        (FLUSH, "database"),
    ):
        if lever in levers and params[needed] in (None, ""):
            raise BadInput(f"lever {lever}", f"it needs {needed}", f"Give {needed}.")
    pattern = params["pattern"]
    if pattern and names_nothing(pattern):
        raise BadInput(
            f"pattern {pattern}",
            "it means next to every key there is",
            "Give one as cache:* that names its keys.",
        )
    if TTL in levers and UNLINK in levers:
        raise BadInput("levers", "unlink leaves nothing that a TTL could be set on", "Give one of both.")
    for name in ("database", "max_keys"):
        if params[name] is not None and params[name] < (1 if name == "max_keys" else 0):
            raise BadInput(name, f"{params[name]} is none", "Give a number that can be meant.")


def _check_limits(params: Mapping[str, Any], levers: tuple[str, ...]) -> None:
    """A limit that no lever keeps to would be a limit in name only."""
    limits = [name for name in ("pattern", "max_keys", "max_bytes") if params[name] not in (None, "")]
    if FLUSH in levers and limits:
        raise BadInput(
            "lever flush",
            f"it empties the whole database and cannot keep to {' and '.join(limits)}",
            "Use unlink, or give database alone.",
        )
    if TTL in levers and "max_bytes" in limits:
        raise BadInput("max_bytes", "the lever ttl counts no bytes", "Give max_keys.")
