# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out one act at a time on the firewall; everything that serves as an undo may be done twice."""

from __future__ import annotations

from typing import Any, Mapping

from ..addresses import ALWAYS, Protected
from ..clients import hosts_deny, iptables, nftables, nginx, sockets, ufw
from ..clients.line_file import Edit
from ..clients.network import protected_here
from ..errors import IdentityChanged
from ..lifecycle import Performer
from .own_table import FAMILY, TABLE, VERSIONS, OwnTable, blocking, lifting, understand

Identity = Mapping[str, Any]


def performers(protected: Protected | None = None) -> Mapping[str, Performer]:
    """The performers with the networks that every block must leave reachable.

    Without them (an undo knows no context) what is allowed already stays so, beside what this host
    itself cannot do without.
    """
    return {**PERFORM, "firewall.block": lambda identity: _block(identity, protected)}


def _own_table() -> OwnTable:
    return understand(nftables.table(FAMILY, TABLE))


def _block(identity: Identity, protected: Protected | None) -> None:
    address, seconds = str(identity["address"]), int(identity["seconds"])
    table = _own_table()
    if protected is None:
        kept = dict.fromkeys(table.allowed, "it is allowed already")
        protected = Protected.of(kept, protected_here(), ALWAYS)
    # The table lets protected addresses pass first: a block of one would only look like one.
    because = protected.why(address)
    if because is not None:
        raise IdentityChanged(f"address {address}", f"it is protected now: {because}", "It was not blocked.")
    expected = set(identity.get("replaces", ()))
    inside = {element.address for element in table.inside(address)}
    if inside - expected:
        raise IdentityChanged(
            f"network {address}",
            f"{len(inside - expected)} more blocks lie inside it than when this was planned",
            "Run it again.",
        )
    holding = table.holding(address)
    if table.armed and holding is not None and holding.address != address:
        if holding.seconds >= seconds:
            return
        raise IdentityChanged(
            f"address {address}", f"it lies in {holding.address}, which is blocked since", "Run it again."
        )
    allowed = {version: list(protected.only(version)) for version in VERSIONS}
    nftables.apply(blocking(table, allowed, [(address, seconds)], inside))


def _unblock(identity: Identity) -> None:
    restore = [(str(each["address"]), int(each["seconds"])) for each in identity.get("restore", ())]
    script = lifting(_own_table(), str(identity["address"]), restore)
    if script:
        nftables.apply(script)


def _disconnect(identity: Identity) -> None:
    sockets.kill(str(identity["address"]))


def _delete_nft_rule(identity: Identity) -> None:
    place = identity["family"], identity["table"], identity["chain"]
    rules = dict(nftables.chain_rules(*place))
    text = rules.get(identity["handle"])
    if text is None:
        return
    if text != identity["rule"]:
        raise IdentityChanged(
            f"nftables rule {' '.join(place)} handle {identity['handle']}",
            f"it reads {text!r} now, and read {identity['rule']!r}",
            "Look at it again with ip_block_info.",
        )
    nftables.apply(f"delete rule {' '.join(place)} handle {identity['handle']}\n")


def _add_nft_rule(identity: Identity) -> None:
    place = " ".join((identity["family"], identity["table"], identity["chain"]))
    rules = nftables.chain_rules(identity["family"], identity["table"], identity["chain"])
    if any(text == identity["rule"] for _handle, text in rules):
        return
    if identity["index"] < len(rules):
        nftables.apply(f"insert rule {place} index {identity['index']} {identity['rule']}\n")
    else:
        nftables.apply(f"add rule {place} {identity['rule']}\n")


def _delete_nft_element(identity: Identity) -> None:
    nftables.delete_element(identity["family"], identity["table"], identity["set"], identity["element"])


def _add_nft_element(identity: Identity) -> None:
    seconds = identity.get("seconds")
    timeout = f" timeout {max(1, round(seconds))}s" if seconds else ""
    value = f" : {identity['value']}" if identity.get("value") else ""
    place = f"{identity['family']} {identity['table']} {identity['set']}"
    nftables.apply(f"add element {place} {{ {identity['element']}{timeout}{value} }}\n")


def _delete_iptables_rule(identity: Identity) -> None:
    iptables.delete(identity["variant"], identity["table"], identity["spec"])


def _add_iptables_rule(identity: Identity) -> None:
    place = identity["variant"], identity["table"], identity["index"]
    iptables.insert(*place, spec=identity["spec"], above=identity.get("above"))


def _delete_ufw_rule(identity: Identity) -> None:
    ufw.delete(identity["spec"])


def _add_ufw_rule(identity: Identity) -> None:
    ufw.insert(identity["number"], identity["spec"])


def _edit_hosts_deny(identity: Identity) -> None:
    hosts_deny.edit(Edit.of(identity))


def _edit_nginx(identity: Identity) -> None:
    nginx.edit(Edit.of(identity))


PERFORM: Mapping[str, Performer] = {
    "firewall.block": lambda identity: _block(identity, None),
    "firewall.unblock": _unblock,
    "firewall.disconnect": _disconnect,
    "firewall.delete_nft_rule": _delete_nft_rule,
    "firewall.add_nft_rule": _add_nft_rule,
    "firewall.delete_nft_element": _delete_nft_element,
    "firewall.add_nft_element": _add_nft_element,
    "firewall.delete_iptables_rule": _delete_iptables_rule,
    "firewall.add_iptables_rule": _add_iptables_rule,
    "firewall.delete_ufw_rule": _delete_ufw_rule,
    "firewall.add_ufw_rule": _add_ufw_rule,
    "firewall.edit_hosts_deny": _edit_hosts_deny,
    "firewall.edit_nginx": _edit_nginx,
}
