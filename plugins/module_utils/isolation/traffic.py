# SPDX-License-Identifier: GPL-3.0-or-later
"""Which connections an isolated host keeps, and which it must not have."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Iterable, Sequence

from ..addresses import Network, parse_network
from ..clients.network import OwnAddress
from ..clients.sockets import Connection
from .table import within

HOST = "host"


@dataclass(frozen=True)
class Traffic:
    """Connections by what becomes of them: those of `management` and within this host (`inside`) stay,
    `bridged` ones between containers never pass the table, `foreign` ones must end."""

    management: tuple[Connection, ...] = ()
    inside: tuple[Connection, ...] = ()
    bridged: tuple[Connection, ...] = ()
    foreign: tuple[Connection, ...] = ()


def sort(
    connections: Iterable[Connection],
    own: Sequence[OwnAddress],
    management: Iterable[Network],
    port: int,
    filtered: frozenset[int],
) -> Traffic:
    """`filtered` are the IP versions whose bridged packets pass the table."""
    networks = list(management)
    here = {each.address for each in own}
    bridges = [parse_network(each.network) for each in own if each.of_container_bridge]
    found: dict[str, list[Connection]] = {"management": [], "inside": [], "bridged": [], "foreign": []}
    for each in connections:
        peer = parse_network(each.peer)
        on_host = each.where == HOST
        if _within_itself(each, here):
            kind = "inside"
        elif on_host and each.local_port == port and within(peer, networks):
            kind = "management"
        elif not on_host and peer.version not in filtered and _on_one_bridge(each, peer, here, bridges):
            kind = "bridged"
        else:
            kind = "foreign"
        found[kind].append(each)
    return Traffic(**{kind: tuple(each) for kind, each in found.items()})


def tracked(
    flows: Iterable[Connection],
    own: Sequence[OwnAddress],
    management: Iterable[Network],
    port: int,
) -> tuple[Connection, ...]:
    """The flows that connection tracking should forget. Each is given once, its opener as the peer."""
    networks = list(management)
    here = {each.address for each in own}

    def stays(flow: Connection) -> bool:
        if flow.local_port == port and within(parse_network(flow.peer), networks):
            return True
        return all(end in here or ipaddress.ip_address(end).is_loopback for end in (flow.peer, flow.local))

    return tuple(flow for flow in flows if not stays(flow))


def _within_itself(each: Connection, here: Iterable[str]) -> bool:
    """Over loopback: the host with one of its own addresses, a container with itself."""
    if each.where == HOST:
        return each.peer in here or ipaddress.ip_address(each.peer).is_loopback
    return each.peer == each.local or ipaddress.ip_address(each.peer).is_loopback


def _on_one_bridge(each: Connection, peer: Network, here: Iterable[str], bridges: Sequence[Network]) -> bool:
    if each.peer in here:
        return False
    local = parse_network(each.local)
    return any(within(peer, [bridge]) and within(local, [bridge]) for bridge in bridges)
