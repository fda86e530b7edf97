# SPDX-License-Identifier: GPL-3.0-or-later
"""One server, asked everything in one go; a second time only where something is wrong already."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Mapping, Sequence

from ..clients import redis
from ..clients.redis import Address, AuthRefused, Busy, Full, NotPermitted, Redis, Word
from ..deadlines import Deadline
from ..errors import FirebreakError, Unreachable
from .server import Located, NotRunning, Server, locate

INTERVAL = 0.25
SETTINGS = ("maxclients", "save", "stop-writes-on-bgsave-error", "slowlog-log-slower-than")
SLOW_ENTRIES = 128
# Errors that a healthy server never answers to a writer.
WRITE_ERRORS = ("OOM", "MISCONF", "READONLY", "NOREPLICAS")

# Commands whose first argument is a script or a secret.
SILENT = ("EVAL", "EVAL_RO", "EVALSHA", "EVALSHA_RO", "FUNCTION", "AUTH", "HELLO", "ECHO", "PING")
NO_DIGITS = str.maketrans("123456789", "000000000")
LONGEST_KIND = 24
# Thousands of years from now, and still a date.
LAST_SECOND = 1 << 37

UNREACHABLE, AUTH, CLIENTS, BUSY = "unreachable", "auth", "clients", "busy"


@dataclass(frozen=True)
class Slow:
    """One entry of the slow log: `time` in seconds since 1970 by the server's clock."""

    time: int
    seconds: float
    command: str


@dataclass(frozen=True)
class Problem:
    """Why nothing more is known: `kind` is unreachable, auth, clients or busy."""

    kind: str
    reason: str


@dataclass(frozen=True)
class Snapshot:
    """`info` is INFO as the server writes it; `later` is the same `interval` seconds afterwards, where
    something was wrong. `config` and `slow` hold what the user may see. `now` as the times of `slow`.
    """

    subject: str
    address: str
    configured: bool
    problem: Problem | None = None
    ping_seconds: float = 0.0
    open_to_all: bool = False
    now: int = 0
    info: Mapping[str, str] = field(default_factory=dict)
    later: Mapping[str, str] | None = None
    interval: float = INTERVAL
    config: Mapping[str, str] = field(default_factory=dict)
    slow: tuple[Slow, ...] = ()


def observe(
    server: Server, deadline: Deadline, pause: Callable[[float], None] = time.sleep
) -> Snapshot | None:
    """None when there is no server to look at."""
    try:
        located = locate(server, deadline.remaining)
    except NotRunning as error:
        return Snapshot(error.subject, "", True, Problem(UNREACHABLE, error.problem))
    if located is None:
        return None
    for number, address in enumerate(located.addresses, 1):
        try:
            return _look(located, address, server, deadline, pause)
        except (AuthRefused, NotPermitted) as error:
            return _failed(located, address, server, AUTH, error)
        except Full as error:
            return _failed(located, address, server, CLIENTS, error)
        except Busy as error:
            return _failed(located, address, server, BUSY, error)
        except FirebreakError as error:
            if number == len(located.addresses):
                return _failed(located, address, server, UNREACHABLE, error)
    return None


def _failed(located: Located, address: Address, server: Server, kind: str, error: FirebreakError) -> Snapshot:
    return Snapshot(located.subject, str(address), server.configured, Problem(kind, error.problem))


def _look(
    located: Located, address: Address, server: Server, deadline: Deadline, pause: Callable[[float], None]
) -> Snapshot:
    with redis.connect(address, server.login, deadline.remaining) as connection:
        seen = ask(connection, located.subject, address, server.configured)
        if not suspicious(seen.info):
            return seen
        pause(INTERVAL)
        return replace(seen, later=again(connection))


def ask(connection: Redis, subject: str, address: Address, configured: bool) -> Snapshot:
    """The first look, without `later`. Raises `Unreachable`, `ServerError`."""
    started = time.monotonic()
    connection.pipeline([("PING",)])
    ping = time.monotonic() - started
    asked: list[tuple[Word, ...]] = [("INFO",), ("TIME",), ("SLOWLOG", "GET", SLOW_ENTRIES)]
    asked += [("CONFIG", "GET", name) for name in SETTINGS]
    info, now, slow, *settings = connection.pipeline(asked)
    if isinstance(info, FirebreakError):
        raise info
    if not isinstance(info, str) or "redis_version" not in info:
        raise Unreachable(subject, "what it answers is not Redis", "See what listens there.")
    return Snapshot(
        subject=subject,
        address=str(address),
        configured=configured,
        ping_seconds=ping,
        open_to_all=connection.open_to_all,
        now=_seconds(now),
        info=redis.info(info),
        config=config(settings),
        slow=tuple(_slow(slow)) if isinstance(slow, list) else (),
    )


def again(connection: Redis) -> Mapping[str, str]:
    """Whether writers are refused or keys evicted now, only two looks can tell."""
    answer = connection.execute("INFO")
    if not isinstance(answer, str):
        raise Unreachable("redis", "what it answers to INFO makes no sense", "See what listens there.")
    return redis.info(answer)


def is_time(value: Any) -> bool:
    """Whether it can be meant as seconds since 1970."""
    return isinstance(value, int) and 0 <= value < LAST_SECOND


def suspicious(info: Mapping[str, str]) -> bool:
    return info.get("evicted_keys", "0") != "0" or any(f"errorstat_{code}" in info for code in WRITE_ERRORS)


def config(answers: Sequence[Any]) -> dict[str, str]:
    """A list of name and value each; an error where the user may not ask."""
    return {str(pair[0]): str(pair[1]) for pair in answers if isinstance(pair, list) and len(pair) == 2}


def _slow(entries: Sequence[Any]) -> list[Slow]:
    """Each is a list: id, time, microseconds, arguments, and from version 4 the client."""
    return [
        Slow(entry[1], entry[2] / 1e6, _shown(entry[3]))
        for entry in entries
        if isinstance(entry, list)
        and len(entry) >= 4
        and is_time(entry[1])
        and isinstance(entry[2], int)
        and isinstance(entry[3], list)
    ]


def _seconds(now: Any) -> int:
    """Of the answer to TIME."""
    told = str(now[0]) if isinstance(now, list) and now else ""
    return int(told) if told.isascii() and told.isdigit() and len(told) < 12 else 0


def _shown(words: Sequence[Any]) -> str:
    """The command and what its first key begins with: the rest of it may be somebody's session."""
    command = redis.shown(str(words[0])[:32]) if words else ""
    if len(words) < 2 or command.upper() in SILENT:
        return command
    first, colon, _rest = redis.shown(str(words[1])[:40]).partition(":")
    # What names one of its kind has digits, or is long.
    kind = first.translate(NO_DIGITS).partition("0")[0][:LONGEST_KIND]
    return f"{command} {kind}{'' if kind == first else '…'}{':…' if colon and kind == first else ''}"
