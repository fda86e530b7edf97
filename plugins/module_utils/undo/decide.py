# SPDX-License-Identifier: GPL-3.0-or-later
"""Which acts of a run or an incident still stand, and how they are taken back."""

from __future__ import annotations

import json
from typing import Any, Iterable, Mapping, Sequence

from ..finding import NOTICE, WARNING, Finding
from ..ledger import Entry, carried_out
from ..lifecycle import Decision
from ..plan import DONE, REVERSIBLE, Act, Plan, Undo


def decide(entries: Sequence[Entry], wanted: str) -> Decision:
    """The plan that takes back what is recorded under `wanted`, the id of a run or an incident.

    The symptom is the number of acts that can be taken back and still stand.
    """
    if not any(entry.concerns(wanted) for entry in entries):
        return Decision(symptom=0, state={"standing": []}, findings=(_unknown(wanted),))
    standing, superseded = outstanding(carried_out(entries), wanted)
    reversible = [entry for entry in standing if entry.undo]
    lasting = [entry for entry in standing if not entry.undo]
    findings = [*map(_superseded, superseded), *([_irreversible(wanted, lasting)] if lasting else [])]
    # Several acts that the same one takes back: it is done once, in the place of the newest.
    newest = {_undo_key(entry): entry for entry in reversible}
    acts = tuple(
        _taking_back(entry, entry.undo)
        for entry in reversed(reversible)
        if entry.undo and newest[_undo_key(entry)] is entry
    )
    return Decision(
        symptom=len(acts),
        state={"standing": [f"{entry.action} {entry.target}" for entry in reversible]},
        findings=tuple(findings),
        plan=Plan(acts, sequential=False),
    )


def outstanding(entries: Iterable[Entry], wanted: str) -> tuple[list[Entry], list[tuple[Entry, Entry]]]:
    """The acts of `wanted` that nothing has taken back since, oldest first.

    Whoever took an act back counts: an undo, or the module asked for the opposite by hand, but not one that
    failed. An act that another run has done again since belongs to that run, until that is taken back; the
    second list pairs the two.
    """
    standing: list[Entry] = []
    superseded: list[tuple[Entry, Entry]] = []
    for entry in entries:
        key = _key([entry.action, entry.identity])
        taken_back = [act for act in standing if _undo_key(act) == key]
        given_back = [pair for pair in superseded if _undo_key(pair[1]) == key]
        if taken_back or given_back:
            if entry.status == DONE:
                superseded = [pair for pair in superseded if pair not in given_back]
                standing += [old for old, _new in given_back]
                standing = sorted((act for act in standing if _undo_key(act) != key), key=_when)
        elif entry.concerns(wanted):
            standing.append(entry)
        else:
            again = [e for e in standing if e.undo and (e.action, e.target) == (entry.action, entry.target)]
            superseded += [(each, entry) for each in again]
            standing = [each for each in standing if each not in again]
    return standing, superseded


def _taking_back(entry: Entry, undo: Mapping[str, Any]) -> Act:
    return Act(
        action=undo["action"],
        target=entry.target,
        identity=undo["identity"],
        risk=REVERSIBLE,
        reason=f"takes back {entry.action} of {entry.time}, run {entry.run}",
        undo=Undo(entry.action, entry.identity),
    )


def _unknown(wanted: str) -> Finding:
    return Finding(
        id="undo.id.unknown",
        level=WARNING,
        subject=f"id {wanted}",
        summary=f"this host's ledger has no act of a run or an incident {wanted}: nothing was done here "
        f"under that id, or it is mistyped",
        evidence={"id": wanted},
    )


def _superseded(pair: tuple[Entry, Entry]) -> Finding:
    old, new = pair
    return Finding(
        id="undo.act.superseded",
        level=NOTICE,
        subject=f"{old.action} {old.target}",
        summary=f"{old.action} {old.target} of {old.run} is left alone, for run {new.run} did it again at "
        f"{new.time}: take back that one",
        evidence={"run": new.run, "incident": new.incident},
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


def _when(entry: Entry) -> str:
    return entry.time


def _undo_key(entry: Entry) -> str:
    return _key([entry.undo["action"], entry.undo["identity"]]) if entry.undo else ""


def _key(parts: Sequence[Any]) -> str:
    return json.dumps(parts, sort_keys=True)
