# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's tables of sockets, neighbours and addresses, as ss and ip read them, without a program."""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path
from typing import Iterable, Iterator, Mapping, NamedTuple

from ..errors import Unreachable

ROUTE, SOCK_DIAG = 0, 4
_ERROR, _DONE = 2, 3
_GET_ADDRESSES, _GET_NEIGHBOURS, _DIAG_BY_FAMILY = 22, 30, 20
# A request (1) for the whole table (0x300).
_DUMP = 0x301
_HEADER = struct.Struct("=IHHII")
# Family, state; ports in network order; both addresses; queues, owner and inode.
_SOCKET = struct.Struct("=BB2x2s2s16s16s16xII4xI")
_INFO, _INFO_BYTES = 2, 120
_NEIGHBOUR = struct.Struct("=BxHiHBB")
_ADDRESS = struct.Struct("=BBBBI")
# The far end of a link between two, or else the address; and the near end of such a link.
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_MAPPED = b"\0" * 10 + b"\xff\xff"
STATES = (
    "", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT",
    "LAST_ACK", "LISTEN", "CLOSING", "SYN_RECV",
)  # fmt: skip
# TIME_WAIT is counted elsewhere: on a busy server there are more of these than of all others.
_TCP_STATES = 0xFFF & ~(1 << STATES.index("TIME_WAIT"))
_UNCONNECTED = 1 << STATES.index("CLOSE")
NEIGHBOUR_STATES = ((0x20, "FAILED"), (0x01, "INCOMPLETE"), (0x10, "PROBE"), (0x08, "DELAY"), (0x04, "STALE"))
BUFFER = 256 * 1024


class Socket(NamedTuple):
    """Addresses are packed, see `spoken`. Of a listener `queue` waits to be accepted, at most `backlog`.

    `volume` is what the connection carried so far, both ways, in bytes.
    """

    state: str
    local: bytes
    port: int
    peer: bytes
    peer_port: int
    queue: int
    backlog: int
    inode: int
    volume: int


class Neighbour(NamedTuple):
    """`state` is REACHABLE for everything that is not known to be otherwise."""

    address: str
    interface: int
    state: str


class Address(NamedTuple):
    """One address of this host; `interface` is its number, `prefix` how many bits are the network."""

    address: str
    prefix: int
    interface: int


def tcp_sockets(timeout: float) -> Iterator[Socket]:
    """Every TCP socket of this network namespace but those in TIME_WAIT. Raises `Unreachable`."""
    return _sockets(socket.IPPROTO_TCP, _TCP_STATES, timeout)


def udp_listeners(timeout: float) -> Iterator[Socket]:
    """Every UDP socket that takes packets from anybody. Raises `Unreachable`."""
    return _sockets(socket.IPPROTO_UDP, _UNCONNECTED, timeout)


def neighbours(timeout: float) -> Iterator[Neighbour]:
    """The neighbour tables of IPv4 and IPv6. Raises `Unreachable`."""
    for data in _dump(ROUTE, _GET_NEIGHBOURS, b"\0" * _NEIGHBOUR.size, timeout):
        if len(data) < _NEIGHBOUR.size:
            continue
        _family, _pad, interface, bits, _flags, _kind = _NEIGHBOUR.unpack_from(data)
        address = dict(_attributes(data, _NEIGHBOUR.size)).get(1, b"")
        if len(address) in (4, 16):
            state = next((name for bit, name in NEIGHBOUR_STATES if bits & bit), "REACHABLE")
            yield Neighbour(spoken(address), interface, state)


def addresses(timeout: float) -> Iterator[Address]:
    """The own addresses of both families. Raises `Unreachable`."""
    for data in _dump(ROUTE, _GET_ADDRESSES, b"\0" * _ADDRESS.size, timeout):
        if len(data) < _ADDRESS.size:
            continue
        _family, prefix, _flags, _scope, interface = _ADDRESS.unpack_from(data)
        values = dict(_attributes(data, _ADDRESS.size))
        address = values.get(_IFA_LOCAL) or values.get(_IFA_ADDRESS, b"")
        if len(address) in (4, 16):
            yield Address(spoken(address), prefix, interface)


def spoken(address: bytes) -> str:
    """An address as text; what is mapped into IPv6 from IPv4 is written as the latter."""
    if len(address) == 16 and address.startswith(_MAPPED):
        address = address[12:]
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def owners(
    inodes: Iterable[int], seconds: float, proc: Path = Path("/proc")
) -> Mapping[int, tuple[int, str]]:
    """Pid and name of the first process that holds each socket; of other users' only root sees them."""
    wanted, until = set(inodes), time.monotonic() + seconds
    found: dict[int, tuple[int, str]] = {}
    for pid in sorted(int(each.name) for each in proc.iterdir() if each.name.isdigit()):
        if not wanted or time.monotonic() > until:
            break
        folder = f"{proc}/{pid}"
        try:
            with os.scandir(f"{folder}/fd") as descriptors:
                links = [os.readlink(each.path) for each in descriptors]
            held = {int(link[8:-1]) for link in links if link.startswith("socket:[")} & wanted
            if held:
                name = Path(folder, "comm").read_text(errors="replace").strip()
                found.update((inode, (pid, name)) for inode in held)
                wanted -= held
        except (OSError, ValueError):
            continue
    return found


def _sockets(protocol: int, states: int, timeout: float) -> Iterator[Socket]:
    for family, width in ((socket.AF_INET, 4), (socket.AF_INET6, 16)):
        request = struct.pack("=BBBxI48x", family, protocol, 1 << (_INFO - 1), states)
        for data in _dump(SOCK_DIAG, _DIAG_BY_FAMILY, request, timeout):
            if len(data) < _SOCKET.size:
                continue
            _family, state, port, peer_port, local, peer, queue, backlog, inode = _SOCKET.unpack_from(data)
            yield Socket(
                STATES[state] if state < len(STATES) else "",
                local[:width],
                int.from_bytes(port, "big"),
                peer[:width],
                int.from_bytes(peer_port, "big"),
                queue,
                backlog,
                inode,
                _volume(data),
            )


def _volume(data: bytes) -> int:
    info = next((value for kind, value in _attributes(data, _SOCKET.size) if kind == _INFO), b"")
    # Kernels before 4.1 do not count.
    return sum(struct.unpack_from("=QQ", info, _INFO_BYTES)) if len(info) >= _INFO_BYTES + 16 else 0


def _attributes(data: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4:
            return
        yield kind, data[offset + 4 : offset + length]
        offset += (length + 3) & ~3


def _dump(protocol: int, kind: int, payload: bytes, timeout: float) -> Iterator[bytes]:
    """The body of every message of the kernel's answer."""
    until = time.monotonic() + timeout
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol) as channel:
            channel.settimeout(timeout)
            channel.send(_HEADER.pack(_HEADER.size + len(payload), kind, _DUMP, 1, 0) + payload)
            while time.monotonic() < until:
                data, offset = channel.recv(BUFFER), 0
                while offset + _HEADER.size <= len(data):
                    length, answer, _flags, _number, _pid = _HEADER.unpack_from(data, offset)
                    if answer == _DONE:
                        return
                    if answer == _ERROR or length < _HEADER.size:
                        code = -struct.unpack_from("=i", data, offset + _HEADER.size)[0]
                        raise OSError(code, os.strerror(abs(code)))
                    yield data[offset + _HEADER.size : offset + length]
                    offset += (length + 3) & ~3
    except (OSError, struct.error) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise Unreachable(
            "kernel tables of the network", str(problem), "Look by hand: ss -tan, ip neigh."
        ) from error
    raise Unreachable(
        "kernel tables of the network", f"not read within {timeout:g} s", "There are very many: ss -s."
    )
