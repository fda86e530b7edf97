# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.outcome import diff_lines, outcome


def test_each_failed_item_of_a_loop_is_named() -> None:
    items = [
        {"item": "a", "failed": False},
        {"item": {"x": 1}, "_ansible_item_label": "b", "failed": True, "msg": "full"},
        {"censored": "hidden", "item": "hunter2", "failed": True},
    ]
    ended = outcome("h", "failed", {"results": items, "msg": "One or more items failed"}, "copy")
    assert [(label, failure.lines[0]) for label, failure in ended.failures] == [
        ("b", "full"),
        ("hidden item", "the message is hidden (no_log)"),
    ]


def test_an_item_that_was_not_to_fail_did_not() -> None:
    items = [{"item": "a", "failed": True, "failed_when_result": False}, {"item": "b", "failed": True}]
    assert [label for label, _f in outcome("h", "failed", {"results": items}, "x").failures] == ["b"]


def test_debug_says_what_it_was_asked_to_say() -> None:
    assert outcome("h", "ok", {"msg": "one\ntwo\x1b"}, "ansible.builtin.debug").notes == ("one", "two\\x1b")
    assert outcome("h", "ok", {"pool": {"a": 1}, "changed": False}, "debug").notes == (
        "pool: {",
        '  "a": 1',
        "}",
    )


def test_messages_of_other_peoples_modules_are_not_news() -> None:
    assert outcome("h", "ok", {"msg": "All assertions passed"}, "ansible.builtin.assert").notes == ()
    assert outcome("h", "ok", {"msg": "sent"}, "firebreak.incident.notify").notes == ("sent",)


def test_a_step_that_was_skipped_says_nothing() -> None:
    skipped = {"skipped": True, "skip_reason": "Conditional result was False", "false_condition": "x"}
    for action in ("ansible.builtin.debug", "firebreak.incident.notify"):
        assert outcome("h", "skipped", skipped, action).notes == ()
        assert outcome("h", "skipped", {"results": [], "skip_reason": "No items"}, action).notes == ()


def test_nothing_hidden_is_shown() -> None:
    hidden = {"censored": "the output has been hidden", "changed": True}
    ended = outcome("h", "ok", hidden, "firebreak.incident.notify")
    assert (ended.notes, ended.reports) == ((), ())
    assert diff_lines({**hidden, "diff": {"before": "", "after": "hunter2"}}) == []


def test_the_diff_of_a_file_is_unified_and_clean() -> None:
    lines = diff_lines(
        {"diff": [{"before": "a\nb\n", "after": "a\nc\x1b\n", "after_header": "/etc/x", "before_header": ""}]}
    )
    assert lines == ["--- before", "+++ /etc/x", "@@ -1,2 +1,2 @@", " a", "-b", "+c\\x1b"]


def test_a_plan_of_ours_is_not_shown_twice() -> None:
    assert diff_lines({"actions": [], "diff": {"before": "", "after": "planned x\n"}}) == []


def test_structures_and_prepared_diffs_are_shown() -> None:
    assert diff_lines({"diff": {"prepared": "+x\n"}}) == ["+x"]
    assert "+{" in diff_lines({"diff": {"before": None, "after": {"a": 1}}})
