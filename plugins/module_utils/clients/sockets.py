# SPDX-License-Identifier: GPL-3.0-or-later
"""Live connections of this host and of the containers on it, through ss, and how they are ended."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Iterator, Mapping, Sequence

from ..addresses import canonical
from ..errors import FirebreakError
from .command import Completed, find, require, run

# Every namespace costs two processes: as many are looked into as fit in this time, the rest is named.
NAMESPACE_DEADLINE = 20.0
ADDRESSES_AT_ONCE = 200
CONNTRACK_BUDGET = 64 * 1024 * 1024
CONNTRACK = Path("/proc/net/nf_conntrack")
# What carries data or is about to. TIME-WAIT and its like are memories of a connection.
LIVE = frozenset({"ESTAB", "SYN-RECV", "CLOSE-WAIT", "FIN-WAIT-1"})
EVERYBODY = ("0.0.0.0/0", "::/0")
CONNECTIONS_AT_ONCE = 100
FORGET_DEADLINE = 5.0
_FLOW = re.compile(r"\bsrc=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)")


@dataclass(frozen=True)
class Connection:
    """`where` is `host`, `pid 4242` for the network namespace of that process, or `conntrack`."""

    protocol: str
    peer: str
    peer_port: int
    local: str
    local_port: int
    where: str


@dataclass(frozen=True)
class Connections:
    """`unseen` says what could not be looked into, and why."""

    found: tuple[Connection, ...] = ()
    unseen: tuple[str, ...] = ()


def with_peers(addresses: Sequence[str]) -> Connections:
    """The live connections with these addresses or networks, in this namespace and the containers'."""
    if not addresses:
        return Connections()
    found: list[Connection] = []
    unseen: list[str] = []
    for where, prefix in _places(unseen):
        for start in range(0, len(addresses), ADDRESSES_AT_ONCE):
            part = addresses[start : start + ADDRESSES_AT_ONCE]
            answer = _ss(where, prefix, "-Htun", part, unseen)
            found.extend(parse(answer, where))
    return Connections(tuple(found), tuple(unseen))


def kill(address: str) -> None:
    """End every connection with an address or network, here and in the containers' namespaces."""
    unseen: list[str] = []
    for where, prefix in _places(unseen):
        _ss(where, prefix, "-KHtun", [address], unseen)
    conntrack = find("conntrack")
    if conntrack:
        family = "ipv6" if ":" in address else "ipv4"
        for side in ("--orig-src", "--orig-dst"):
            # It answers 1 when there was nothing to delete.
            run([conntrack, "-D", "-f", family, side, address])
    if unseen:
        raise FirebreakError(
            f"connections with {address}", "; ".join(unseen), "The connections there were not ended."
        )


def end(connections: Sequence[Connection]) -> None:
    """End just these TCP connections where they are; one that is gone already is no error."""
    unseen: list[str] = []
    by_place: dict[str, list[Connection]] = {}
    for each in connections:
        by_place.setdefault(each.where, []).append(each)
    for where, prefix in _places(unseen) if by_place else ():
        mine = by_place.get(where, ())
        for start in range(0, len(mine), CONNECTIONS_AT_ONCE):
            part = mine[start : start + CONNECTIONS_AT_ONCE]
            ends = ((_spelled(c.local, c.local_port), _spelled(c.peer, c.peer_port)) for c in part)
            terms = [f"( src {local} and dst {peer} )" for local, peer in ends]
            run([*prefix, require("ss", "iproute2"), "-KHtn", "state", "connected", " or ".join(terms)])


def forget(flows: Iterable[Connection]) -> None:
    """Take flows out of connection tracking, as many as there is time for and where the tool is there."""
    conntrack = find("conntrack")
    deadline = time.monotonic() + FORGET_DEADLINE
    for flow in flows if conntrack else ():
        if time.monotonic() > deadline:
            return
        ends = ["--orig-src", flow.peer, "--orig-dst", flow.local]
        ports = ["--sport", str(flow.peer_port), "--dport", str(flow.local_port)]
        run([str(conntrack), "-D", "-p", flow.protocol, *ends, *ports])


def listening() -> tuple[int, ...]:
    """The TCP ports of this host that listen on more than loopback. Raises `Unreachable`."""
    answer = run([require("ss", "iproute2"), "-Htln"])
    fields = (line.split() for line in answer.stdout.splitlines())
    ends = {_endpoint(each[3].replace("*:", "0.0.0.0:")) for each in fields if len(each) > 3}
    return tuple(sorted({port for host, port in ends if not host.startswith("127.") and host != "::1"}))


def flows() -> Iterator[Connection]:
    """Both ends of every flow that the kernel tracks, forwarded ones included; none when it tracks none.

    Each flow is given twice, once with either end as the peer: which one is meant, the asker knows.
    """
    try:
        with CONNTRACK.open("rb") as stream:
            text = stream.read(CONNTRACK_BUDGET).decode("ascii", "replace")
    except OSError:
        return
    yield from parse_flows(text)


def parse(text: str, where: str) -> Iterator[Connection]:
    """The answer of `ss -Htun state connected`: protocol, state, two queues, local end and peer."""
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 6 or fields[1] not in LIVE:
            continue
        local, local_port = _endpoint(fields[4])
        peer, peer_port = _endpoint(fields[5])
        yield Connection(fields[0], peer, peer_port, local, local_port, where)


def parse_flows(text: str) -> Iterator[Connection]:
    """/proc/net/nf_conntrack: established TCP, and UDP that was answered."""
    spelled: dict[str, str] = {}
    for line in text.splitlines():
        fields = line.split(maxsplit=3)
        alive = " ESTABLISHED " in line or (len(fields) > 2 and fields[2] == "udp" and "[ASSURED]" in line)
        flow = _FLOW.search(line) if alive else None
        if flow is None:
            continue
        source, target = (_canonical(address, spelled) for address in flow.group(1, 2))
        source_port, target_port = int(flow[3]), int(flow[4])
        yield Connection(fields[2], source, source_port, target, target_port, "conntrack")
        yield Connection(fields[2], target, target_port, source, source_port, "conntrack")


def _canonical(address: str, spelled: dict[str, str]) -> str:
    if address not in spelled:
        spelled[address] = canonical(address)
    return spelled[address]


def _endpoint(text: str) -> tuple[str, int]:
    host, _colon, port = text.rpartition(":")
    address = host.strip("[]").partition("%")[0]
    return canonical(address), int(port) if port.isdigit() else 0


def _spelled(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _ss(where: str, prefix: Sequence[str], options: str, addresses: Sequence[str], unseen: list[str]) -> str:
    terms = " or ".join(f"dst [{address}]" if ":" in address else f"dst {address}" for address in addresses)
    argv = [*prefix, require("ss", "iproute2"), options, "state", "connected", f"( {terms} )"]
    answer = run(argv, timeout=10.0)
    if answer.ok and not answer.truncated:
        return answer.stdout
    if not (prefix and _gone(where)):
        unseen.append(f"{where}: {_problem(answer)}")
    return ""


def _problem(answer: Completed) -> str:
    return "more connections than can be read" if answer.truncated else answer.complaint


def _gone(where: str) -> bool:
    return not Path("/proc", where.partition(" ")[2]).exists()


def _places(unseen: list[str]) -> Iterator[tuple[str, list[str]]]:
    """This namespace, then one process of each other one, with what runs a program there."""
    yield "host", []
    others = _namespaces(unseen)
    if not others:
        return
    nsenter = find("nsenter")
    if nsenter is None:
        unseen.append(f"{len(others)} other network namespaces: nsenter (package util-linux) is missing")
        return
    deadline = time.monotonic() + NAMESPACE_DEADLINE
    for done, pid in enumerate(others.values()):
        if time.monotonic() > deadline:
            unseen.append(f"{len(others) - done} network namespaces: no time was left for them")
            return
        yield f"pid {pid}", [nsenter, f"--net=/proc/{pid}/ns/net", "--"]


def _namespaces(unseen: list[str]) -> Mapping[int, int]:
    """The network namespaces other than this one, each with a process that lives in it."""
    own = Path("/proc/self/ns/net").stat().st_ino
    found: dict[int, int] = {}
    denied = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            namespace = (entry / "ns" / "net").stat().st_ino
        except PermissionError:
            denied += 1
            continue
        except OSError:
            continue
        if namespace != own:
            found.setdefault(namespace, int(entry.name))
    if denied:
        unseen.append(f"{denied} processes of other users: run as root (become: true)")
    return found
