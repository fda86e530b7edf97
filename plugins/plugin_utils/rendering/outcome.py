# SPDX-License-Identifier: GPL-3.0-or-later
"""From the result of a task on one host to what is worth showing of it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .contract import KEYS, parts, reports
from .failure import Failure, failed, unreachable
from .model import FAILED, IGNORED, RESCUED, SKIPPED, UNREACHABLE, Outcome
from .text import clean, clean_lines

_DEBUG = ("debug", "ansible.builtin.debug", "ansible.legacy.debug")
_OURS = "firebreak.incident."
# What is in the result of `debug: var=...` beside the variable.
_NOT_A_VARIABLE = frozenset({"msg", "changed", "failed", "skipped", "item", "warnings", "deprecations"})


def outcome(
    host: str,
    status: str,
    result: Mapping[str, Any],
    action: str,
    diff: Sequence[str] = (),
    dump: str = "",
) -> Outcome:
    return Outcome(
        host=host,
        status=status,
        reports=tuple(reports(result)),
        failures=tuple(_failures(status, result)),
        notes=tuple(_notes(status, result, action)),
        warnings=tuple(clean(_warning(entry)) for entry in result.get("warnings") or ()),
        diff=tuple(diff),
        dump=tuple(clean_lines(dump)),
    )


def diff_lines(result: Mapping[str, Any]) -> list[str]:
    """The unified diff of files; a plan of ours is shown act by act already."""
    lines: list[str] = []
    for part in parts(result):
        if KEYS & part.keys() or "censored" in part:
            continue
        entries = part.get("diff") or ()
        for entry in [entries] if isinstance(entries, Mapping) else entries:
            lines += _unified(entry)
    return lines


def _unified(entry: Mapping[str, Any]) -> Iterator[str]:
    if "prepared" in entry:
        yield from clean_lines(entry["prepared"])
    if "before" not in entry or "after" not in entry:
        return
    names = (clean(entry.get(f"{side}_header") or entry.get("path") or side) for side in ("before", "after"))
    before_name, after_name = names
    before, after = (_text(entry[side]).splitlines() for side in ("before", "after"))
    for line in difflib.unified_diff(before, after, before_name, after_name, lineterm=""):
        yield line[:1] + clean(line[1:].replace("\t", "    ").rstrip()) if line[1:].strip() else line[:1]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, indent=2, sort_keys=True, default=str)


def _failures(status: str, result: Mapping[str, Any]) -> Iterator[tuple[str, Failure]]:
    if status not in (FAILED, UNREACHABLE, RESCUED, IGNORED):
        return
    items = result.get("results")
    if isinstance(items, list) and not KEYS & result.keys():
        bad = [item for item in items if isinstance(item, Mapping) and _is_bad(item)]
        for item in bad:
            yield _label(item), unreachable(item) if item.get("unreachable") else failed(item)
        if bad:
            return
    yield "", unreachable(result) if status == UNREACHABLE or result.get("unreachable") else failed(result)


def _is_bad(item: Mapping[str, Any]) -> bool:
    return bool(item.get("failed_when_result", item.get("failed")) or item.get("unreachable"))


def _label(item: Mapping[str, Any]) -> str:
    if "censored" in item or item.get("_ansible_no_log"):
        return "hidden item"
    return clean(item.get("_ansible_item_label", item.get("item", "")))


def _notes(status: str, result: Mapping[str, Any], action: str) -> Iterator[str]:
    if status in (FAILED, UNREACHABLE, RESCUED, IGNORED, SKIPPED) or "censored" in result:
        return
    if action not in _DEBUG and not action.startswith(_OURS):
        return
    for part in parts(result):
        if part.get("skipped") or "censored" in part:
            continue
        if "msg" in part:
            message = part["msg"]
            yield from clean_lines(
                "\n".join(map(str, message)) if isinstance(message, list) else _text(message)
            )
        elif action in _DEBUG:
            for name, value in part.items():
                if name not in _NOT_A_VARIABLE and not name.startswith(("_ansible", "ansible_loop")):
                    yield from clean_lines(f"{name}: {_text(value)}")


def _warning(entry: Any) -> str:
    """A warning's words; since ansible-core 2.19 it is an object with an event."""
    event = getattr(entry, "event", None)
    return str(getattr(event, "msg", entry))
