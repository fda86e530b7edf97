# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.plugin_utils.postmortem.account import Account, account

from .conftest import Record
from .story import FULL, SLOW, act, finding, message, night, opened, run, said, when


def phase(told: Account, name: str) -> tuple[float | None, float | None, bool]:
    found = next(each for each in told.phases if each.name == name)
    return found.seconds, found.allowed, found.late


def test_phases_count_from_the_detection_and_are_held_to_their_deadlines(told: Account) -> None:
    assert phase(told, "acknowledged") == (24 * 60, 15 * 60, True)
    assert phase(told, "on the status page") == (19 * 60, 15 * 60, True)
    assert phase(told, "contained") == (34 * 60, None, False)
    assert told.duration == 88 * 60
    assert [each.name for each in told.phases][:2] == ["open", "acknowledged"]


def test_what_was_due_and_never_came_is_late(record: Record) -> None:
    told = account(record([opened(severity="Sev1"), said(20, "acknowledge"), said(90, "resolve")]))
    assert phase(told, "told to executives") == (None, 15 * 60, True)


def test_what_is_not_due_yet_is_not_late(record: Record) -> None:
    told = account(record([opened(), said(5, "note", text="on it")]))
    assert phase(told, "acknowledged") == (None, 15 * 60, False)


def test_the_clock_begins_again_when_it_becomes_worse(record: Record) -> None:
    worse = {
        "severity": "Sev1",
        "reasons": ["everything"],
        "deadlines": {"respond": when(0), "status_page": when(15)},
    }
    told = account(record([opened(severity="Sev4"), said(60, "severity", **worse), said(61, "acknowledge")]))
    assert phase(told, "acknowledged") == (61 * 60, 60 * 60, True)
    assert phase(told, "on the status page") == (None, 75 * 60, False)


def test_a_phase_that_was_led_back_from_is_two_bands(record: Record) -> None:
    told = account(record([opened(), said(20, "resolve"), said(30, "reopen"), said(50, "resolve")]))
    assert [(band.phase, band.begin) for band in told.bands] == [
        ("detected", when(0)),
        ("open", when(2)),
        ("resolved", when(20)),
        ("open", when(30)),
        ("resolved", when(50)),
    ]
    assert told.duration == 50 * 60


def test_an_act_is_undone_by_the_one_that_its_undo_names(told: Account) -> None:
    states = [(each.action, each.target, each.state) for each in told.acts]
    assert states[:4] == [
        ("firewall.block", "203.0.113.9", "done"),
        ("firewall.block", "192.0.2.14", "undone"),
        ("accounts.lock", "deploy", "refused"),
        ("firewall.unblock", "192.0.2.14", "done"),
    ]


def test_done_again_after_its_undo_it_stands(record: Record) -> None:
    block = act("firewall.block", "192.0.2.1", undo="firewall.unblock")
    unblock = act("firewall.unblock", "192.0.2.1", undo="firewall.block")
    runs = [
        run(n, f"p{n}", [("web1", {"actions": [each]})]) for n, each in enumerate([block, unblock, block], 3)
    ]
    told = account(record([opened(), *(draft for drafts in runs for draft in drafts)]))
    assert [each.state for each in told.acts] == ["undone", "done", "done"]


def test_on_another_host_nothing_is_undone(record: Record) -> None:
    block = act("firewall.block", "192.0.2.1", undo="firewall.unblock")
    unblock = act("firewall.unblock", "192.0.2.1")
    told = account(
        record(
            [
                opened(),
                *run(3, "a", [("web1", {"actions": [block]})]),
                *run(4, "undo", [("web2", {"actions": [unblock]})]),
            ]
        )
    )
    assert [each.state for each in told.acts] == ["done", "done"]


def test_findings_before_and_after(told: Account) -> None:
    states = {(one.host, one.subject[:5]): one.state for one in told.findings}
    assert states == {
        ("db1", "shop "): "gone",
        ("db1", "/var "): "still there",
        ("web1", "nginx"): "gone",
        ("web1", "sshd "): "gone",
    }
    assert [one.level for one in told.findings if one.host == "db1"] == ["critical", "warning"]


def test_nothing_is_gone_that_nobody_looked_for_again(record: Record) -> None:
    other = run(9, "fix_database_locks", [("db1", {"findings": [FULL]})])
    told = account(record([opened(), *run(3, "triage", [("db1", {"findings": [SLOW]})]), *other]))
    assert {one.state for one in told.findings} == {"not looked at again"}


def test_a_run_that_failed_on_a_host_saw_nothing(record: Record) -> None:
    drafts = [
        opened(),
        *run(3, "triage", [("db1", {"findings": [SLOW]})]),
        *run(9, "triage", [], hosts=["db1"]),
    ]
    stats = {"hosts": {"db1": {"ok": 1, "failures": 0, "unreachable": 1}}}
    drafts[-1] = replace(drafts[-1], data={**drafts[-1].data, **stats})
    assert account(record(drafts)).findings[0].state == "not looked at again"


def test_the_first_and_the_last_words_of_a_finding_are_told(record: Record) -> None:
    fuller = finding(FULL["id"], "critical", FULL["subject"], "/var is full")
    told = account(
        record(
            [
                opened(),
                *run(3, "triage", [("db1", {"findings": [FULL]})]),
                *run(9, "triage", [("db1", {"findings": [fuller]})]),
            ]
        )
    )
    assert [(one.summary, one.last, one.state) for one in told.findings] == [
        (FULL["summary"], "/var is full", "still there")
    ]


def test_messages_are_late_after_their_deadline_and_say_why_they_failed(told: Account) -> None:
    late = [line.text for line in told.lines if line.late]
    assert late == [
        "escalation to cleo (SMS 12be90) as secondary",
        "initial to status page (status page)",
        "update to incidents (Slack 3fa9c1)",
    ]
    assert "update to customers (SMTP 0be1) not sent: the server said 451" in [
        line.text for line in told.lines
    ]


def test_lines_are_in_the_order_in_which_things_happened(record: Record) -> None:
    told = account(record([opened(), said(30, "note", text="later"), message(10, "initial", "incidents")]))
    assert [line.time for line in told.lines] == [when(2), when(10), when(30)]


def test_the_lock_tree_is_the_one_that_was_found(told: Account) -> None:
    assert [(host, len(tree.splitlines())) for host, tree in told.trees] == [("db1", 15)]


def test_a_tree_that_cannot_be_drawn_keeps_nothing_from_being_told(record: Record) -> None:
    result = {"verdict": "resolved", "before": {"tree": [{"waiting_behind": "many"}]}, "after": {}}
    told = account(record([opened(), *run(3, "fix_database_locks", [("db1", result)])]))
    assert told.trees == (("db1", "it was recorded in a way that cannot be drawn"),)


def test_whoever_writes_it_is_no_part_of_it(record: Record) -> None:
    events = record([*night(), *run(9000, "write_postmortem", [])])
    assert account(events) == account(events[: len(night())])


def test_what_cannot_be_read_is_left_out_and_told(record: Record) -> None:
    events = record(night())
    events[3] = replace(events[3], time="yesterday")
    events[5] = replace(events[5], data={"deadlines": "soon"})
    told = account(events, ["event 4 (message.sent) was altered"])
    assert len(told.doubts) == 3
    assert told.lines


def test_of_nothing_nothing_is_told(record: Record) -> None:
    with pytest.raises(BadInput, match="none of its events can be read"):
        account([replace(each, time="?") for each in record([opened()])])
