# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves the levers: one at a time, on the process that was looked at, from the value that was seen."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping

from ...clients.redis import Redis, ServerError
from ...deadlines import Deadline
from ...errors import Declined, FirebreakError, IdentityChanged
from ...lifecycle import Performer
from ...quantities import speak_size
from ..entry import SECONDS, WayIn
from ..figures import Info
from ..observe import again
from ..server import session
from .levers import counted
from .removal import EXPIRE, NO_LIMIT, PERSIST, UNLINK, Tally, Work, carry_out

# For all keys of a pattern; each step of it has SECONDS.
WORKING_SECONDS = 1800.0
# So many keys more than were counted may be in a database that is emptied: users do not stop meanwhile.
GROWTH_SHARE, GROWTH_KEYS = 0.01, 100
MAXMEMORY = "maxmemory"


@dataclass
class Levers:
    """`work` is what was done to keys, `moment` and `spread` say when those of `redis.ttl` expire."""

    way_in: WayIn
    moment: int = 0
    spread: int = 1
    work: list[Tally] = field(default_factory=list)

    def configure(self, identity: Mapping[str, Any]) -> None:
        name, old, new = identity["setting"], identity["from"], identity["to"]
        with self._same_process(identity) as connection:
            _held_to(connection, name, old)
            if name == MAXMEMORY:
                _keep_above_use(connection, int(new))
            _configure(connection, name, new)

    def set_back(self, identity: Mapping[str, Any]) -> None:
        """After a restart too: what counts is that nobody has chosen another value since."""
        name, old, new = identity["setting"], identity["from"], identity["to"]
        with self._connection(identity) as connection:
            _of_a_master(connection)
            current = _setting(connection, name)
            if current not in (old, new):
                raise IdentityChanged(name, f"somebody has set it to {current} since", "Look again.")
            if current == new and current != old:
                if name == MAXMEMORY:
                    _keep_above_use(connection, int(old))
                _configure(connection, name, old)
            if identity["rewrite"]:
                _rewrite(connection)

    def persist(self, identity: Mapping[str, Any]) -> None:
        with self._same_process(identity) as connection:
            _held_to(connection, identity["setting"], identity["value"])
            try:
                _rewrite(connection)
            except ServerError as error:
                raise Declined(
                    identity["file"],
                    f"the server could not write it ({error.problem})",
                    "Set it there by hand.",
                ) from error

    def purge(self, identity: Mapping[str, Any]) -> None:
        with self._same_process(identity) as connection:
            connection.execute("MEMORY", "PURGE")

    def ttl(self, identity: Mapping[str, Any]) -> None:
        with self._same_process(identity, WORKING_SECONDS) as connection:
            self._work(connection, EXPIRE, identity, self.moment, self.spread)

    def ttl_remove(self, identity: Mapping[str, Any]) -> None:
        """Only of keys that expire when we said so, to the moment that their name decides."""
        with self._connection(identity, WORKING_SECONDS) as connection:
            _of_a_master(connection)
            work = {**identity, "types": []}
            tally = self._work(connection, PERSIST, work, identity["at"], identity["spread"])
            if not tally.whole:
                raise FirebreakError(
                    f"keys {identity['pattern']}",
                    f"the time was over with {tally.done} of them done, and the others still expire",
                    "Repeat the undo.",
                )

    def unlink(self, identity: Mapping[str, Any]) -> None:
        with self._same_process(identity, WORKING_SECONDS) as connection:
            self._work(connection, UNLINK, identity)

    def flush(self, identity: Mapping[str, Any]) -> None:
        database, keys = identity["database"], identity["keys"]
        with self._same_process(identity) as connection:
            _select(connection, database)
            now = connection.execute("DBSIZE")
            if not isinstance(now, int) or now > keys + max(GROWTH_KEYS, keys * GROWTH_SHARE):
                raise IdentityChanged(
                    f"database {database}", f"it has {now} keys by now, and had {keys}", "Look again."
                )
            connection.execute("FLUSHDB", "ASYNC")

    def _work(
        self, connection: Redis, verb: str, identity: Mapping[str, Any], at: int = 0, spread: int = 1
    ) -> Tally:
        _select(connection, identity["database"])
        limits = [identity.get(name) for name in ("max_keys", "max_bytes")]
        keys, size = (NO_LIMIT if limit is None else limit for limit in limits)
        work = Work(verb, identity["pattern"], identity["types"], keys, size, at, spread, identity["cluster"])
        tally = Tally()
        self.work.append(tally)
        try:
            carry_out(connection, work, WORKING_SECONDS, tally)
        except FirebreakError as error:
            raise FirebreakError(
                error.subject, f"{error.problem}; {tally.done} keys were done before", error.cure
            ) from error
        return tally

    @contextmanager
    def _connection(self, identity: Mapping[str, Any], seconds: float = 0.0) -> Iterator[Redis]:
        """For `seconds` of work. An answer that comes a byte at a time comes to an end as well."""
        deadline = Deadline(seconds + 2 * SECONDS)
        with session(self.way_in(identity), lambda: deadline.remaining(SECONDS)) as connection:
            yield connection

    @contextmanager
    def _same_process(self, identity: Mapping[str, Any], seconds: float = 0.0) -> Iterator[Redis]:
        """A connection to the very process that the act was planned for, which is a master still."""
        with self._connection(identity, seconds) as connection:
            if _of_a_master(connection).text("run_id") != identity["run_id"]:
                raise IdentityChanged("redis", "the server was restarted or is another one", "Look again.")
            yield connection


def performers(levers: Levers) -> Mapping[str, Performer]:
    """For what `decide` plans, and for what takes it back."""
    return {
        "redis.expire_effort": levers.configure,
        "redis.maxmemory": levers.configure,
        "redis.policy": levers.configure,
        "redis.set_back": levers.set_back,
        "redis.persist": levers.persist,
        "redis.purge": levers.purge,
        "redis.ttl": levers.ttl,
        "redis.ttl.remove": levers.ttl_remove,
        "redis.unlink": levers.unlink,
        "redis.flush": levers.flush,
    }


def _of_a_master(connection: Redis) -> Info:
    info = Info(again(connection))
    if info.text("role") == "slave":
        raise IdentityChanged("redis", "it is a replica by now", "Act on its master.")
    return info


def _setting(connection: Redis, name: str) -> str:
    answer = connection.execute("CONFIG", "GET", name)
    if not isinstance(answer, list) or len(answer) != 2:
        raise Declined(name, "the server does not know it", "Nothing was changed.")
    return str(answer[1])


def _held_to(connection: Redis, name: str, value: str) -> None:
    current = _setting(connection, name)
    if current != value:
        raise IdentityChanged(name, f"it is {current} by now, and was {value}", "Look again.")


def _configure(connection: Redis, name: str, value: str) -> None:
    try:
        connection.execute("CONFIG", "SET", name, value)
    except ServerError as error:
        raise Declined(name, error.problem, error.cure) from error
    current = _setting(connection, name)
    if current != value:
        # Something was done, so that this is no refusal: undo has to know of it.
        raise FirebreakError(name, f"it was set to {value} and is {current}", "See who else sets it.")


def _keep_above_use(connection: Redis, limit: int) -> None:
    used = counted(Info(again(connection)))
    if 0 < limit < used:
        raise Declined(
            MAXMEMORY,
            f"{speak_size(used)} are in use: {speak_size(limit)} would refuse writes or throw out keys",
            "Free memory first.",
        )


def _rewrite(connection: Redis) -> None:
    connection.execute("CONFIG", "REWRITE")


def _select(connection: Redis, database: int) -> None:
    # A node of a cluster and some managed servers have no other one and no SELECT.
    if database:
        connection.execute("SELECT", database)
