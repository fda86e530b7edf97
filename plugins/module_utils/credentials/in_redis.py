# SPDX-License-Identifier: GPL-3.0-or-later
"""The password of a Redis or Valkey user: a user may have several, so the old one stays until it is replaced.

Hashes go over the wire wherever the server takes them: they are what it stores.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from typing import Any, Callable, Iterator

from ..clients import redis
from ..clients.redis import AuthRefused, Login, Redis
from ..deadlines import Deadline
from ..errors import FirebreakError, IdentityChanged
from ..redis.server import Server, session
from .model import Account, Holder

SECONDS = 10.0
ENDED_WITHIN, PAUSE = 3.0, 0.05
DEFAULT = "default"


@dataclass(frozen=True)
class _User:
    flags: frozenset[str]
    hashes: frozenset[str]


class RedisHolder(Holder):
    def __init__(self, server: Server, user: str, pause: Callable[[float], None] = time.sleep) -> None:
        self._server, self._user, self._pause = server, user, pause
        self._before: frozenset[str] = frozenset()
        self._new: str | None = None

    def look(self) -> Account:
        with self._session() as connection:
            user = self._read(connection)
            if user is None:
                return Account(problem="there is no such user")
            sessions = len(list(self._others(connection)))
            run = redis.info(connection.execute("INFO", "server")).get("run_id", "")
        problem = None
        if "on" not in user.flags:
            problem = "the user is off"
        elif "nopass" in user.flags or not user.hashes:
            problem = "the user has no password"
        return Account(run, len(user.hashes), sessions, problem)

    def begin(self, identity: str) -> None:
        with self._session() as connection:
            run = redis.info(connection.execute("INFO", "server")).get("run_id", "")
            user = self._read(connection)
        if user is None or run != identity:
            raise IdentityChanged(
                f"redis user {self._user}", "the server was restarted meanwhile", "Look again."
            )
        self._before = user.hashes

    def add(self, new: str) -> None:
        with self._session() as connection:
            connection.execute("ACL", "SETUSER", self._user, f"#{_hash(new)}")
        self._new = new

    def accepts(self, secret: str) -> bool | None:
        login = Login(secret, None if self._user == DEFAULT else self._user)
        try:
            with session(replace(self._server, login=login), Deadline(SECONDS).remaining) as connection:
                return True if connection.open_to_all else connection.execute("PING") == "PONG"
        except AuthRefused:
            return False
        except redis.NotPermitted:
            return True

    def take_back(self) -> None:
        new, self._new = self._new, None
        with self._session() as connection:
            user = self._read(connection)
            if user is not None:
                self._remove(connection, user.hashes - self._before)
            if new is not None:
                connection.hide(new)

    def drop_old(self) -> None:
        new = self._new or ""
        with self._session() as connection:
            connection.hide(new)
            user = self._read(connection)
            if user is None:
                raise FirebreakError(f"redis user {self._user}", "it is gone", "Find out who removed it.")
            self._remove(connection, user.hashes - {_hash(new)})
            for setting in ("requirepass", "masterauth"):
                self._follow(connection, setting, new)
            user = self._read(connection)
        if user is None or user.hashes != {_hash(new)} or "nopass" in user.flags:
            raise FirebreakError(
                f"redis user {self._user}", "it has other passwords than the new one", "See ACL GETUSER."
            )

    def persist(self) -> str | None:
        with self._session() as connection:
            connection.hide(self._new or "")
            commands = [("CONFIG", "REWRITE")]
            if _setting(connection, "aclfile"):
                # The users are in a file of their own, requirepass stays in the configuration.
                commands = [("ACL", "SAVE")]
                if self._user == DEFAULT and _setting(connection, "requirepass"):
                    commands.append(("CONFIG", "REWRITE"))
            for words in commands:
                try:
                    connection.execute(*words)
                except redis.ServerError as error:
                    return f"{' '.join(words)}: {error.problem}"
        return None

    def end_sessions(self) -> int | None:
        """All of them: which of two valid secrets a client has shown, the server does not know."""
        with self._session() as connection:
            before = set(self._others(connection))
            for kind in ("normal", "pubsub"):
                connection.execute("CLIENT", "KILL", "USER", self._user, "TYPE", kind, "SKIPME", "yes")
            end = time.monotonic() + ENDED_WITHIN
            left = before & set(self._others(connection))
            while left and time.monotonic() < end:
                self._pause(PAUSE)
                left = before & set(self._others(connection))
        if left:
            raise FirebreakError(
                f"redis user {self._user}",
                f"{len(left)} connections from before the change live on",
                "End them by hand: CLIENT KILL USER.",
            )
        return len(before)

    def _session(self) -> Redis:
        server = self._server
        if server.login.password and (server.login.user or DEFAULT) == self._user and self._new is not None:
            server = replace(server, login=replace(server.login, password=self._new))
        return session(server, Deadline(SECONDS).remaining)

    def _read(self, connection: Redis) -> _User | None:
        try:
            answer = connection.execute("ACL", "GETUSER", self._user)
        except redis.NotPermitted:
            raise
        except redis.ServerError as error:
            raise FirebreakError(
                error.subject,
                f"it has no users: {error.problem}",
                "Before version 6 there is one password for everybody; change requirepass by hand.",
            ) from error
        if not isinstance(answer, list):
            return None
        found = dict(zip(answer[::2], answer[1::2]))
        return _User(frozenset(found.get("flags") or ()), frozenset(found.get("passwords") or ()))

    def _remove(self, connection: Redis, hashes: frozenset[str] | set[str]) -> None:
        if hashes:
            connection.execute("ACL", "SETUSER", self._user, *(f"!{one}" for one in sorted(hashes)))

    def _follow(self, connection: Redis, setting: str, new: str) -> None:
        """The same secret in the configuration: for the default user, and towards a master."""
        value = _setting(connection, setting)
        if value and self._user == DEFAULT and _hash(value) in self._before:
            connection.hide(value)
            connection.execute("CONFIG", "SET", setting, new)

    def _others(self, connection: Redis) -> Iterator[str]:
        """The ids of the user's connections but for this one; replicas and masters are not people's."""
        own = str(connection.execute("CLIENT", "ID"))
        for line in str(connection.execute("CLIENT", "LIST")).splitlines():
            client = dict(_pairs(line))
            if (
                client.get("user") == self._user
                and client.get("id") != own
                and not set("SM") & set(client.get("flags", ""))
            ):
                yield client["id"]


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    for part in line.split():
        name, _equals, value = part.partition("=")
        yield name, value


def _setting(connection: Redis, name: str) -> str:
    answer: Any = connection.execute("CONFIG", "GET", name)
    return str(answer[1]) if isinstance(answer, list) and len(answer) == 2 else ""


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
