# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host's layers of defence hold, and who is connected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Callable, Mapping, Sequence, TypeVar

from ..clients import fail2ban, hosts_deny, iptables, nftables, nginx, sockets, ufw
from ..clients.command import find, require
from ..clients.sockets import Connection
from ..errors import FirebreakError
from ..moments import utc_now
from .layers import Holding, Layers
from .model import Unseen
from .own_table import FAMILY, TABLE, OwnTable, understand
from .span import span

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Snapshot(Holding):
    """The same with the connections of the addresses in question."""

    connections: tuple[Connection, ...] = ()


def own_blocks() -> Snapshot:
    """Only Firebreak's own table. Raises `Unreachable` when it cannot be read."""
    return Snapshot(now=utc_now(), own=_own_table())


def for_blocking(addresses: Sequence[str]) -> Snapshot:
    """Firebreak's own table and the connections with `addresses`."""
    connections, unseen = _connections(addresses)
    return Snapshot(now=utc_now(), own=_own_table(), connections=connections, unseen=unseen)


def everything() -> Snapshot:
    """Every layer there is, Firebreak's own among them. A foreign one that cannot be read is in `unseen`."""
    own = _own_table() if find("nft") else OwnTable()
    unseen: list[Unseen] = []
    layers = _layers(unseen)
    return Snapshot(utc_now(), own, layers=layers, unseen=tuple(unseen))


def _own_table() -> OwnTable:
    require("nft", "nftables")
    return understand(nftables.table(FAMILY, TABLE))


def _layers(unseen: list[Unseen]) -> Layers:
    tables = (_try(each.name, partial(iptables.read, each), unseen) for each in iptables.VARIANTS)
    return Layers(
        nftables=_try("nft", nftables.ruleset, unseen),
        iptables=tuple(rules for rules in tables if rules is not None),
        ufw=_try("ufw", ufw.read, unseen),
        bans=_try("fail2ban", _bans, unseen) or {},
        hosts_deny=_try("hosts.deny", hosts_deny.read, unseen) or (),
        nginx=_try("nginx", nginx.read, unseen) or (),
    )


def _bans() -> Mapping[str, tuple[fail2ban.Ban, ...]]:
    if not fail2ban.installed():
        return {}
    if not fail2ban.running():
        raise fail2ban.stopped()
    return fail2ban.bans()


def _try(layer: str, read: Callable[[], Answer | None], unseen: list[Unseen]) -> Answer | None:
    try:
        return read()
    except FirebreakError as error:
        unseen.append(Unseen(layer, f"{error.subject}: {error.problem}"))
        return None


def _connections(addresses: Sequence[str]) -> tuple[tuple[Connection, ...], tuple[Unseen, ...]]:
    """The sockets with these peers, and the forwarded flows that no socket here accounts for."""
    seen = sockets.with_peers(addresses)
    known = {(each.protocol, each.peer, each.peer_port) for each in seen.found}
    spans = [span(address) for address in addresses]
    concerned: dict[str, bool] = {}
    forwarded: list[Connection] = []
    for flow in sockets.flows():
        if flow.peer not in concerned:
            peer = span(flow.peer)
            concerned[flow.peer] = any(peer.overlaps(each) for each in spans)
        if concerned[flow.peer] and (flow.protocol, flow.peer, flow.peer_port) not in known:
            forwarded.append(flow)
    unseen = tuple(Unseen("connections", reason) for reason in seen.unseen)
    return (*seen.found, *forwarded), unseen
