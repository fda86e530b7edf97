# SPDX-License-Identifier: GPL-3.0-or-later
"""Who waits for whom, drawn for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.quantities import (
    speak_count,
    speak_duration,
)

from .text import clean, listing

# A queue of hundreds would fill the screen, and a long one run out of it to the right.
BROAD, DEEP = 12, 8
NARROWEST = 40
_KINDS = {
    "tuple": "a row of {relation}",
    "transactionid": "a row of {relation}",
    "relation": "{mode} on {relation}",
    "extend": "room in {relation}",
    "advisory": "advisory lock {object}",
    "virtualxid": "its transaction to end",
}


@dataclass
class _Branch:
    entry: Mapping[str, Any]
    below: list[_Branch] = field(default_factory=list)


def draw(tree: Sequence[Mapping[str, Any]], width: int = 100) -> str:
    """The `tree` of pg_locks_info in lines of at most `width` columns.

    A node shows 12 of those below it, and 8 levels are shown; how many more there are is said.
    """
    lines = [line for root in _grown(tree) for line in _lines(root, "", "")] or ["nobody waits for a lock"]
    return "\n".join(_cut(line, max(NARROWEST, width)) for line in lines)


def _grown(tree: Sequence[Mapping[str, Any]]) -> list[_Branch]:
    roots: list[_Branch] = []
    path: list[_Branch] = []
    for entry in tree:
        branch = _Branch(entry)
        del path[max(0, int(entry["depth"])) :]
        (path[-1].below if path else roots).append(branch)
        path.append(branch)
    return roots


def _lines(branch: _Branch, first: str, others: str, depth: int = 1) -> Iterator[str]:
    yield first + _sentence(branch.entry)
    deep = depth == DEEP
    shown = [] if deep else branch.below if len(branch.below) <= BROAD + 1 else branch.below[:BROAD]
    left = [each.entry for each in branch.below[len(shown) :]]
    for number, below in enumerate(shown, 1):
        last = number == len(shown) and not left
        yield from _lines(
            below, others + ("└─ " if last else "├─ "), others + ("   " if last else "│  "), depth + 1
        )
    if left:
        number = len(left) + sum(int(each["waiting_behind"]) for each in left)
        yield f"{others}└─ and {speak_count(number, 'more session')}"


def _sentence(entry: Mapping[str, Any]) -> str:
    """`pid 4250 web (shop) waits 40 s for AccessExclusiveLock on orders, 3 behind: ALTER TABLE …`."""
    behind = f", {entry['waiting_behind']} behind" if entry["waiting_behind"] else ""
    query = f": {clean(entry['query'])}" if entry.get("query") else ""
    return f"{_name(entry)} {_doing(entry)}{behind}{query}"


def _name(entry: Mapping[str, Any]) -> str:
    who = clean(entry.get("user") or entry.get("backend_type") or "")
    if entry.get("gid") is not None:
        return f"prepared transaction {clean(entry['gid'])} of {who}"
    where = clean(entry.get("application") or entry.get("client") or "")
    name = f"pid {entry['pid']}" if entry["pid"] else "a prepared transaction"
    return " ".join(filter(None, [name, who, f"({where})" if where else ""]))


def _doing(entry: Mapping[str, Any]) -> str:
    circle = "in a circle, " if entry["circular"] else ""
    wanted = entry.get("wanted")
    if wanted is not None:
        others = [f"pid {pid}" if pid else "a prepared transaction" for pid in entry["blocked_by"][1:]]
        also = f", also behind {listing(others, 3)}" if others else ""
        return f"{circle}waits {speak_duration(entry['waiting_seconds'])} for {_lock(wanted)}{also}"
    if entry.get("state") is None:
        return "has ended or is not shown"
    seconds = entry.get("state_seconds")
    return clean(entry["state"]) + ("" if seconds is None else f" {speak_duration(seconds)}")


def _lock(wanted: Mapping[str, Any]) -> str:
    kind = wanted["kind"]
    if wanted.get("relation") is None and kind in ("transactionid", "tuple"):
        kind = "virtualxid"
    said = {name: "?" if value is None else value for name, value in wanted.items()}
    # In another database than the one that was asked, it has no name.
    if str(said["relation"]).isdigit():
        said["relation"] = f"relation {said['relation']} of {said['database']}"
    return clean(_KINDS.get(kind, "{mode} on {kind} {object}").format(**said))


def _cut(line: str, width: int) -> str:
    """Not wider than that, with a mark where something is missing."""
    if sum(map(_columns, line)) <= width:
        return line
    left, kept = width - 1, 0
    for character in line:
        left -= _columns(character)
        if left < 0:
            break
        kept += 1
    return line[:kept].rstrip() + "…"


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
