# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.closing import (
    Chronicle,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.command import Launcher
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.contract import Report
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.failure import Failure
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.model import Closing, Outcome
from ansible_collections.firebreak.incident.plugins.plugin_utils.summary import Run, Seen, summarise

from .conftest import make_finding

FOUND = Report((make_finding(),))


def close(chronicle: Chronicle, stats: dict[str, dict[str, int]], interrupted: bool = False) -> Closing:
    return chronicle.closing(Run(), Launcher(), stats, 1.0, interrupted)


def words(closing: Closing) -> dict[str, str]:
    return {row.host: row.word for row in closing.rows}


def test_a_host_that_nobody_looked_at_is_not_well() -> None:
    chronicle = Chronicle()
    chronicle.expect(["a", "b", "c"])
    chronicle.record(Outcome("a", "ok", [FOUND]), ["a", "b", "c"])
    chronicle.record(Outcome("b", "ok", [Report()]), ["a", "b", "c"])
    assert words(close(chronicle, {"a": {}, "b": {}})) == {
        "a": "critical",
        "b": "nothing found",
        "c": "not looked at",
    }


def test_a_failure_after_the_summary_still_counts() -> None:
    chronicle = Chronicle()
    chronicle.record(Outcome("a", "ok", [Report()]), ["a"])
    chronicle.summary = summarise({"a": Seen([Report()])}, Run(), Launcher()).as_dict()
    chronicle.record(Outcome("a", "failed", failures=[("", Failure(("gone",)))]), ["a"])
    assert words(close(chronicle, {"a": {}})) == {"a": "failed"}


def test_a_rescued_failure_is_not_the_end_of_a_host() -> None:
    chronicle = Chronicle()
    chronicle.record(Outcome("a", "rescued", [Report()], failures=[("", Failure(("gone",)))]), ["a"])
    assert words(close(chronicle, {"a": {}})) == {"a": "nothing found"}


def test_playbooks_without_our_modules_end_with_ansibles_count() -> None:
    chronicle = Chronicle()
    chronicle.expect(["a"])
    (row,) = close(chronicle, {"a": {"changed": 2}}).rows
    assert (row.word, row.progress) == ("ok", "2 steps changed")


def test_an_interrupted_run_claims_nothing_of_who_did_not_answer() -> None:
    chronicle = Chronicle()
    chronicle.expect(["a", "b"])
    chronicle.record(Outcome("a", "ok", [Report()]), [])
    assert words(close(chronicle, {}, interrupted=True)) == {"a": "nothing found", "b": "not looked at"}
