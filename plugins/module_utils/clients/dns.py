# SPDX-License-Identifier: GPL-3.0-or-later
"""Name servers asked directly, all at once, and the name service that the host's programs use."""

from __future__ import annotations

import os
import selectors
import socket
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Mapping, Sequence

from .network import RESOLV_CONF, UPSTREAM_CONF, nameservers

A, NS = 1, 2
PORT = 53
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
RCODES: Mapping[int, str] = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
HOSTS = Path("/etc/hosts")
# glibc reads no more than these.
SERVERS = 3
STUB = "127.0.0.53"
FILE_BUDGET = 1024 * 1024
ANSWER_BUDGET = 64 * 1024
# What getaddrinfo says when somebody answered, and the answer is that there is no such name.
MISSING = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


@dataclass(frozen=True)
class Question:
    """`kind` is the record type; `name` is absolute, `.` the root."""

    server: str
    name: str
    kind: int = A


@dataclass(frozen=True)
class Reply:
    """`rcode` is None when nothing came back, and `error` says why. `addresses` are those of A records."""

    question: Question
    seconds: float
    rcode: int | None = None
    addresses: tuple[str, ...] = ()
    error: str | None = None

    @property
    def resolved(self) -> bool:
        """Whether the server gave an answer; that there is no such name is one."""
        return self.rcode in (NOERROR, NXDOMAIN)

    @property
    def said(self) -> str:
        return self.error or RCODES.get(self.rcode or 0, f"code {self.rcode}")


@dataclass(frozen=True)
class Lookup:
    """What the name service said; `failed` when nobody could answer, which is not "no such name"."""

    name: str
    seconds: float
    addresses: tuple[str, ...] = ()
    error: str | None = None
    failed: bool = False


@dataclass(frozen=True)
class Configured:
    """`servers` are what programs ask, `upstreams` those that systemd-resolved asks for them."""

    servers: tuple[str, ...]
    upstreams: tuple[str, ...] = ()


def configured() -> Configured:
    """Without a configuration the C library asks this very host."""
    servers = tuple(nameservers(RESOLV_CONF)[:SERVERS]) or ("127.0.0.1",)
    return Configured(servers, tuple(nameservers(UPSTREAM_CONF)[:SERVERS]) if STUB in servers else ())


def in_hosts_file(name: str) -> tuple[str, ...]:
    """The addresses that /etc/hosts gives a name."""
    found = (line.partition("#")[0].split() for line in _lines(HOSTS))
    return tuple(fields[0] for fields in found if name.lower() in (each.lower() for each in fields[1:]))


def look_up(name: str, timeout: float) -> Lookup:
    """Ask the name service as any program does. It knows no deadline, so it may be left behind."""
    started = time.monotonic()
    found: list[Lookup] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            failed = error.errno not in MISSING
            found.append(Lookup(name, time.monotonic() - started, error=error.strerror, failed=failed))
        except (OSError, UnicodeError) as error:
            found.append(Lookup(name, time.monotonic() - started, error=str(error), failed=True))
        else:
            addresses = tuple(sorted({str(answer[4][0]) for answer in answers}))
            found.append(Lookup(name, time.monotonic() - started, addresses))

    worker = threading.Thread(target=ask, daemon=True)
    worker.start()
    worker.join(timeout)
    return found[0] if found else Lookup(name, timeout, error=f"no answer within {timeout:g} s", failed=True)


def ask(questions: Sequence[Question], timeout: float) -> tuple[Reply, ...]:
    """Every question at once over UDP, and again over TCP where the answer did not fit. Never raises."""
    started = time.monotonic()
    replies: dict[Question, Reply] = {}
    with selectors.DefaultSelector() as selector:
        for question in dict.fromkeys(questions):
            problem = _sent(question, selector)
            if problem:
                replies[question] = Reply(question, 0.0, error=problem)
        while selector.get_map():
            ready = selector.select(max(0.0, started + timeout - time.monotonic()))
            if not ready:
                break
            for key, _events in ready:
                _receive(key, selector, replies, started, timeout)
        for key in list(selector.get_map().values()):
            _close(key, selector)
    late = f"no answer within {timeout:g} s"
    return tuple(replies.get(each) or Reply(each, timeout, error=late) for each in dict.fromkeys(questions))


def message(question: Question, number: int) -> bytes:
    """The query on the wire."""
    labels = [label.encode("idna") for label in question.name.split(".") if label]
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + name + struct.pack("!2H", question.kind, 1)


def parse(answer: bytes, query: bytes) -> tuple[int, bool, tuple[str, ...]] | None:
    """Code, whether it was cut off, and the A records; None for what is no answer to this query."""
    if len(answer) < 12 or answer[:2] != query[:2] or not answer[2] & 0x80:
        return None
    if answer[4:6] == b"\0\1" and answer[12 : len(query)].lower() != query[12:].lower():
        return None
    count = struct.unpack_from("!H", answer, 6)[0]
    try:
        addresses = tuple(_addresses(answer, len(query), count))
    except (OSError, struct.error, IndexError):
        return None
    return answer[3] & 0x0F, bool(answer[2] & 0x02), addresses


def _addresses(answer: bytes, offset: int, count: int) -> Iterator[str]:
    for _number in range(min(count, 256)):
        if offset >= len(answer):
            return
        while answer[offset] and answer[offset] < 0xC0:
            offset += answer[offset] + 1
        offset += 2 if answer[offset] else 1
        kind, _class, _ttl, length = struct.unpack_from("!HHIH", answer, offset)
        offset += 10
        if kind == A and length == 4:
            yield socket.inet_ntoa(answer[offset : offset + 4])
        offset += length


def _sent(question: Question, selector: selectors.BaseSelector) -> str | None:
    """Why it could not even be sent, or None."""
    family = socket.AF_INET6 if ":" in question.server else socket.AF_INET
    channel = socket.socket(family, socket.SOCK_DGRAM)
    try:
        query = message(question, int.from_bytes(os.urandom(2), "big"))
        channel.setblocking(False)
        # Connected, so that only this server can answer, and an ICMP error reaches us.
        channel.connect((question.server, PORT))
        channel.send(query)
    except (OSError, UnicodeError, ValueError) as error:
        channel.close()
        return str(getattr(error, "strerror", None) or error)
    selector.register(channel, selectors.EVENT_READ, (question, query))
    return None


def _receive(
    key: selectors.SelectorKey,
    selector: selectors.BaseSelector,
    replies: dict[Question, Reply],
    started: float,
    timeout: float,
) -> None:
    question, query = key.data
    try:
        seen = parse(os.read(key.fd, ANSWER_BUDGET), query)
        if seen is None:
            return
        if seen[1]:
            whole = _over_tcp(question, query, max(0.05, started + timeout - time.monotonic()))
            seen = parse(whole, query) or seen
        reply = Reply(question, time.monotonic() - started, seen[0], seen[2])
    except OSError as error:
        reply = Reply(question, time.monotonic() - started, error=str(error.strerror or error))
    replies[question] = reply
    _close(key, selector)


def _over_tcp(question: Question, query: bytes, timeout: float) -> bytes:
    """Empty when that way is barred: what UDP brought is an answer all the same."""
    try:
        with socket.create_connection((question.server, PORT), timeout) as channel:
            channel.settimeout(timeout)
            channel.sendall(struct.pack("!H", len(query)) + query)
            data = b""
            while len(data) < 2 or len(data) < 2 + struct.unpack_from("!H", data)[0]:
                part = channel.recv(ANSWER_BUDGET)
                if not part:
                    break
                data += part
            return data[2:]
    except OSError:
        return b""


def _close(key: selectors.SelectorKey, selector: selectors.BaseSelector) -> None:
    selector.unregister(key.fileobj)
    if isinstance(key.fileobj, socket.socket):
        key.fileobj.close()


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as stream:
            return stream.read(FILE_BUDGET).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
