# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads from any task's result what Firebreak's modules return: findings, acts, a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding, Remedy
from ansible_collections.firebreak.incident.plugins.module_utils.plan import Act, Undo

KEYS = frozenset({"findings", "actions", "verdict"})
# What these tasks say is about the run itself. They run on the controller; a host may answer anything.
BEGIN, INCIDENT, SUMMARY = (f"firebreak.incident.{name}" for name in ("begin", "incident", "summary"))


@dataclass(frozen=True)
class Report:
    """What one task says about one host."""

    findings: tuple[Finding, ...] = ()
    acts: tuple[Act, ...] = ()
    verdict: str | None = None


def reports(result: Mapping[str, Any]) -> list[Report]:
    """The report of a result, or one for each item when the task was a loop."""
    return [report for part in parts(result) if (report := read(part)) is not None]


def parts(result: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The result itself, or the results of the items of a loop."""
    items = result.get("results")
    if isinstance(items, list) and not KEYS & result.keys():
        yield from (item for item in items if isinstance(item, Mapping))
    else:
        yield result


def read(result: Mapping[str, Any]) -> Report | None:
    """The report, or None when this is not the result of a module of ours.

    Other modules have a key `findings` or `actions` too; what does not have the shape of the contract
    is theirs.
    """
    if not KEYS & result.keys():
        return None
    try:
        return Report(
            tuple(_finding(entry) for entry in result.get("findings") or ()),
            tuple(_act(entry) for entry in result.get("actions") or ()),
            None if result.get("verdict") is None else str(result["verdict"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _finding(entry: Mapping[str, Any]) -> Finding:
    remedy = entry.get("remedy") or {}
    return Finding(
        id=entry["id"],
        level=entry["level"],
        subject=entry["subject"],
        summary=entry["summary"],
        evidence=entry.get("evidence") or {},
        remedy=Remedy(remedy["playbook"], remedy.get("inputs") or {}, remedy.get("cures", True))
        if remedy
        else None,
    )


def _act(entry: Mapping[str, Any]) -> Act:
    undo = entry.get("undo")
    return Act(
        action=entry["action"],
        target=entry["target"],
        identity=entry.get("identity") or {},
        risk=entry["risk"],
        reason=entry["reason"],
        undo=Undo(undo["action"], undo.get("identity") or {}) if undo else None,
        status=entry["status"],
    )
