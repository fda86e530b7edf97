# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rules of nftables drop an address: by itself, in a set, by a verdict map, or in a chain jumped to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import AbstractSet, Any, Iterator, Mapping, Sequence

from ..clients.nftables import NamedSet, Rule, Ruleset
from ..plan import Undo
from .model import EVERYONE, EXACT, Block, Removal
from .own_table import FAMILY, TABLE
from .scope import Wanted
from .span import Span, is_address, span

LAYER = "nft"
_DROPS = ("drop", "reject")
_PASSES = ("accept", "return", "continue", "queue")


@dataclass(frozen=True)
class _Element:
    """Of a named set or map. `text` and `value` are what nft takes back; None when that is not known."""

    owner: NamedSet
    text: str | None
    value: str
    seconds: float | None
    packets: int | None


@dataclass(frozen=True)
class _Held:
    """An address that a dropping rule names, `text` as it stands there, with `others` beside it."""

    span: Span
    text: str
    others: int = 0
    element: _Element | None = None


@dataclass(frozen=True)
class _Dropper:
    """A rule that drops whom it names, or with `excepted` everybody else."""

    rule: Rule
    held: tuple[_Held, ...]
    excepted: bool


def blocks(
    found: Ruleset, wanted: Sequence[Wanted], now: datetime, skip: AbstractSet[tuple[str, str]] = frozenset()
) -> Iterator[Block]:
    """Every rule that keeps one of the wanted addresses out.

    `skip` holds family and name of the tables that another layer reports; Firebreak's own is always
    left out.
    """
    droppers = list(_Reader(found).droppers(skip | {(FAMILY, TABLE)}))
    for each in wanted:
        for dropper in droppers:
            if dropper.excepted:
                versions = {held.span.version for held in dropper.held}
                named = any(held.span.overlaps(each.span) for held in dropper.held)
                if named or each.span.version not in versions:
                    continue
                names = ", ".join(held.text for held in dropper.held)
                yield _block(each, dropper.rule, f"all but {names}", EVERYONE)
                continue
            for held in dropper.held:
                scope = each.scope(held.span)
                if scope is not None:
                    yield _of(each, dropper.rule, held, scope, now)


class _Reader:
    """Knows the sets and the chains that the rules speak of."""

    def __init__(self, found: Ruleset) -> None:
        self._rules = found.rules
        self._sets = {(each.family, each.table, each.name): each for each in found.sets}
        self._by_chain: dict[tuple[str, str, str], list[Rule]] = {}
        for rule in found.rules:
            self._by_chain.setdefault((rule.family, rule.table, rule.chain), []).append(rule)

    def droppers(self, skip: AbstractSet[tuple[str, str]]) -> Iterator[_Dropper]:
        for rule in self._rules:
            if (rule.family, rule.table) in skip:
                continue
            dropper = self._dropper(rule)
            if dropper is not None and dropper.held:
                yield dropper

    def _dropper(self, rule: Rule) -> _Dropper | None:
        for statement in rule.expr:
            if "vmap" in statement:
                vmap = statement["vmap"]
                position = _address_position(vmap["key"])
                if position is not None:
                    return _Dropper(rule, tuple(self._mapped(rule, vmap["data"], position)), excepted=False)
        if not any(self._ends_badly(rule, statement) for statement in rule.expr):
            return None
        matches = [statement["match"] for statement in rule.expr if "match" in statement]
        # Where a rule names both ends, the source is whom it keeps out.
        for match in sorted(matches, key=lambda each: "daddr" in str(each["left"])):
            position = _address_position(match["left"])
            if position is not None:
                held = tuple(self._named(rule, match["right"], position))
                return _Dropper(rule, held, excepted=match["op"] == "!=")
        return None

    def _named(self, rule: Rule, right: Any, position: int) -> Iterator[_Held]:
        if isinstance(right, str) and right.startswith("@"):
            owner = self._sets.get((rule.family, rule.table, right[1:]))
            for raw in owner.elements if owner else ():
                yield from _held(raw, position, owner=owner)
            return
        members = right["set"] if isinstance(right, dict) and "set" in right else [right]
        for raw in members:
            yield from _held(raw, position, others=len(members) - 1)

    def _mapped(self, rule: Rule, data: Any, position: int) -> Iterator[_Held]:
        owner = self._sets.get((rule.family, rule.table, data[1:])) if isinstance(data, str) else None
        pairs = owner.elements if owner else data.get("set", ()) if isinstance(data, dict) else ()
        for key, verdict in pairs:
            if self._ends_badly(rule, verdict):
                yield from _held(key, position, others=len(pairs) - 1, owner=owner, value=_verdict(verdict))

    def _ends_badly(self, rule: Rule, statement: Mapping[str, Any], depth: int = 0) -> bool:
        if any(word in statement for word in _DROPS):
            return True
        jump = statement.get("jump") or statement.get("goto")
        if not jump or depth > 4:
            return False
        inside = self._by_chain.get((rule.family, rule.table, jump["target"]), [])
        for each in inside:
            if any(word in part for part in each.expr for word in ("match", "limit", "vmap")):
                continue
            if any(self._ends_badly(each, part, depth + 1) for part in each.expr):
                return True
            if any(word in part for part in each.expr for word in _PASSES):
                return False
        return False


def _address_position(left: Any) -> int | None:
    """Where in a key the address of a packet's end stands; 0 when it is the whole key."""
    parts = left["concat"] if isinstance(left, dict) and "concat" in left else [left]
    for position, part in enumerate(parts):
        payload = part.get("payload", {}) if isinstance(part, dict) else {}
        if payload.get("protocol") in ("ip", "ip6") and payload.get("field") in ("saddr", "daddr"):
            return position
    return None


def _held(
    raw: Any, position: int, others: int = 0, owner: NamedSet | None = None, value: str = ""
) -> Iterator[_Held]:
    body = raw["elem"] if isinstance(raw, dict) and "elem" in raw else {"val": raw}
    key = body["val"]
    address = key["concat"][position] if isinstance(key, dict) and "concat" in key else key
    text = _text(address)
    if text is None or not is_address(text):
        return
    if owner is None:
        yield _Held(span(text), text, others)
        return
    packets = (body.get("counter") or {}).get("packets")
    element = _Element(owner, _text(key), value, body.get("expires"), packets)
    yield _Held(span(text), text, element=element)


def _text(raw: Any) -> str | None:
    """A key as nft writes it; None for what cannot be written in one word."""
    if isinstance(raw, (str, int)):
        return str(raw)
    if "prefix" in raw:
        return f"{raw['prefix']['addr']}/{raw['prefix']['len']}"
    if "range" in raw:
        first, last = raw["range"]
        return f"{first}-{last}"
    parts = [_text(part) for part in raw.get("concat", ())]
    return " . ".join(part for part in parts if part) if parts and all(parts) else None


def _verdict(statement: Mapping[str, Any]) -> str:
    word, detail = next(iter(statement.items()))
    return f"{word} {detail['target']}" if detail else word


def _of(wanted: Wanted, rule: Rule, held: _Held, scope: str, now: datetime) -> Block:
    if held.element is not None:
        return _element_block(wanted, rule, held, held.element, scope, now)
    if held.others:
        because = f"the rule names {held.others} other addresses in the same breath"
        return _block(wanted, rule, held.text, scope, because=because)
    if scope != EXACT:
        return _block(wanted, rule, held.text, scope)
    place = {"family": rule.family, "table": rule.table, "chain": rule.chain}
    removal = Removal(
        "firewall.delete_nft_rule",
        {**place, "handle": rule.handle, "rule": rule.text},
        Undo("firewall.add_nft_rule", {**place, "index": rule.index, "rule": rule.text}),
    )
    packets = next((part["counter"]["packets"] for part in rule.expr if part.get("counter")), None)
    if not rule.text:
        return _block(
            wanted, rule, held.text, scope, because="nft does not give its text, so it could not be put back"
        )
    return _block(wanted, rule, held.text, scope, packets=packets, removal=removal)


def _element_block(
    wanted: Wanted, rule: Rule, held: _Held, element: _Element, scope: str, now: datetime
) -> Block:
    owner = element.owner
    place = {"family": owner.family, "table": owner.table, "set": owner.name, "element": element.text}
    until = None if element.seconds is None else now + timedelta(seconds=element.seconds)
    removal = Removal(
        "firewall.delete_nft_element",
        place,
        Undo("firewall.add_nft_element", {**place, "value": element.value, "seconds": element.seconds}),
    )
    return Block(
        asked=wanted.address,
        address=held.text,
        layer=LAYER,
        where=f"{owner.family} {owner.table} set {owner.name}, used in chain {rule.chain}",
        rule=rule.text or f"handle {rule.handle}",
        scope=scope,
        until=until,
        packets=element.packets,
        removal=removal if scope == EXACT and element.text else None,
        because="" if element.text else "nft gives the element in a form that cannot be written back",
    )


def _block(
    wanted: Wanted,
    rule: Rule,
    address: str,
    scope: str,
    packets: int | None = None,
    removal: Removal | None = None,
    because: str = "",
) -> Block:
    return Block(
        asked=wanted.address,
        address=address,
        layer=LAYER,
        where=f"{rule.family} {rule.table} chain {rule.chain} handle {rule.handle}",
        rule=rule.text or f"handle {rule.handle}",
        scope=scope,
        packets=packets,
        removal=removal,
        because=because,
    )
