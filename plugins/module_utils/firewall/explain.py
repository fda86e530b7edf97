# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an address is kept out: the blocks of every layer, each reported once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Iterator, Sequence

from ..plan import Undo
from . import from_iptables, from_nft, from_services
from .layers import Holding, Layers
from .model import EXACT, OWN_LAYER, Block, Removal, Unseen
from .own_table import FAMILY, TABLE, Element
from .scope import Wanted
from .span import is_address, span

# fail2ban's own nftables action names its table and chains like this.
_FAIL2BAN_PLACES = (" f2b-", "chain f2b-")
# A block that ends this soon is put back for as long as the shortest block there is.
SHORTEST_SECONDS = 60


def own(snapshot: Holding) -> list[Block]:
    """Everything that Firebreak itself blocks, whoever asks."""
    if not snapshot.own.armed:
        return []
    return [_own_block(element.address, element, EXACT, snapshot.now) for element in snapshot.own.blocked]


def explain(snapshot: Holding, addresses: Sequence[str]) -> list[Block]:
    """Every block of one of the addresses: Firebreak's own first, then fail2ban's, then the others'."""
    wanted = [Wanted.of(address) for address in addresses]
    layers = snapshot.layers
    found = list(_own(snapshot, wanted))
    bans = list(from_services.fail2ban_blocks(layers.bans, wanted))
    banned = {(block.asked, span(block.address)) for block in bans}
    found += bans
    for block in _foreign(layers, wanted, snapshot.now):
        kept_by_fail2ban = any(place in block.where for place in _FAIL2BAN_PLACES)
        known = kept_by_fail2ban and is_address(block.address)
        if not (known and (block.asked, span(block.address)) in banned):
            found.append(block)
    return found


def unseen(snapshot: Holding) -> list[Unseen]:
    """What could not be read, members of ipsets included."""
    names = sorted({name for rules in snapshot.layers.iptables for name in from_iptables.sets_in_use(rules)})
    sets = [Unseen("ipset", f"the members of {name} were not looked at: ipset list {name}") for name in names]
    return [*snapshot.unseen, *sets]


def _own(snapshot: Holding, wanted: Sequence[Wanted]) -> Iterator[Block]:
    elements = [(element, span(element.address)) for element in snapshot.own.blocked]
    for each in wanted:
        for element, held in elements:
            scope = each.scope(held)
            if scope is not None and snapshot.own.armed:
                yield _own_block(each.address, element, scope, snapshot.now)


def _own_block(asked: str, element: Element, scope: str, now: datetime) -> Block:
    again = max(SHORTEST_SECONDS, round(element.seconds))
    removal = Removal(
        "firewall.unblock",
        {"address": element.address},
        Undo("firewall.block", {"address": element.address, "seconds": again}),
    )
    return Block(
        asked=asked,
        address=element.address,
        layer=OWN_LAYER,
        where=f"{FAMILY} {TABLE}",
        rule=f"drop from and to {element.address}",
        scope=scope,
        until=now + timedelta(seconds=element.seconds),
        packets=element.packets,
        removal=removal if scope == EXACT else None,
    )


def _foreign(layers: Layers, wanted: Sequence[Wanted], now: datetime) -> Iterator[Block]:
    if layers.ufw is not None:
        yield from from_services.ufw_blocks(layers.ufw, wanted)
    # An inactive ufw holds nothing, and what stands in its chains then is somebody else's.
    ufw_speaks = layers.ufw is not None and layers.ufw.active
    for rules in layers.iptables:
        yield from from_iptables.blocks(rules, wanted, from_iptables.UFW_CHAINS if ufw_speaks else ())
    if layers.nftables is not None:
        told = {
            ("ip" if rules.variant.family == 4 else "ip6", table)
            for rules in layers.iptables
            if not rules.variant.legacy
            for table in rules.tables
        }
        yield from from_nft.blocks(layers.nftables, wanted, now, told)
    yield from from_services.hosts_deny_blocks(layers.hosts_deny, wanted)
    yield from from_services.nginx_blocks(layers.nginx, wanted)
