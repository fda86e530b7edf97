# SPDX-License-Identifier: GPL-3.0-or-later
"""The nftables table that isolates a host: the script that makes it, and what is left of it when read back.

A drop is final in whichever chain of a hook it falls, so the table needs no place among the other rule
sets and touches none of them. What is let through goes by addresses and ports, never by a connection's
state: that way nothing that was established before goes on. forward covers what containers send and
what is published from them, whatever Docker accepts. postrouting says again what output says, for a
packet that output saw on its way to loopback may have been turned elsewhere since (DNAT of own traffic).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Sequence

from ..addresses import Network, parse_network
from ..clients.nftables import Rule, Ruleset
from .name import FAMILY, TABLE

# Before connection tracking: what is dropped leaves no trace in it, and nobody else's counters move.
PRIORITY = -300
VERSIONS = (4, 6)
_REST = ("counter", "drop")
# What the host itself sends to see that nothing gets out; it falls like the rest and does not count.
MARK = 0xFB
_REST_OUT = (f"mark != {MARK} counter", "drop")
# Neighbour discovery and routers' announcements come from the same link only, group membership as well:
# without it a switch that watches it stops handing on the host's neighbour solicitations after minutes.
_LINK_IN = (
    "icmpv6 type {nd-router-advert,nd-neighbor-solicit,nd-neighbor-advert} ip6 hoplimit 255 accept",
    "icmpv6 type mld-listener-query ip6 hoplimit 1 accept",
    # A router on the way that takes only smaller packets; without it long answers over SSH get stuck.
    "icmpv6 type packet-too-big accept",
    "icmp type destination-unreachable icmp code 4 accept",
    # A host whose address is lent over DHCPv6 loses it otherwise, and with it the way in over IPv6. DHCP of
    # IPv4 goes past every table in the end.
    "ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept",
)
_LINK_OUT = (
    "icmpv6 type {nd-router-solicit,nd-neighbor-solicit,nd-neighbor-advert} ip6 hoplimit 255 accept",
    "icmpv6 type {mld-listener-report,mld2-listener-report} ip6 hoplimit 1 accept",
    "ip6 daddr ff02::1:2 udp sport 546 udp dport 547 accept",
)
# nft writes one thing in several ways, by version.
_SAME = {"frag-needed": "4"}


_COUNTING = (_REST[0], _REST_OUT[0])


@dataclass(frozen=True)
class Table:
    """What stands in the kernel.

    `management` may reach `port`; `faults` say in what the rules are not ours; `dropped` counts packets
    by chain.
    """

    management: frozenset[Network] = frozenset()
    port: int = 0
    faults: tuple[str, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)


def collapse(networks: Iterable[Network]) -> list[Network]:
    """The fewest networks that hold the same addresses, IPv4 first."""
    found: list[Network] = []
    every = list(networks)
    v4 = [network for network in every if isinstance(network, ipaddress.IPv4Network)]
    v6 = [network for network in every if isinstance(network, ipaddress.IPv6Network)]
    found.extend(ipaddress.collapse_addresses(v4))
    found.extend(ipaddress.collapse_addresses(v6))
    return found


def within(network: Network, others: Iterable[Network]) -> bool:
    """Whether one of the others holds the whole of a network."""
    first, last = int(network.network_address), int(network.broadcast_address)
    return any(
        network.version == other.version
        and int(other.network_address) <= first
        and last <= int(other.broadcast_address)
        for other in others
    )


def definition(management: Sequence[Network], port: int) -> str:
    """The script that makes the table anew in one transaction, whatever stood there before."""
    lines = [f"table {FAMILY} {TABLE}", f"delete table {FAMILY} {TABLE}", f"table {FAMILY} {TABLE} {{"]
    for version in VERSIONS:
        elements = ", ".join(str(network) for network in management if network.version == version)
        filled = f"; elements = {{ {elements} }}" if elements else ""
        lines.append(f"  set management{version} {{ type ipv{version}_addr; flags interval{filled}; }}")
    for chain, rules in _rules(port).items():
        lines += [f"  chain {chain} {{", f"    type filter hook {chain} priority {PRIORITY}; policy drop;"]
        lines += [f"    {rule}" for rule in rules] + ["  }"]
    return "\n".join([*lines, "}"]) + "\n"


def understand(found: Ruleset | None) -> Table | None:
    """From nft's answer; None when there is no such table."""
    if found is None:
        return None
    chains = {name: [_words(rule) for rule in found.rules if rule.chain == name] for name in _rules(0)}
    port = _port(chains["input"])
    faults: list[str] = []
    placed = {chain.name: (chain.hook, chain.priority) for chain in found.chains}
    for name, wanted in _rules(port).items():
        if placed.get(name) != (name, PRIORITY):
            faults.append(f"chain {name} is missing or stands elsewhere")
        elif chains[name] != list(wanted):
            faults += _differences(name, chains[name], wanted)
    sets = {each.name: each.elements for each in found.sets}
    elements = [raw for version in VERSIONS for raw in sets.get(f"management{version}", ())]
    return Table(
        management=frozenset(collapse(network for raw in elements for network in _networks(raw))),
        port=port,
        faults=tuple(faults),
        dropped={rule.chain: _packets(rule) for rule in found.rules if _words(rule) in _COUNTING},
    )


def _rules(port: int) -> Mapping[str, tuple[str, ...]]:
    inward = tuple(
        f"{ip} saddr @management{version} tcp dport {port} accept" for ip, version in (("ip", 4), ("ip6", 6))
    )
    # Answers only: the host opens no connection from that port.
    outward = tuple(
        f"{ip} daddr @management{version} tcp sport {port} tcp flags & (syn|ack) != syn accept"
        for ip, version in (("ip", 4), ("ip6", 6))
    )
    out = ("oif lo accept", *outward, *_LINK_OUT, *_REST_OUT)
    return {
        "input": ("iif lo accept", *inward, *_LINK_IN, *_REST),
        "forward": _REST,
        "output": out,
        "postrouting": out,
    }


def _port(rules: Sequence[str]) -> int:
    for rule in rules:
        words = rule.split()
        if words[:5] == ["ip", "saddr", "@management4", "tcp", "dport"] and words[5].isdigit():
            return int(words[5])
    return 0


def _differences(chain: str, found: Sequence[str], wanted: Sequence[str]) -> list[str]:
    added = [f"chain {chain} has {rule!r}, which is not ours" for rule in found if rule not in wanted]
    lost = [f"chain {chain} has lost {rule!r}" for rule in wanted if rule not in found]
    return added + lost or [f"the rules of chain {chain} stand in another order"]


def _networks(raw: Any) -> Iterable[Network]:
    if isinstance(raw, str):
        return [parse_network(raw)]
    if "prefix" in raw:
        return [parse_network(f"{raw['prefix']['addr']}/{raw['prefix']['len']}")]
    first, last = (ipaddress.ip_address(end) for end in raw["range"])
    return list(ipaddress.summarize_address_range(first, last))


def _packets(rule: Rule) -> int:
    for statement in rule.expr:
        if "counter" in statement:
            return int((statement["counter"] or {}).get("packets", 0))
    return 0


def _words(rule: Rule) -> str:
    """A rule of ours in the spelling of `_rules`; anything else comes out as something else."""
    words: list[str] = []
    for statement in rule.expr:
        if "match" not in statement:
            words += list(statement)
            continue
        match = statement["match"]
        operator = [] if match["op"] == "==" else [match["op"]]
        words += [_operand(match["left"]), *operator, _operand(match["right"])]
    return " ".join(words)


def _operand(value: Any) -> str:
    if isinstance(value, dict):
        if "payload" in value:
            return f"{value['payload'].get('protocol')} {value['payload'].get('field')}"
        if "prefix" in value:
            return f"{value['prefix'].get('addr')}/{value['prefix'].get('len')}"
        if "meta" in value:
            return str(value["meta"].get("key"))
        if "set" in value:
            return "{" + ",".join(_operand(each) for each in value["set"]) + "}"
        if "&" in value:
            return " & ".join(_operand(each) for each in value["&"])
        if "|" in value:
            return _operand(value["|"])
        return str(value)
    if isinstance(value, list):
        return "(" + "|".join(_operand(each) for each in value) + ")"
    return _SAME.get(str(value), str(value))
