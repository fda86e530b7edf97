# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding, Remedy
from ansible_collections.firebreak.incident.plugins.module_utils.plan import Act, Undo
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.command import Launcher
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.contract import Report
from ansible_collections.firebreak.incident.plugins.plugin_utils.summary import (
    Run,
    Seen,
    Summary,
    see,
    summarise,
)


def found(level: str, name: str = "x", summary: str = "s", remedy: Remedy | None = None) -> Finding:
    return Finding(f"domain.{name}.bad", level, name, summary, {}, remedy)


def act(status: str = "done", undo: bool = True) -> Act:
    return Act(
        "a.b", "t", {}, "reversible" if undo else "disruptive", "r", Undo("c", {}) if undo else None, status
    )


def look(seen: dict[str, Seen], **run: Any) -> Summary:
    return summarise(seen, Run(**run), Launcher())


def test_findings_are_ranked_over_all_hosts() -> None:
    summary = look({"a": Seen([Report((found("notice"),))]), "b": Seen([Report((found("critical"),))])})
    assert [(each.host, each.finding.level) for each in summary.findings] == [
        ("b", "critical"),
        ("a", "notice"),
    ]


@pytest.mark.parametrize(
    ("results", "active", "state"),
    [
        ([{"unreachable": True, "msg": "Connection timed out"}], False, "unreachable"),
        ([{"failed": True, "msg": "redis: NOAUTH", "findings": []}], False, "failed"),
        ([{"failed": True, "msg": "redis: NOAUTH"}], True, "failed"),
        ([], False, "failed"),
        ([], True, "unseen"),
        ([{"skipped": True}], True, "unseen"),
        ([{"findings": []}], True, "clear"),
        ([{"findings": [found("warning").as_dict()]}], True, "warning"),
    ],
)
def test_only_who_was_looked_at_can_be_well(results: list[dict[str, Any]], active: bool, state: str) -> None:
    assert look({"a": see(results, active)}).hosts["a"].state == state


def test_a_failed_change_still_counts_its_acts() -> None:
    state = look({"a": see([{"failed": True, "msg": "m", "actions": [act().as_dict()]}], False)}).hosts["a"]
    assert (state.state, state.message, state.acts) == ("failed", "m", {"done": 1})


def test_the_same_finding_seen_again_replaces_the_first() -> None:
    summary = look({"a": Seen([Report((found("critical"),)), Report((found("notice"),))])})
    assert [each.finding.level for each in summary.findings] == ["notice"]


def test_what_was_measured_after_the_fix_counts_not_what_led_to_it() -> None:
    cause = found("critical", remedy=Remedy("fix_x"))
    other = found("warning", "y", remedy=Remedy("fix_y"))
    reports = [Report((cause, other)), Report((), (act(),), "resolved")]
    summary = look({"a": Seen(reports)}, playbook="fix_x")
    assert [each.finding for each in summary.findings] == [other]


def test_what_hosts_have_in_common_is_one_sentence() -> None:
    def low(words: str) -> Seen:
        return Seen([Report((found("warning", summary=words),))])

    same = look({"a": low("disk full"), "b": low("disk full"), "c": Seen([Report()])})
    assert same.common == ("2 of 3 hosts (a, b): disk full",)
    differing = look({"a": low("91 %"), "b": low("97 %")})
    assert differing.common == ("2 of 2 hosts (a, b): domain.x.bad",)
    assert look({"a": low("x"), "b": Seen([Report()])}).common == ()


def test_the_next_commands_are_worst_first_and_limited_to_the_hosts() -> None:
    dns, disk = Remedy("fix_dns"), Remedy("fix_disk_space", {"path": "/"})
    summary = look(
        {
            "a": Seen([Report((found("warning", remedy=disk),))]),
            "b": Seen([Report((found("warning", remedy=disk), found("critical", "y", remedy=dns)))]),
        },
        playbook="triage",
    )
    assert summary.next == (
        "ansible-playbook playbooks/fix_dns.yml -l b",
        "ansible-playbook playbooks/fix_disk_space.yml -l a,b -e path=/",
    )


def test_after_a_plan_comes_the_same_playbook_for_real() -> None:
    planned = Seen([Report((found("critical", remedy=Remedy("fix_x")),), (act("planned"),), "planned")])
    summary = look(
        {"a": planned, "b": Seen([Report()])}, playbook="fix_x", check_mode=True, inputs={"path": "/"}
    )
    assert summary.next == ("ansible-playbook playbooks/fix_x.yml -l a -e path=/",)


def test_a_fix_that_did_not_help_is_not_proposed_again() -> None:
    cause = found("critical", remedy=Remedy("fix_x"))
    summary = look({"a": Seen([Report((cause,), (act(undo=False),), "improved")])}, playbook="fix_x")
    assert summary.next == ("ansible-playbook playbooks/triage.yml -l a",)


BREAK_IN = found(
    "critical", "break_in", remedy=Remedy("contain_security", {"threat": "compromise"}, cures=False)
)


def test_what_is_only_contained_is_still_said_after_it_was_contained() -> None:
    done = Seen(
        [
            Report((BREAK_IN, found("warning", remedy=Remedy("contain_security")))),
            Report((), (act(),), "resolved"),
        ]
    )
    summary = look({"a": done}, playbook="contain_security", inputs={"threat": "compromise"})
    assert [each.finding.id for each in summary.findings] == ["domain.break_in.bad"]
    assert summary.next == ()


def test_a_playbook_names_itself_as_the_next_step_when_that_takes_other_inputs() -> None:
    done = Seen([Report((BREAK_IN,)), Report((), (act(),), "resolved")])
    summary = look({"a": done}, playbook="contain_security")
    assert summary.next == ("ansible-playbook playbooks/contain_security.yml -l a -e threat=compromise",)


def test_undo_is_offered_for_what_can_be_taken_back_only() -> None:
    summary = look(
        {
            "a": Seen([Report((), (act(),), "resolved")]),
            "b": Seen([Report((), (act(undo=False),), "resolved")]),
            "c": Seen([Report((), (act("refused"),), "not_needed")]),
        },
        id="20261121-1",
        playbook="contain_security",
    )
    assert summary.next == ("ansible-playbook playbooks/undo.yml -l a -e id=20261121-1",)


def test_the_result_is_json_plain() -> None:
    summary = look({"a": Seen([Report((found("notice"),), (act(),), "resolved")])})
    assert json.loads(json.dumps(summary.as_dict())) == summary.as_dict()
