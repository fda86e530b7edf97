# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of iptables, in all its variants: IPv4 and IPv6, over nftables and legacy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Sequence

from ..errors import BadInput, FirebreakError, Unreachable
from .command import find, run

READ_BUDGET = 32 * 1024 * 1024
# Reading through the legacy program loads the legacy modules, so it is only asked where they are in use.
_LEGACY_TABLES = {4: Path("/proc/net/ip_tables_names"), 6: Path("/proc/net/ip6_tables_names")}
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_COUNTED = re.compile(r"^\[(\d+):\d+\] (-A .*)$")


@dataclass(frozen=True)
class Variant:
    """`program` changes the rules that `save` prints. `family` is 4 or 6."""

    name: str
    program: str
    save: str
    family: int
    legacy: bool


VARIANTS = (
    Variant("iptables", "iptables-nft", "iptables-nft-save", 4, legacy=False),
    Variant("ip6tables", "ip6tables-nft", "ip6tables-nft-save", 6, legacy=False),
    Variant("iptables-legacy", "iptables-legacy", "iptables-legacy-save", 4, legacy=True),
    Variant("ip6tables-legacy", "ip6tables-legacy", "ip6tables-legacy-save", 6, legacy=True),
)
# Where there is one variant only, it goes by the short name.
_SHORT = {"iptables-nft": "iptables", "ip6tables-nft": "ip6tables"}


@dataclass(frozen=True)
class Rule:
    """`spec` is the rule as iptables-save writes it, from `-A`; `index` counts from 1 in its chain."""

    variant: str
    table: str
    chain: str
    index: int
    spec: str
    packets: int

    @property
    def words(self) -> tuple[str, ...]:
        return split(self.spec)


@dataclass(frozen=True)
class Rules:
    """What one variant holds. `tables` also names those without a rule."""

    variant: Variant
    tables: frozenset[str]
    rules: tuple[Rule, ...]


def read(variant: Variant) -> Rules | None:
    """The rules of one variant, None when it is not in use here. Raises `Unreachable`."""
    if variant.legacy and not _legacy_in_use(variant):
        return None
    program = find(variant.save) or (None if variant.legacy else find(_SHORT[variant.program] + "-save"))
    if program is None:
        if variant.legacy:
            raise Unreachable(
                variant.name,
                "the kernel holds legacy tables, and the program that reads them is not on this host",
                f"Install {variant.save} (package iptables).",
            )
        return None
    answer = run([program, "-c"], timeout=20.0, budget=READ_BUDGET)
    if answer.truncated or not answer.ok:
        problem = f"more than {READ_BUDGET} bytes of rules" if answer.truncated else answer.complaint
        raise Unreachable(variant.name, problem, "Run as root (become: true).")
    return parse(answer.stdout, variant)


def parse(text: str, variant: Variant) -> Rules:
    """The answer of `iptables-save -c`."""
    tables: set[str] = set()
    return Rules(variant, rules=tuple(_rules(text, variant, tables)), tables=frozenset(tables))


def _rules(text: str, variant: Variant, tables: set[str]) -> Iterator[Rule]:
    table = ""
    counts: dict[tuple[str, str], int] = {}
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
            tables.add(table)
        counted = _COUNTED.match(line)
        if counted:
            chain = split(counted[2])[1]
            index = counts[table, chain] = counts.get((table, chain), 0) + 1
            yield Rule(variant.name, table, chain, index, counted[2], int(counted[1]))


def split(spec: str) -> tuple[str, ...]:
    """The words of a rule. Inside quotes iptables-save escapes more than a shell would take back."""
    return tuple(bare or re.sub(r"\\(.)", r"\1", quoted) for quoted, bare in _WORD.findall(spec))


def delete(variant: str, table: str, spec: str) -> None:
    """Delete a rule by its exact text, every copy of it; nothing happens when there is none any more."""
    for rule in _present(variant):
        if rule.table == table and rule.spec == spec:
            _change(variant, table, ["-D", *split(spec)[1:]])


def insert(variant: str, table: str, index: int, spec: str, above: str | None = None) -> None:
    """Put a rule back below the one that stood above it, or at its old place in the chain; once only.

    The number alone would not do: fail2ban puts its own rules in front of all others, and takes them away.
    """
    words = split(spec)
    specs = [rule.spec for rule in _present(variant) if (rule.table, rule.chain) == (table, words[1])]
    if spec in specs:
        return
    if above in specs:
        index = specs.index(above) + 2
    if index > len(specs):
        _change(variant, table, ["-A", *words[1:]])
    else:
        _change(variant, table, ["-I", words[1], str(index), *words[2:]])


def _present(variant: str) -> Sequence[Rule]:
    found = read(_named(variant))
    return found.rules if found else ()


def _named(name: str) -> Variant:
    for variant in VARIANTS:
        if variant.name == name:
            return variant
    raise BadInput(f"iptables variant {name!r}", "there is none of that name", "See ip_block_info.")


def _change(name: str, table: str, words: Sequence[str]) -> None:
    variant = _named(name)
    program = find(variant.program) or find(_SHORT.get(variant.program, variant.program))
    if program is None:
        raise Unreachable(
            f"program {variant.program}", "it is not on this host", "It comes with the package iptables."
        )
    answer = run([program, "-w", "5", "-t", table, *words])
    if not answer.ok:
        raise FirebreakError(
            f"{name} table {table}",
            f"{' '.join(words)}: {answer.complaint}",
            "See the rules as they are now.",
        )


def _legacy_in_use(variant: Variant) -> bool:
    path = _LEGACY_TABLES[variant.family]
    try:
        return bool(path.read_text().split())
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Unreachable(variant.name, f"{path}: {error.strerror}", "Run as root (become: true).") from error
