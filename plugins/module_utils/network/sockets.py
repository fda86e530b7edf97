# SPDX-License-Identifier: GPL-3.0-or-later
"""Who listens, who is connected, and what state the connections are in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Iterable, Mapping

from ..clients import netlink
from ..clients.netlink import Socket, spoken

OWNER_SECONDS = 0.5
LISTENERS, TALKERS, LEAKED = 200, 10, 500


@dataclass(frozen=True)
class Listener:
    """`queue` connections wait to be accepted, at most `backlog`. `process` is None when it is not seen."""

    protocol: str
    address: str
    port: int
    queue: int
    backlog: int
    inode: int
    pid: int | None = None
    process: str | None = None


@dataclass(frozen=True)
class Talker:
    """One remote address with its connections and the bytes they carried so far, both ways."""

    address: str
    connections: int
    bytes: int


@dataclass(frozen=True)
class Sockets:
    """`states` counts TCP sockets, `leaked` those in CLOSE_WAIT by process, `half_open` SYN_RECV by port."""

    states: Mapping[str, int]
    listeners: tuple[Listener, ...]
    by_connections: tuple[Talker, ...]
    by_bytes: tuple[Talker, ...]
    leaked: Mapping[str, int]
    half_open: Mapping[int, int]


def observe_sockets(timeout: float) -> Sockets:
    """Raises `Unreachable`."""
    tcp, udp = summary(netlink.tcp_sockets(timeout)), list(netlink.udp_listeners(timeout))
    listeners = [*tcp.listeners, *(_listener("udp", each) for each in udp[:LISTENERS])]
    owners = netlink.owners((*(each.inode for each in listeners), *tcp.leaked_inodes), OWNER_SECONDS)
    leaked = Counter(owners[inode][1] if inode in owners else "?" for inode in tcp.leaked_inodes)
    owned = (
        replace(each, pid=owners[each.inode][0], process=owners[each.inode][1])
        if each.inode in owners
        else each
        for each in listeners
    )
    return replace(
        tcp.sockets,
        listeners=tuple(sorted(owned, key=lambda each: (each.protocol, each.port, each.address))),
        leaked=dict(leaked.most_common(5)),
    )


@dataclass(frozen=True)
class Summary:
    """The sockets counted, and what has to be looked up: whose they are."""

    sockets: Sockets
    listeners: tuple[Listener, ...]
    leaked_inodes: tuple[int, ...]


def summary(sockets: Iterable[Socket]) -> Summary:
    states: Counter[str] = Counter()
    half_open: Counter[int] = Counter()
    peers: dict[bytes, list[int]] = {}
    listeners: list[Listener] = []
    leaked: list[int] = []
    for each in sockets:
        states[each.state] += 1
        if each.state == "LISTEN":
            if len(listeners) < LISTENERS:
                listeners.append(_listener("tcp", each))
            continue
        if each.state == "SYN_RECV":
            half_open[each.port] += 1
        elif each.state == "CLOSE_WAIT" and len(leaked) < LEAKED:
            leaked.append(each.inode)
        sums = peers.setdefault(each.peer, [0, 0])
        sums[0] += 1
        sums[1] += each.volume
    talkers = _talkers(peers)
    counted = Sockets(
        states=dict(states),
        listeners=(),
        by_connections=tuple(sorted(talkers, key=lambda each: -each.connections)[:TALKERS]),
        by_bytes=tuple(
            sorted((each for each in talkers if each.bytes), key=lambda each: -each.bytes)[:TALKERS]
        ),
        leaked={},
        half_open=dict(half_open.most_common(5)),
    )
    return Summary(counted, tuple(listeners), tuple(leaked))


def _talkers(peers: Mapping[bytes, list[int]]) -> list[Talker]:
    """The same address over IPv4 and mapped into IPv6 is one; the host itself is none."""
    # Of many thousands only the first few are spelled out.
    first = sorted(peers, key=lambda each: -peers[each][0])[: 4 * TALKERS]
    first += sorted(peers, key=lambda each: -peers[each][1])[: 4 * TALKERS]
    sums: dict[str, list[int]] = {}
    for peer in dict.fromkeys(first):
        address = spoken(peer)
        if not address.startswith("127.") and address not in ("::1", "0.0.0.0", "::"):
            each = sums.setdefault(address, [0, 0])
            each[0] += peers[peer][0]
            each[1] += peers[peer][1]
    return [Talker(address, *counts) for address, counts in sums.items()]


def _listener(protocol: str, each: Socket) -> Listener:
    # A UDP socket's queues are bytes, and nobody waits in them.
    queue, backlog = (each.queue, each.backlog) if protocol == "tcp" else (0, 0)
    return Listener(protocol, spoken(each.local), each.port, queue, backlog, each.inode)
