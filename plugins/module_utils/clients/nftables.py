# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's nftables rules, read and changed through the program nft."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Mapping, Sequence

from ..errors import FirebreakError, Unreachable
from .command import Completed, require, run

READ_TIMEOUT = 20.0
READ_BUDGET = 64 * 1024 * 1024
_HANDLE = re.compile(r"^(?P<text>.*?)\s+# handle (?P<handle>\d+)$")
_OPENING = re.compile(r"^table (?P<family>\S+) (?P<name>\S+) \{")
_MISSING = "No such file or directory"


@dataclass(frozen=True)
class Rule:
    """`expr` is nft's own JSON; `text` is what a person would write; `index` counts from 0 in its chain."""

    family: str
    table: str
    chain: str
    handle: int
    index: int
    expr: Sequence[Mapping[str, Any]]
    text: str = ""


@dataclass(frozen=True)
class NamedSet:
    """A set, or a map when its elements are pairs. `elements` are nft's own JSON."""

    family: str
    table: str
    name: str
    elements: Sequence[Any]


@dataclass(frozen=True)
class Chain:
    """`hook` and `priority` are None for a chain that is only jumped to."""

    family: str
    table: str
    name: str
    hook: str | None
    priority: int | None


@dataclass(frozen=True)
class Ruleset:
    rules: tuple[Rule, ...] = ()
    sets: tuple[NamedSet, ...] = ()
    chains: tuple[Chain, ...] = ()


def ruleset() -> Ruleset:
    """Every table of this network namespace, each rule with its text."""
    found = parse(_ask("-j", "list", "ruleset").stdout)
    return with_texts(found, _ask("-a", "-s", "list", "ruleset").stdout)


def with_texts(found: Ruleset, listing: str) -> Ruleset:
    """The rules, each with its text from `nft -a -s list ruleset`."""
    texts = rule_texts(listing)
    rules = tuple(
        replace(rule, text=texts.get((rule.family, rule.table, rule.handle), "")) for rule in found.rules
    )
    return replace(found, rules=rules)


def table(family: str, name: str) -> Ruleset | None:
    """One table without the rules' text, or None when there is no such table."""
    answer = _run("-j", "list", "table", family, name)
    if not answer.ok and _MISSING in answer.stderr:
        return None
    return parse(_checked(answer).stdout)


def chain_rules(family: str, table: str, chain: str) -> list[tuple[int, str]]:
    """Handle and text of each rule of a chain, in order; empty when the chain is gone."""
    answer = _run("-a", "-s", "list", "chain", family, table, chain)
    if not answer.ok and _MISSING in answer.stderr:
        return []
    return [(handle, text) for (_family, _table, handle), text in rule_texts(_checked(answer).stdout).items()]


def apply(script: str) -> None:
    """Carry out a script as one transaction, after the kernel has said that it would take it."""
    for options in (("-c",), ()):
        _checked(_run(*options, "-f", "-", stdin=script))


def delete_element(family: str, table: str, name: str, element: str) -> None:
    """Take one element out of a set or map; nothing happens when it is not in there any more."""
    answer = _run("delete", "element", family, table, name, "{", element, "}")
    if not answer.ok and not any(sign in answer.stderr for sign in (_MISSING, "does not exist")):
        _checked(answer)


def delete_table(family: str, name: str) -> None:
    """Take a table away with all that is in it; nothing happens when it is not there any more."""
    answer = _run("delete", "table", family, name)
    if not answer.ok and _MISSING not in answer.stderr:
        _checked(answer)


def parse(text: str) -> Ruleset:
    """The answer of `nft -j list …`."""
    try:
        objects = json.loads(text)["nftables"]
    except (ValueError, KeyError, TypeError) as error:
        raise Unreachable(
            "nftables", "the answer of nft -j cannot be read", "Look at it with: nft list ruleset"
        ) from error
    rules: list[Rule] = []
    sets: list[NamedSet] = []
    chains: list[Chain] = []
    positions: dict[tuple[str, str, str], int] = {}
    for entry in objects:
        for kind, body in entry.items():
            if kind == "rule":
                place = (body["family"], body["table"], body["chain"])
                index = positions.get(place, 0)
                positions[place] = index + 1
                rules.append(Rule(*place, handle=body["handle"], index=index, expr=body["expr"]))
            elif kind in ("set", "map"):
                sets.append(NamedSet(body["family"], body["table"], body["name"], body.get("elem", ())))
            elif kind == "chain":
                chains.append(
                    Chain(body["family"], body["table"], body["name"], body.get("hook"), body.get("prio"))
                )
    return Ruleset(tuple(rules), tuple(sets), tuple(chains))


def rule_texts(listing: str) -> dict[tuple[str, str, int], str]:
    """The rules of `nft -a list …` by family, table and handle, in order."""
    texts: dict[tuple[str, str, int], str] = {}
    family = name = ""
    for line in listing.splitlines():
        opening = _OPENING.match(line)
        if opening:
            family, name = opening["family"], opening["name"]
            continue
        found = _HANDLE.match(line.strip())
        # A table, chain or set carries its handle behind the brace that opens it.
        if found and not found["text"].endswith("{"):
            texts[family, name, int(found["handle"])] = found["text"]
    return texts


def _ask(*words: str) -> Completed:
    return _checked(_run(*words))


def _run(*words: str, stdin: str = "") -> Completed:
    program = require("nft", "nftables")
    return run([program, *words], timeout=READ_TIMEOUT, stdin=stdin, budget=READ_BUDGET)


def _checked(answer: Completed) -> Completed:
    if answer.truncated:
        raise Unreachable(
            "nftables",
            f"the rules are longer than {READ_BUDGET} bytes",
            "Look at single tables with: nft list tables",
        )
    if answer.ok:
        return answer
    if "Operation not permitted" in answer.stderr:
        raise Unreachable(
            "nftables",
            "the kernel does not let this user at the rules",
            "Run as root (become: true); inside a container that takes CAP_NET_ADMIN.",
        )
    raise FirebreakError(
        "nftables", f"nft refused: {_complaint(answer)}", "Nothing of this script was applied."
    )


def _complaint(answer: Completed) -> str:
    # nft underlines the place on the lines that follow the message.
    lines = [line for line in answer.stderr.splitlines() if "Error:" in line]
    return lines[0] if lines else answer.complaint
