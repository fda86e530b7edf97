# SPDX-License-Identifier: GPL-3.0-or-later
"""What this host knows of its own network: addresses, gateways, resolvers, the responder's connection."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Mapping

from ..addresses import ALWAYS, Protected
from . import netlink

CONTAINER_BRIDGES = ("docker", "br-", "cni", "podman", "lxcbr", "virbr", "veth")
# A route that says that there is none.
_REJECT = 0x0200
RESOLV_CONF, UPSTREAM_CONF = "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"
ADDRESS_SECONDS = 5.0
# The service discard: whatever arrives there is thrown away.
DISCARD = 9


@dataclass(frozen=True)
class Responder:
    """The SSH connection this process runs under: the far end, and the port of this host it came in by.

    A port is 0 when sshd did not say it.
    """

    address: str
    port: int
    host_port: int


@dataclass(frozen=True)
class OwnAddress:
    """One address of one interface of this host."""

    interface: str
    address: str
    prefix: int

    @property
    def of_container_bridge(self) -> bool:
        return self.interface.startswith(CONTAINER_BRIDGES)

    @property
    def network(self) -> str:
        return str(ipaddress.ip_network(f"{self.address}/{self.prefix}", strict=False))


@dataclass(frozen=True)
class Route:
    """A default route; `gateway` is None when everybody beyond is reached directly."""

    family: int
    device: str
    gateway: str | None


def needed_here() -> dict[str, str]:
    """Addresses without which nothing works here, each with the reason."""
    found = dict.fromkeys(_gateways(), "it is the default gateway")
    for path in (RESOLV_CONF, UPSTREAM_CONF):
        for server in nameservers(path):
            found.setdefault(server.partition("%")[0], "it is a name server of this host")
    peer = responder_address()
    return {**found, **({peer: "it is where you are connected from"} if peer else {})}


def protected_here() -> dict[str, str]:
    """The same with the addresses of this host itself. Raises `Unreachable`."""
    return {**needed_here(), **dict(_own_networks())}


def protected_by(site: Mapping[str, str]) -> Protected:
    """Everything that nothing is done against; `site` is what inventory and controller say.

    The most telling reason comes first. Raises `Unreachable`.
    """
    return Protected.of(ALWAYS, protected_here(), site)


def responder_address() -> str | None:
    """The other end of the SSH connection this process runs under; None on a local connection."""
    found = responder()
    return found.address if found else None


def responder() -> Responder | None:
    """The SSH connection this process runs under; None on a local connection.

    sudo clears the environment, so the answer is looked for in the ancestors' as well.
    """
    pid = os.getpid()
    while pid > 1:
        found = _ssh_connection(pid)
        if found:
            return found
        pid = _parent(pid)
    return None


def leaves(address: str, mark: int = 0) -> bool:
    """Whether an empty datagram to an address leaves this host: False when no route or rule lets it.

    It carries `mark` for the rules to know it by, which takes root.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            if mark:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
            probe.sendto(b"", (address, DISCARD))
    except OSError:
        return False
    return True


def _ssh_connection(pid: int) -> Responder | None:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    for variable in variables:
        name, _equals, value = variable.partition(b"=")
        fields = value.decode("ascii", "replace").split()
        if name in (b"SSH_CONNECTION", b"SSH_CLIENT") and fields:
            # Far address, far port, then (in the first of the two) near address, then near port.
            ports = [int(field) if field.isdigit() else 0 for field in fields[1:]] or [0]
            return Responder(fields[0], ports[0], ports[-1])
    return None


def _parent(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return 0
    # The program's name stands in parentheses and may itself hold any character.
    return int(status.rpartition(")")[2].split()[1])


def own_addresses() -> list[OwnAddress]:
    """Every address of this host, loopback's too. Raises `Unreachable`."""
    names = dict(socket.if_nameindex())
    return [
        OwnAddress(names[own.interface], own.address, own.prefix)
        for own in netlink.addresses(ADDRESS_SECONDS)
        if own.interface in names
    ]


def _own_networks() -> Iterator[tuple[str, str]]:
    """This host's own addresses, and the whole networks of its container bridges."""
    for own in own_addresses():
        if own.of_container_bridge:
            yield own.network, f"it is the container network on {own.interface}"
        elif own.interface != "lo":
            yield own.address, "it is this host's own address"


def default_routes() -> Iterator[Route]:
    """Where everything goes that is not near, IPv4 and IPv6."""
    for line in _lines("/proc/net/route")[1:]:
        fields = line.split()
        # Whatever the mask: a VPN takes everything over with 0.0.0.0/1, which counts as well.
        if fields[1] == "00000000" and not int(fields[3], 16) & _REJECT:
            gateway = socket.inet_ntoa(struct.pack("=I", int(fields[2], 16)))
            yield Route(4, fields[0], gateway if gateway != "0.0.0.0" else None)
    for line in _lines("/proc/net/ipv6_route"):
        fields = line.split()
        if fields[0] == "0" * 32 and fields[1] == "00" and not int(fields[8], 16) & _REJECT:
            gateway = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[4]))
            yield Route(6, fields[9], gateway if gateway != "::" else None)


def _gateways() -> Iterator[str]:
    return (route.gateway for route in default_routes() if route.gateway)


def nameservers(path: str) -> list[str]:
    """Those that a resolv.conf names."""
    fields = (line.split() for line in _lines(path))
    return [line[1] for line in fields if len(line) > 1 and line[0] == "nameserver"]


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return []
