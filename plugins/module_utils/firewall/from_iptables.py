# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rules of iptables drop an address, in any variant, table and chain (DOCKER-USER among them)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Mapping, Sequence

from ..clients.iptables import Rule, Rules
from ..plan import Undo
from .model import EVERYONE, EXACT, Block, Removal
from .scope import Wanted
from .span import Span, span

_DROPS = ("DROP", "REJECT", "TARPIT")
# Where a rule names both ends, the source is whom it keeps out.
_ADDRESS_OPTIONS = ("-s", "--src-range", "-d", "--dst-range")
# They write down or count, and every packet goes through them.
_TRANSPARENT = ("LOG", "NFLOG", "ULOG", "MARK", "CONNMARK")
UFW_CHAINS = ("ufw-user-", "ufw6-user-")
FAIL2BAN_CHAIN = "f2b-"


@dataclass(frozen=True)
class _Named:
    text: str
    span: Span
    excepted: bool


def blocks(found: Rules, wanted: Sequence[Wanted], skip: tuple[str, ...] = ()) -> Iterator[Block]:
    """Every rule that keeps one of the wanted addresses out.

    `skip` holds beginnings of the names of chains that another layer reports.
    """
    chains = _by_chain(found.rules)
    droppers: list[tuple[Rule, _Named, str | None]] = []
    for rule in found.rules:
        if rule.chain.startswith(skip) or not _ends_badly(rule, chains):
            continue
        named = _named(rule)
        if named is not None:
            above = chains[rule.table, rule.chain][rule.index - 2].spec if rule.index > 1 else None
            droppers.append((rule, named, above))
    for each in wanted:
        for rule, named, above in droppers:
            if named.excepted:
                if named.span.version == each.span.version and not named.span.overlaps(each.span):
                    yield _block(each, rule, f"all but {named.text}", EVERYONE, above)
                continue
            scope = each.scope(named.span)
            if scope is not None:
                yield _block(each, rule, named.text, scope, above)


def sets_in_use(found: Rules) -> list[str]:
    """The ipsets whose members are dropped: what is in them only the program ipset knows."""
    chains = _by_chain(found.rules)
    names: dict[str, None] = {}
    for rule in found.rules:
        words = rule.words
        if "--match-set" in words[:-1] and _ends_badly(rule, chains):
            names[words[words.index("--match-set") + 1]] = None
    return list(names)


def _by_chain(rules: Sequence[Rule]) -> Mapping[tuple[str, str], list[Rule]]:
    chains: dict[tuple[str, str], list[Rule]] = {}
    for rule in rules:
        chains.setdefault((rule.table, rule.chain), []).append(rule)
    return chains


def _target(words: Sequence[str]) -> str:
    return next((words[at + 1] for at, word in enumerate(words[:-1]) if word in ("-j", "-g")), "")


def _ends_badly(rule: Rule, chains: Mapping[tuple[str, str], list[Rule]], depth: int = 0) -> bool:
    target = _target(rule.words)
    if target in _DROPS:
        return True
    if depth > 4:
        return False
    for each in chains.get((rule.table, target), ()):
        words = each.words
        unconditional = len(words) > 2 and words[2] in ("-j", "-g")
        if not unconditional or words[3] in _TRANSPARENT:
            continue
        return _ends_badly(each, chains, depth + 1)
    return False


def _named(rule: Rule) -> _Named | None:
    words = rule.words
    for option in _ADDRESS_OPTIONS:
        if option in words[:-1]:
            at = words.index(option)
            return _Named(words[at + 1], span(words[at + 1]), excepted=words[at - 1] == "!")
    return None


def _block(wanted: Wanted, rule: Rule, address: str, scope: str, above: str | None) -> Block:
    place = {"variant": rule.variant, "table": rule.table, "spec": rule.spec}
    removal = Removal(
        "firewall.delete_iptables_rule",
        place,
        Undo("firewall.add_iptables_rule", {**place, "index": rule.index, "above": above}),
    )
    return Block(
        asked=wanted.address,
        address=_short(address),
        layer=rule.variant,
        where=f"table {rule.table} chain {rule.chain}",
        rule=rule.spec,
        scope=scope,
        packets=rule.packets if scope == EXACT else None,
        removal=removal if scope == EXACT else None,
    )


def _short(address: str) -> str:
    """iptables-save writes a mask behind every single address."""
    host, _slash, bits = address.partition("/")
    return host if bits == ("128" if ":" in host else "32") else address
