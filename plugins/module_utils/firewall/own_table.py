# SPDX-License-Identifier: GPL-3.0-or-later
"""Firebreak's own nftables table: what stands in it, and the scripts that change it.

It hangs in front of everything: prerouting at -300 comes before Docker's DNAT and before connection
tracking, so published container ports, IPv4 and IPv6 are covered by the same few rules. postrouting at
-300 cuts the other direction, so that a server that only sends cannot go on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Sequence

from ..addresses import canonical
from ..clients.nftables import Rule, Ruleset
from .span import span

FAMILY, TABLE = "inet", "firebreak_block"
PRIORITY = -300
VERSIONS = (4, 6)
_RULES = {
    "prerouting": (
        "iif lo accept",
        "ip saddr @allowed4 accept",
        "ip6 saddr @allowed6 accept",
        "ip saddr @blocked4 drop",
        "ip6 saddr @blocked6 drop",
    ),
    "postrouting": (
        "oif lo accept",
        "ip daddr @allowed4 accept",
        "ip6 daddr @allowed6 accept",
        "ip daddr @blocked4 drop",
        "ip6 daddr @blocked6 drop",
    ),
}


@dataclass(frozen=True)
class Element:
    """One blocked address or network. `seconds` are left; `packets` were dropped, in both directions."""

    address: str
    seconds: float
    packets: int


@dataclass(frozen=True)
class OwnTable:
    """`armed` is False when the rules are not the ones that make the elements count."""

    blocked: tuple[Element, ...] = ()
    allowed: frozenset[str] = frozenset()
    armed: bool = False

    def exactly(self, address: str) -> Element | None:
        return next((element for element in self.blocked if element.address == address), None)

    def holding(self, address: str) -> Element | None:
        """The element that covers the whole of an address or network."""
        wanted = span(address)
        return next((element for element in self.blocked if wanted.within(span(element.address))), None)

    def inside(self, network: str) -> tuple[Element, ...]:
        """The elements that are smaller parts of a network."""
        outer = span(network)
        return tuple(
            element
            for element in self.blocked
            if element.address != network and span(element.address).within(outer)
        )


def understand(found: Ruleset | None) -> OwnTable:
    """From nft's answer; an empty table that does nothing when there is none."""
    if found is None:
        return OwnTable()
    sets = {each.name: each.elements for each in found.sets}
    blocked = [_element(raw) for version in VERSIONS for raw in sets.get(f"blocked{version}", ())]
    allowed = [_address(raw) for version in VERSIONS for raw in sets.get(f"allowed{version}", ())]
    return OwnTable(tuple(blocked), frozenset(allowed), _armed(found))


def blocking(
    table: OwnTable,
    allowed: Mapping[int, Sequence[str]],
    add: Iterable[tuple[str, int]],
    drop: Iterable[str],
) -> str:
    """The script that blocks `add` (address, seconds), lifts `drop`, and allows just `allowed`.

    All of it is one transaction; a table that is missing or has been tampered with is made anew.
    """
    dropped, added = set(drop), dict(add)
    if not table.armed:
        kept = {
            element.address: math.ceil(element.seconds)
            for element in table.blocked
            if element.address not in dropped
        }
        return _definition(allowed, _widest({**kept, **added}))
    script = []
    for version in VERSIONS:
        script.append(f"flush set {FAMILY} {TABLE} allowed{version}")
        if allowed[version]:
            script.append(_element_line("add", f"allowed{version}", ", ".join(allowed[version])))
    for address in sorted(dropped | added.keys()):
        if table.exactly(address):
            script.append(_element_line("delete", f"blocked{_version(address)}", address))
    for address, seconds in added.items():
        script.append(_element_line("add", f"blocked{_version(address)}", f"{address} timeout {seconds}s"))
    return "\n".join(script) + "\n"


def lifting(table: OwnTable, address: str, restore: Iterable[tuple[str, int]] = ()) -> str:
    """The script that takes one element out and puts back those that it had replaced; may be empty."""
    script = []
    if table.exactly(address):
        script.append(_element_line("delete", f"blocked{_version(address)}", address))
    for old, seconds in restore:
        if table.exactly(old) is None or old == address:
            script.append(_element_line("add", f"blocked{_version(old)}", f"{old} timeout {seconds}s"))
    return "\n".join(script) + "\n" if script else ""


def _widest(blocked: Mapping[str, int]) -> Mapping[str, int]:
    """Without the elements that lie within another one: a set takes no overlaps."""
    spans = {address: span(address) for address in blocked}
    return {
        address: seconds
        for address, seconds in blocked.items()
        if not any(spans[address].within(spans[other]) for other in blocked if other != address)
    }


def _definition(allowed: Mapping[int, Sequence[str]], blocked: Mapping[str, int]) -> str:
    # Declaring the table first makes deleting it succeed whether it was there or not.
    lines = [f"table {FAMILY} {TABLE}", f"delete table {FAMILY} {TABLE}", f"table {FAMILY} {TABLE} {{"]
    for version in VERSIONS:
        timed = [
            f"{address} timeout {blocked[address]}s" for address in blocked if _version(address) == version
        ]
        lines += _set(f"allowed{version}", version, "flags interval", allowed[version])
        lines += _set(f"blocked{version}", version, "flags interval, timeout\n    counter", timed)
    for chain, rules in _RULES.items():
        lines += [f"  chain {chain} {{", f"    type filter hook {chain} priority {PRIORITY}; policy accept;"]
        lines += [f"    {rule}" for rule in rules] + ["  }"]
    return "\n".join([*lines, "}"]) + "\n"


def _set(name: str, version: int, options: str, elements: Sequence[str]) -> list[str]:
    filled = [f"    elements = {{ {', '.join(elements)} }}"] if elements else []
    return [f"  set {name} {{", f"    type ipv{version}_addr", f"    {options}", *filled, "  }"]


def _element_line(verb: str, name: str, elements: str) -> str:
    return f"{verb} element {FAMILY} {TABLE} {name} {{ {elements} }}"


def _version(address: str) -> int:
    return 6 if ":" in address else 4


def _element(raw: Any) -> Element:
    body = raw["elem"] if isinstance(raw, dict) and "elem" in raw else {"val": raw}
    counter = body.get("counter") or {}
    return Element(_address(body["val"]), float(body.get("expires", 0)), int(counter.get("packets", 0)))


def _address(raw: Any) -> str:
    if isinstance(raw, str):
        return canonical(raw)
    if "prefix" in raw:
        return canonical(f"{raw['prefix']['addr']}/{raw['prefix']['len']}")
    first, last = raw["range"]
    return f"{canonical(first)}-{canonical(last)}"


def _armed(found: Ruleset) -> bool:
    chains = {chain.name: (chain.hook, chain.priority) for chain in found.chains}
    for name, rules in _RULES.items():
        mine = tuple(_words(rule) for rule in found.rules if rule.chain == name)
        if chains.get(name) != (name, PRIORITY) or mine != rules:
            return False
    return True


def _words(rule: Rule) -> str:
    """A rule of ours in the spelling of `_RULES`; anything else comes out as something else."""
    words: list[str] = []
    for statement in rule.expr:
        if "match" in statement:
            match = statement["match"]
            left = match["left"]
            if match["op"] != "==":
                words.append(match["op"])
            if "payload" in left:
                words += [str(left["payload"].get("protocol")), str(left["payload"].get("field"))]
            else:
                words.append(str(left.get("meta", {}).get("key")))
            words.append(str(match["right"]))
        else:
            words += list(statement)
    return " ".join(words)
