# SPDX-License-Identifier: GPL-3.0-or-later
"""One server's memory: two readings of its figures, and between them a sample of its keys."""

from __future__ import annotations

import time
from dataclasses import replace
from math import isfinite
from typing import Any, Callable, Mapping, Sequence

from ...clients import redis
from ...clients.redis import Address, AuthRefused, Busy, Full, Redis, Word, shown
from ...deadlines import Deadline
from ...errors import FirebreakError, Unreachable
from ..entry import find
from ..figures import Info
from ..observe import again, ask, config, is_time, suspicious
from ..server import Located, Server
from .buffers import clients
from .estimate import estimate
from .model import Latency, Memory, Sample, Sampling
from .room import room
from .sample import Sampler

SETTINGS = (
    "maxmemory",
    "maxmemory-policy",
    "maxmemory-samples",
    "maxmemory-clients",
    "active-expire-effort",
    "activedefrag",
    "appendonly",
    "client-output-buffer-limit",
    "repl-backlog-size",
    "replica-ignore-maxmemory",
    "databases",
    "hz",
)
# A line for each client is 400 bytes: beyond that, the sums of INFO have to do.
MOST_CLIENTS = 10_000


def observe(
    server: Server, wish: Sampling, deadline: Deadline, pause: Callable[[float], None] = time.sleep
) -> Memory:
    """Raises `Unreachable` (`AuthRefused`, `Full`), `NotPermitted` where not even INFO is allowed, `Busy`."""
    located = find(server)
    for address in located.addresses[:-1]:
        try:
            return _look(located, address, server, wish, deadline, pause)
        except (AuthRefused, Full, Busy):
            raise
        except Unreachable:
            continue
    return _look(located, located.addresses[-1], server, wish, deadline, pause)


def _look(
    located: Located,
    address: Address,
    server: Server,
    wish: Sampling,
    deadline: Deadline,
    pause: Callable[[float], None],
) -> Memory:
    with redis.connect(address, server.login, deadline.remaining) as connection:
        first = ask(connection, located.subject, address, server.configured)
        started = time.monotonic()
        info = Info(first.info)
        unseen: list[str] = []
        found = _details(connection, info, unseen)
        where, unknown = room(address, located.name, info.number("process_id"), deadline.remaining)
        unseen += [unknown] if unknown else []
        sample = None
        if wish.keys and info.number("loading") != 1:
            sample = _sample(address, server, info, wish, deadline, unseen)
        interval = time.monotonic() - started
        if suspicious(first.info) and interval < wish.interval:
            pause(wish.interval - interval)
        interval = max(interval, wish.interval) if suspicious(first.info) else interval
        settings, refused = found["config"]
        return Memory(
            subject=located.subject,
            address=address,
            snapshot=replace(
                first, later=again(connection), interval=interval, config={**first.config, **settings}
            ),
            container=located.name,
            config_refused=refused,
            room=where,
            clients=found["clients"],
            statistics=found["statistics"],
            doctor=found["doctor"],
            latency=found["latency"],
            sample=sample,
            unseen=tuple(unseen),
        )


def _details(connection: Redis, info: Info, unseen: list[str]) -> Mapping[str, Any]:
    listed = info.number("connected_clients") <= MOST_CLIENTS
    asked: list[tuple[Word, ...]] = [("MEMORY", "STATS"), ("MEMORY", "DOCTOR"), ("LATENCY", "LATEST")]
    asked += [("CLIENT", "LIST")] if listed else [("CLIENT", "LIST", "TYPE", "replica")]
    statistics, doctor, latency, lines, *settings = connection.pipeline(
        asked + [("CONFIG", "GET", name) for name in SETTINGS]
    )
    for words, answer in zip(asked, (statistics, doctor, latency, lines)):
        if isinstance(answer, FirebreakError):
            unseen.append(f"{' '.join(map(str, words[:2]))}: {answer.problem}")
    if not listed:
        unseen.append(
            f"the buffers of {info.number('connected_clients')} clients one by one: they are too many"
        )
    refused = next((answer.problem for answer in settings if isinstance(answer, FirebreakError)), None)
    return {
        "config": (config(settings), refused),
        "statistics": _flat(statistics) if isinstance(statistics, list) else {},
        "doctor": doctor.strip() if isinstance(doctor, str) else None,
        "latency": tuple(_latency(latency)) if isinstance(latency, list) else (),
        "clients": clients(lines) if isinstance(lines, str) else {},
    }


def _sample(
    address: Address, server: Server, info: Info, wish: Sampling, deadline: Deadline, unseen: list[str]
) -> Sample | None:
    """Over a connection of its own: one that has to be given up in the middle is lost."""
    totals = {int(name[2:]): database["keys"] for name, database in info.databases().items()}
    if wish.database is not None:
        totals = {number: keys for number, keys in totals.items() if number == wish.database}
    own = Deadline(deadline.remaining(wish.seconds))
    started = time.monotonic()
    try:
        with redis.connect(address, server.login, own.remaining) as connection:
            sampler = Sampler(
                connection,
                wish,
                own,
                scattered=info.number("cluster_enabled") == 1,
                idle="lfu" not in info.text("maxmemory_policy"),
            )
            drawn = sampler.draw(totals)
    except FirebreakError as error:
        unseen.append(f"the keys: {error.problem}")
        return None
    unseen += sampler.unseen
    return estimate(drawn, wish.caches, round(time.monotonic() - started, 3))


def _flat(answer: Sequence[Any]) -> dict[str, Any]:
    """MEMORY STATS, a list of names and values, where a database's value is such a list again."""
    pairs = zip(answer[::2], answer[1::2])
    return {
        shown(str(name)): _flat(value) if isinstance(value, list) else _number(value) for name, value in pairs
    }


def _number(value: Any) -> Any:
    if isinstance(value, int):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        # An error is no figure, whatever it says.
        return shown(value) if isinstance(value, str) else None
    return number if isfinite(number) else None


def _latency(events: Sequence[Any]) -> list[Latency]:
    """Each is a list: event, when, the milliseconds of the last time and of the worst."""
    return [
        Latency(str(event[0]), event[1], event[2] / 1000, event[3] / 1000)
        for event in events
        if isinstance(event, list)
        and len(event) >= 4
        and is_time(event[1])
        and all(isinstance(part, int) for part in event[2:4])
    ]
