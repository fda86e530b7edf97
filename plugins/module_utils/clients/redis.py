# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis and Valkey, spoken to in their own protocol over a plain socket: nothing has to be installed.

Both versions of the protocol are understood; version 2 is asked for, because every server speaks it.
"""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence, Union

from ..errors import FirebreakError, Unreachable
from . import tcp
from .trust import system_trust

PORT = 6379
REPLY_BUDGET = 16 * 1024 * 1024
DEPTH = 16
_CHUNK = 65536
# Numbers have 64 bits, and a sign.
_DIGITS, _MOST = 21, 1 << 63

# str, int, None, or a list of replies; what a map holds comes as one list of keys and values.
Reply = Any
Word = Union[str, int]


@dataclass(frozen=True)
class Address:
    """`socket` is a path and wins over host and port. The certificate of a TLS server is verified."""

    host: str = "127.0.0.1"
    port: int = PORT
    socket: str | None = None
    tls: bool = False

    def __str__(self) -> str:
        if self.socket:
            return self.socket
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Login:
    """Who to be. Without a `password` nothing is said, without a `user` it is the default one."""

    password: str | None = field(default=None, repr=False)
    user: str | None = None


class ServerError(FirebreakError):
    """The server's answer to a command was an error; `code` is its first word."""

    code = "ERR"


class AuthRefused(Unreachable):
    """The password is missing or wrong, or the user does not exist or is off."""


class Full(Unreachable):
    """The server has as many clients as it takes."""


class NotPermitted(ServerError):
    """The user may not do this."""


class Loading(ServerError):
    """The server reads its data from disk and answers nothing else yet."""


class WritesFail(ServerError):
    """The server takes no writes because it cannot save them (MISCONF)."""


class ReadOnly(ServerError):
    """This is a replica."""


class OutOfMemory(ServerError):
    """maxmemory is reached and nothing may be evicted."""


class Busy(ServerError):
    """A script or a function does not end, and nothing else is answered meanwhile."""


_ERRORS: Mapping[str, tuple[type[ServerError], str]] = {
    "NOPERM": (NotPermitted, "Use a user with more rights (ACL SETUSER), or the default one."),
    "LOADING": (Loading, "Wait until it has read its data."),
    "MISCONF": (WritesFail, "See its log for why it cannot save, usually a full disk."),
    "READONLY": (ReadOnly, "Write to its master."),
    "OOM": (OutOfMemory, "Free memory or raise maxmemory."),
    "BUSY": (Busy, "SCRIPT KILL or FUNCTION KILL ends it, unless it has written already."),
}
_AUTH = ("NOAUTH", "WRONGPASS")
NO_PASSWORD_SET = "without any password configured"


class Redis:
    """One connection. `remaining` says how many seconds are left for whatever is waited for next."""

    def __init__(self, address: Address, remaining: Callable[[], float], budget: int = REPLY_BUDGET) -> None:
        self._subject = f"redis {address}"
        self._remaining, self._budget = remaining, budget
        self._left = budget
        self._buffer = bytearray()
        self._secrets: list[str] = []
        # Whether the server, against what was expected, asks for no password at all.
        self.open_to_all = False
        self._channel = self._connected(address)

    def __enter__(self) -> Redis:
        return self

    def __exit__(self, *_error: object) -> None:
        self._channel.close()

    def hide(self, secret: str) -> str:
        """Take this out of every message from now on."""
        self._secrets.append(secret)
        return secret

    def login(self, login: Login) -> None:
        """Raises `AuthRefused`. A server that has no password takes any: see `open_to_all`."""
        if not login.password:
            return
        self.hide(login.password)
        who = (login.user, login.password) if login.user else (login.password,)
        (answer,) = self.pipeline([("AUTH", *who)])
        if isinstance(answer, FirebreakError):
            if NO_PASSWORD_SET not in answer.problem:
                raise AuthRefused(answer.subject, answer.problem, _auth_cure(login))
            self.open_to_all = True

    def execute(self, *words: Word) -> Reply:
        """One command, one reply. Raises `ServerError` when that is an error."""
        (answer,) = self.pipeline([words])
        if isinstance(answer, FirebreakError):
            raise answer
        return answer

    def pipeline(self, commands: Sequence[Sequence[Word]]) -> list[Reply]:
        """All commands in one go. An error is the reply to its command and stops no other one.

        A connection that breaks, or does not answer in time, raises `Unreachable`.
        """
        try:
            self._channel.settimeout(self._remaining())
            # Who is turned away at the door is told so, and what he still says is not heard.
            with contextlib.suppress(ConnectionError):
                self._channel.sendall(b"".join(_packed(words) for words in commands))
            self._left = self._budget
            return [self._reply(0) for _word in commands]
        except socket.timeout:
            raise self._unreachable(
                "it did not answer in time", "See what it does: its log, its CPU."
            ) from None
        except OSError as error:
            cure = "See that it runs, and whether it wants TLS."
            raise self._unreachable(str(error.strerror or error), cure) from error

    def _connected(self, address: Address) -> socket.socket:
        try:
            if address.socket:
                channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                return self._opened(channel, address.socket)
            return self._over_tcp(address)
        except socket.timeout:
            raise self._unreachable("it did not answer in time", "See that it runs.") from None
        except OSError as error:
            cure = "See that it runs and listens."
            if "CERTIFICATE_VERIFY" in str(error):
                cure = "See its certificate, and whom this host trusts."
            raise self._unreachable(str(error.strerror or error), cure) from error

    def _over_tcp(self, address: Address) -> socket.socket:
        answers, problem = tcp.resolve(address.host, address.port, self._remaining())
        if not answers:
            raise self._unreachable(problem or "its name has no address", "See the name and the resolver.")
        failure: OSError = OSError("no address")
        for family, kind, protocol, _name, where in answers:
            try:
                channel = self._opened(socket.socket(family, kind, protocol), where)
                return _encrypted(channel, address.host) if address.tls else channel
            except OSError as error:
                failure = error
        raise failure

    def _opened(self, channel: socket.socket, where: Any) -> socket.socket:
        try:
            channel.settimeout(self._remaining())
            channel.connect(where)
        except OSError:
            channel.close()
            raise
        return channel

    def _reply(self, depth: int) -> Reply:
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind in "+,(":
            return rest
        if kind == ":":
            return self._number(rest)
        if kind == "_":
            return None
        if kind == "#":
            return int(rest == "t")
        if kind in "-!":
            return self._error(rest if kind == "-" else self._bytes(self._number(rest)))
        if kind in "$=":
            size = self._number(rest)
            return None if size < 0 else self._bytes(size)
        if kind in "*~>%|" and depth < DEPTH:
            items = self._number(rest) * (2 if kind in "%|" else 1)
            found = None if items < 0 else self._items(items, depth)
            # Attributes come before the reply that they belong to, a push between two replies.
            return self._reply(depth + 1) if kind in "|>" else found
        raise self._unreachable("what it answers is not Redis", "See what listens there.")

    def _items(self, count: int, depth: int) -> list[Reply]:
        self._spend(count)
        return [self._reply(depth + 1) for _item in range(count)]

    def _error(self, text: str) -> FirebreakError:
        text = shown(text)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        code = text.partition(" ")[0]
        if code in _AUTH or "invalid password" in text:
            return AuthRefused(self._subject, text, _auth_cure(Login()))
        if "max number of clients" in text:
            raise Full(self._subject, text, "End idle clients or raise maxclients.")
        if code == "DENIED":
            problem = "it is in protected mode and talks to loopback only"
            raise AuthRefused(self._subject, problem, "Set a password, or come over loopback.")
        kind, cure = _ERRORS.get(code, (ServerError, "See the documentation of the command."))
        error = kind(self._subject, text, cure)
        error.code = code
        return error

    def _number(self, text: str) -> int:
        with contextlib.suppress(ValueError):
            number = int(text[:_DIGITS])
            if len(text) < _DIGITS and -_MOST <= number < _MOST:
                return number
        raise self._unreachable("what it answers is not Redis", "See what listens there.")

    def _line(self) -> str:
        while b"\r\n" not in self._buffer:
            # A line this long is no line.
            if len(self._buffer) > _CHUNK:
                raise self._unreachable("what it answers is not Redis", "See what listens there.")
            self._receive()
        end = self._buffer.index(b"\r\n")
        # A list takes memory for each of its items, however short they are.
        self._spend(end + 2)
        line = self._taken(end).decode("utf-8", "surrogateescape")
        self._taken(2)
        return line or " "

    def _bytes(self, size: int) -> str:
        self._spend(size)
        while len(self._buffer) < size + 2:
            self._receive()
        # A key need not be text; sent back, it must be the same key.
        text = self._taken(size).decode("utf-8", "surrogateescape")
        self._taken(2)
        return text

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise self._unreachable(f"its answer is larger than {self._budget} bytes", "Ask for less.")

    def _receive(self) -> None:
        self._channel.settimeout(self._remaining())
        data = self._channel.recv(_CHUNK)
        if not data:
            raise self._unreachable("it closed the connection", "See its log.")
        self._buffer += data

    def _unreachable(self, problem: str, cure: str) -> Unreachable:
        return Unreachable(self._subject, problem, cure)


def connect(address: Address, login: Login, remaining: Callable[[], float]) -> Redis:
    """A connection that is logged in; use it in a `with`. Raises `Unreachable`, `AuthRefused`."""
    connection = Redis(address, remaining)
    try:
        connection.login(login)
    except FirebreakError:
        connection.__exit__()
        raise
    return connection


def shown(text: str) -> str:
    """A key as a person may see it: what is no text in it is written as its bytes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def info(text: str) -> dict[str, str]:
    """The answer to INFO, without its headings."""
    pairs = (line.partition(":") for line in text.splitlines() if not line.startswith("#"))
    return {name: value.strip() for name, colon, value in pairs if colon}


def fields(value: str) -> dict[str, str]:
    """A line of INFO that holds several values: `keys=5,expires=0`."""
    pairs = (part.partition("=") for part in value.split(","))
    return {name: number for name, equals, number in pairs if equals}


def _packed(words: Sequence[Word]) -> bytes:
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = str(word).encode("utf-8", "surrogateescape")
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def _encrypted(plain: socket.socket, host: str) -> socket.socket:
    try:
        return system_trust().wrap_socket(plain, server_hostname=host)
    except OSError:
        plain.close()
        raise


def _auth_cure(login: Login) -> str:
    if login.password:
        return f"See the password of the {login.user or 'default'} user in firebreak_redis."
    return "Give its password, and its user when it is not the default one, in firebreak_redis."
