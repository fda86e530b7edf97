# SPDX-License-Identifier: GPL-3.0-or-later
"""Which acts of a run or an incident still stand, and how they are taken back."""

from __future__ import annotations

import json
from typing import Any, Iterable, Mapping, Sequence

from ..errors import BadInput
from ..finding import NOTICE, Finding
from ..ledger import Entry
from ..lifecycle import Decision
from ..plan import DONE, FAILED, PLANNED, REFUSED, REVERSIBLE, Act, Plan, Undo


def decide(entries: Sequence[Entry], wanted: str) -> Decision:
    """The plan that takes back what is recorded under `wanted`, the id of a run or an incident.

    The symptom is the number of acts that can be taken back and still stand.
    """
    if not any(entry.concerns(wanted) for entry in entries):
        raise BadInput(
            f"id {wanted!r}",
            "this host's ledger has no act of such a run or incident",
            "The run's id is in the first and the last lines of its output.",
        )
    standing = outstanding(carried_out(entries), wanted)
    reversible = [entry for entry in standing if entry.undo]
    lasting = [entry for entry in standing if not entry.undo]
    findings = [_irreversible(wanted, lasting)] if lasting else []
    acts = tuple(_taking_back(entry, entry.undo) for entry in reversed(reversible) if entry.undo)
    return Decision(
        symptom=len(acts),
        state={"standing": [f"{entry.action} {entry.target}" for entry in reversible]},
        findings=tuple(findings),
        plan=Plan(acts),
    )


def carried_out(entries: Iterable[Entry]) -> list[Entry]:
    """The acts that took effect, or may have: each is recorded before and after it is done.

    One with no record after it was cut off half way, and counts as done: taking back what never
    happened does no harm.
    """
    begun: dict[str, Entry] = {}
    finished: list[Entry] = []
    for entry in entries:
        key = _key([entry.run, entry.action, entry.identity])
        if entry.status == PLANNED:
            begun[key] = entry
        elif entry.status in (DONE, FAILED, REFUSED):
            begun.pop(key, None)
            if entry.status == DONE:
                finished.append(entry)
    return sorted([*finished, *begun.values()], key=lambda entry: entry.time)


def outstanding(entries: Iterable[Entry], wanted: str) -> list[Entry]:
    """The acts of `wanted` that nothing has taken back since, oldest first.

    Whoever took an act back counts: an undo, or the module asked for the opposite by hand.
    """
    standing: list[Entry] = []
    for entry in entries:
        key = _key([entry.action, entry.identity])
        taken_back = next((act for act in reversed(standing) if _undo_key(act) == key), None)
        if taken_back is not None:
            standing.remove(taken_back)
        elif entry.concerns(wanted):
            standing.append(entry)
    return standing


def _taking_back(entry: Entry, undo: Mapping[str, Any]) -> Act:
    return Act(
        action=undo["action"],
        target=entry.target,
        identity=undo["identity"],
        risk=REVERSIBLE,
        reason=f"takes back {entry.action} of {entry.time}, run {entry.run}",
        undo=Undo(entry.action, entry.identity),
    )


def _irreversible(wanted: str, entries: Sequence[Entry]) -> Finding:
    return Finding(
        id="undo.act.irreversible",
        level=NOTICE,
        subject=f"acts of {wanted}",
        summary=f"{len(entries)} acts cannot be taken back: "
        + "; ".join(f"{entry.action} {entry.target}" for entry in entries[:5])
        + (" ..." if len(entries) > 5 else ""),
        evidence={"acts": [{"time": e.time, "action": e.action, "target": e.target} for e in entries[:100]]},
    )


def _undo_key(entry: Entry) -> str:
    return _key([entry.undo["action"], entry.undo["identity"]]) if entry.undo else ""


def _key(parts: Sequence[Any]) -> str:
    return json.dumps(parts, sort_keys=True)
