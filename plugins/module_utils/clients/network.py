# SPDX-License-Identifier: GPL-3.0-or-later
"""What this host knows of its own network: addresses, gateways, resolvers, the responder's connection."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import struct
from pathlib import Path
from typing import Iterator, Mapping

from ..addresses import ALWAYS, Protected
from ..errors import Unreachable
from .command import find, run

CONTAINER_BRIDGES = ("docker", "br-", "cni", "podman", "lxcbr", "virbr", "veth")
RESOLVER_FILES = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")


def protected_here() -> dict[str, str]:
    """Addresses that this host cannot do without, each with the reason. Raises `Unreachable`."""
    found: dict[str, str] = {}
    peer = responder_address()
    if peer:
        found[peer] = "it is where you are connected from"
    for network, reason in _own_networks():
        found.setdefault(network, reason)
    for gateway in _gateways():
        found.setdefault(gateway, "it is the default gateway")
    for resolver in _resolvers():
        found.setdefault(resolver, "it is a name server of this host")
    return found


def protected_by(site: Mapping[str, str]) -> Protected:
    """Everything that nothing is done against; `site` is what inventory and controller say.

    The most telling reason comes first. Raises `Unreachable`.
    """
    return Protected.of(ALWAYS, protected_here(), site)


def responder_address() -> str | None:
    """The other end of the SSH connection this process runs under; None on a local connection.

    sudo clears the environment, so the answer is looked for in the ancestors' as well.
    """
    pid = os.getpid()
    while pid > 1:
        peer = _ssh_peer(pid)
        if peer:
            return peer
        pid = _parent(pid)
    return None


def _ssh_peer(pid: int) -> str | None:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    for variable in variables:
        name, _equals, value = variable.partition(b"=")
        if name in (b"SSH_CONNECTION", b"SSH_CLIENT") and value:
            return value.split()[0].decode("ascii", "replace")
    return None


def _parent(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return 0
    # The program's name stands in parentheses and may itself hold any character.
    return int(status.rpartition(")")[2].split()[1])


def _own_networks() -> Iterator[tuple[str, str]]:
    """This host's own addresses, and the whole networks of its container bridges."""
    ip = find("ip")
    if ip is None:
        raise Unreachable("program ip", "it is not on this host", "It comes with the package iproute2.")
    answer = run([ip, "-json", "address", "show"])
    if not answer.ok:
        raise Unreachable(
            "program ip", answer.complaint, "Own addresses must be known before one is blocked."
        )
    for link in json.loads(answer.stdout):
        for address in link.get("addr_info", ()):
            if "local" not in address or link["ifname"] == "lo":
                continue
            if link["ifname"].startswith(CONTAINER_BRIDGES):
                network = ipaddress.ip_network(f"{address['local']}/{address['prefixlen']}", strict=False)
                yield str(network), f"it is the container network on {link['ifname']}"
            else:
                yield address["local"], "it is this host's own address"


def _gateways() -> Iterator[str]:
    for line in _lines("/proc/net/route")[1:]:
        fields = line.split()
        if fields[1] == "00000000" and fields[2] != "00000000":
            yield socket.inet_ntoa(struct.pack("=I", int(fields[2], 16)))
    for line in _lines("/proc/net/ipv6_route"):
        fields = line.split()
        if fields[0] == "0" * 32 and fields[1] == "00" and fields[4] != "0" * 32:
            yield socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[4]))


def _resolvers() -> Iterator[str]:
    for path in RESOLVER_FILES:
        for line in _lines(path):
            fields = line.split()
            if len(fields) > 1 and fields[0] == "nameserver":
                yield fields[1].partition("%")[0]


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return []
