# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.ledger import Entry
from ansible_collections.firebreak.incident.plugins.module_utils.plan import Act, Undo
from ansible_collections.firebreak.incident.plugins.module_utils.undo.decide import decide


def block(
    name: str, second: int, run: str = "r1", status: str = "done", line: int = 0, **given: Any
) -> Entry:
    identity = {"n": name, "line": line} if line else {"n": name}
    act = Act("t.block", name, identity, "reversible", "why", Undo("t.unblock", {"n": name}))
    return Entry.of(act.became(status), f"2026-11-21T22:00:{second:02}.000Z", run, **given)


def unblock(name: str, second: int, run: str = "u1", status: str = "done", **given: Any) -> Entry:
    act = Act("t.unblock", name, {"n": name}, "reversible", "why", Undo("t.block", {"n": name}))
    return Entry.of(act.became(status), f"2026-11-21T22:00:{second:02}.000Z", run, **given)


def kill(name: str, second: int, run: str = "r1") -> Entry:
    act = Act("t.kill", name, {"n": name}, "disruptive", "why", None)
    return Entry.of(act.became("done"), f"2026-11-21T22:00:{second:02}.000Z", run)


def targets(entries: list[Entry], wanted: str = "r1") -> list[str]:
    return [f"{act.action} {act.target}" for act in decide(entries, wanted).plan.acts]


def test_the_newest_act_is_taken_back_first() -> None:
    assert targets([block("a", 1), block("b", 2)]) == ["t.unblock b", "t.unblock a"]


def test_only_the_wanted_run_is_taken_back() -> None:
    assert targets([block("a", 1), block("b", 2, run="r2")]) == ["t.unblock a"]


def test_an_incident_takes_back_all_its_runs() -> None:
    entries = [block("a", 1, incident="I"), block("b", 2, run="r2", incident="I"), block("c", 3, run="r3")]
    assert targets(entries, "I") == ["t.unblock b", "t.unblock a"]


def test_what_was_taken_back_already_is_left_alone() -> None:
    decision = decide([block("a", 1), unblock("a", 2)], "r1")
    assert (decision.plan.acts, decision.symptom) == ((), 0)


@pytest.mark.parametrize("status", ["failed", "planned", "refused"])
def test_an_undo_that_failed_or_was_cut_off_can_be_repeated(status: str) -> None:
    entries = [block("a", 1, incident="I"), unblock("a", 2, status=status, incident="I")]
    assert targets(entries) == targets(entries, "I") == ["t.unblock a"]


def test_acts_that_the_same_one_takes_back_are_taken_back_once() -> None:
    entries = [block("a", 1, line=1), block("b", 2), block("a", 3, line=2)]
    assert targets(entries) == ["t.unblock a", "t.unblock b"]
    assert targets([*entries, unblock("a", 4)]) == ["t.unblock b"]


def test_within_an_incident_an_act_and_its_undo_cancel_each_other() -> None:
    assert targets([block("a", 1, incident="I"), unblock("a", 2, incident="I")], "I") == []


def test_an_act_done_again_after_its_undo_stands() -> None:
    entries = [block("a", 1, incident="I"), unblock("a", 2, incident="I"), block("a", 3, incident="I")]
    assert targets(entries, "I") == ["t.unblock a"]


def test_undoing_an_undo_does_the_act_again() -> None:
    assert targets([block("a", 1), unblock("a", 2)], "u1") == ["t.block a"]


def test_an_act_that_was_cut_off_half_way_is_taken_back() -> None:
    assert targets([block("a", 1, status="planned")]) == ["t.unblock a"]


def test_an_act_that_was_refused_is_not_taken_back() -> None:
    assert targets([block("a", 1, status="planned"), block("a", 2, status="refused")]) == []


def test_an_act_that_failed_may_have_taken_effect_and_is_taken_back() -> None:
    assert targets([block("a", 1, status="planned"), block("a", 2, status="failed")]) == ["t.unblock a"]


def test_what_another_run_did_again_since_is_left_to_that_run() -> None:
    entries = [block("a", 1), block("b", 2), block("a", 3, run="r2")]
    assert targets(entries) == ["t.unblock b"]
    assert targets(entries, "r2") == ["t.unblock a"]
    (finding,) = decide(entries, "r1").findings
    assert (finding.id, finding.evidence["run"]) == ("undo.act.superseded", "r2")


def limit(before: int, after: int, second: int, run: str, status: str = "done") -> Entry:
    undo = Undo("t.limit", {"from": after, "to": before})
    act = Act("t.limit", "store", {"from": before, "to": after}, "reversible", "why", undo)
    return Entry.of(act.became(status), f"2026-11-21T22:00:{second:02}.000Z", run)


def test_what_another_run_changed_since_is_given_back_once_that_run_is_undone() -> None:
    changed = [limit(100, 200, 1, "r1"), limit(200, 300, 2, "r2")]
    assert decide(changed, "r1").plan.acts == ()
    undone = [*changed, limit(300, 200, 3, "u2")]
    (act,) = decide(undone, "r1").plan.acts
    assert act.identity == {"from": 200, "to": 100}
    assert decide([*undone, limit(200, 100, 4, "u1")], "r1").plan.acts == ()
    later = [changed[0], block("a", 2), limit(200, 300, 3, "r2"), limit(300, 200, 4, "u2")]
    assert targets(later) == ["t.unblock a", "t.limit store"]
    assert decide([*changed, limit(300, 200, 3, "u2", status="failed")], "r1").plan.acts == ()


def test_what_one_undo_takes_back_of_two_runs_stands_for_neither() -> None:
    entries = [block("a", 1), block("a", 2, run="r2"), unblock("a", 3)]
    assert targets(entries) == targets(entries, "r2") == []


def test_what_cannot_be_taken_back_is_named() -> None:
    decision = decide([block("a", 1), kill("a", 2)], "r1")
    assert [finding.id for finding in decision.findings] == ["undo.act.irreversible"]
    assert "t.kill a" in decision.findings[0].summary


def test_an_id_that_this_host_does_not_know_is_a_warning_that_names_it() -> None:
    decision = decide([block("a", 1)], "r9")
    assert (decision.symptom, decision.plan.acts) == (0, ())
    assert [(f.id, f.level) for f in decision.findings] == [("undo.id.unknown", "warning")]
    assert "r9" in decision.findings[0].summary
