# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import canonical
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.timeline import Running

RUN = Running("20261121-220107-3fa9", "fix_firewall", "ann@control")
NOW = "2026-11-21T22:01:08.000Z"


def act(target: str, status: str = "done") -> dict[str, Any]:
    identity = {"address": target}
    told = {"action": "firewall.unblock", "target": target, "identity": identity, "risk": "disruptive"}
    return {**told, "status": status, "reason": "asked for", "undo": None}


def finding(level: str) -> dict[str, Any]:
    return {"id": "a.b.c", "level": level, "subject": "db1", "summary": "it is so", "evidence": {}}


def kinds(result: dict[str, Any], run: Running = RUN, task: str = "t1") -> list[str]:
    drafts = run.told(NOW, "db1", task, result)
    assert all(canonical(draft.data) for draft in drafts)
    return [draft.kind for draft in drafts]


def test_acts_refusals_failures_findings_and_the_verdict_are_events() -> None:
    result = {
        "findings": [finding("critical"), finding("notice")],
        "actions": [act("192.0.2.1"), act("192.0.2.2", "refused"), act("192.0.2.3", "failed")],
        "verdict": "improved",
        "before": {"blocked": 3},
        "after": {"blocked": 1},
    }
    assert kinds(result) == ["findings.seen", "act.done", "act.refused", "act.failed", "verdict.measured"]
    drafts = RUN.told(NOW, "db1", "t1", result)
    assert [len(drafts[0].data["findings"]), drafts[0].data["notices"]] == [1, 1]
    assert drafts[-1].data["before"] == {"blocked": 3}
    assert {(draft.host, draft.actor, draft.data["run"]) for draft in drafts} == {
        ("db1", "ann@control", RUN.id)
    }


def test_an_act_that_two_tasks_return_is_one_event() -> None:
    first, again = (RUN.told(NOW, "db1", task, {"actions": [act("192.0.2.1")]}) for task in ("t1", "t2"))
    assert first[0].key == again[0].key


def test_the_same_act_on_two_hosts_are_two_events() -> None:
    here, there = (RUN.told(NOW, host, "t1", {"actions": [act("192.0.2.1")]}) for host in ("db1", "db2"))
    assert here[0].key != there[0].key


def test_what_was_only_planned_did_not_happen() -> None:
    result = {"findings": [finding("critical")], "actions": [act("a", "planned")], "verdict": "planned"}
    assert kinds(result, replace(RUN, check_mode=True)) == ["findings.seen"]


def test_each_item_of_a_loop_is_told() -> None:
    result = {"results": [{"actions": [act("192.0.2.1")]}, {"actions": [act("192.0.2.2")]}]}
    assert kinds(result) == ["act.done", "act.done"]


def test_what_other_modules_return_is_none_of_it() -> None:
    assert kinds({"stdout": "ok", "changed": True}) == []
    assert kinds({"findings": "many"}) == []
