# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.firebreak.incident.plugins.module_utils.errors import (
    Declined,
    FirebreakError,
    IdentityChanged,
    Unreachable,
)
from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.guard import Guard
from ansible_collections.firebreak.incident.plugins.module_utils.ledger import Entry, Ledger
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import Decision, Job, run_change
from ansible_collections.firebreak.incident.plugins.module_utils.plan import Plan

from .conftest import make_act

NOW = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
PARAMS: dict[str, Any] = {"max_risk": "reversible", "max_actions": 10, "context": {"run": "run-1"}}


class Switches:
    """A tiny domain: switches that ought to be on. Some are stuck, some vanish, some break."""

    def __init__(self, off: str, stuck: str = "", gone: str = "", broken: str = "", locked: str = "") -> None:
        self.off, self.stuck, self.gone, self.broken, self.locked = list(off), stuck, gone, broken, locked
        self.attempts: list[str] = []
        self.sequential = True

    def observe(self) -> tuple[str, ...]:
        return tuple(self.off)

    def decide(self, off: tuple[str, ...]) -> Decision:
        findings = tuple(Finding("test.switch.off", "warning", name, f"{name} is off") for name in off)
        plan = Plan(tuple(map(make_act, off)), sequential=self.sequential)
        return Decision(len(off), {"off": list(off)}, findings, plan)

    def set(self, identity: Mapping[str, Any]) -> None:
        name = identity["name"]
        self.attempts.append(name)
        if name in self.gone:
            raise IdentityChanged(f"switch {name}", "it is another one now", "Nothing to do.")
        if name in self.locked:
            raise Declined(f"switch {name}", "it does not let itself be moved", "Unlock it.")
        if name in self.broken:
            raise FirebreakError(f"switch {name}", "it broke", "Buy a new one.")
        if name not in self.stuck:
            self.off.remove(name)

    def change(
        self, ledger: Ledger, check_mode: bool = False, guards: tuple[Guard, ...] = (), **params: Any
    ) -> Any:
        return run_change({**PARAMS, **params}, check_mode, self.job(guards), ledger, clock=lambda: NOW)

    def job(self, guards: tuple[Guard, ...] = ()) -> Job[tuple[str, ...]]:
        return Job(self.observe, self.decide, {"test.set": self.set}, guards)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger([str(tmp_path / "ledger")])


def test_a_fix_is_resolved_when_the_symptom_is_measured_gone(ledger: Ledger) -> None:
    result = Switches("ab").change(ledger)
    assert (result["changed"], result["verdict"]) == (True, "resolved")
    assert (result["before"], result["after"]) == ({"off": ["a", "b"]}, {"off": []})
    assert [action["status"] for action in result["actions"]] == ["done", "done"]
    assert result["findings"] == []


def test_the_second_run_changes_nothing(ledger: Ledger) -> None:
    switches = Switches("ab")
    switches.change(ledger)
    again = switches.change(ledger)
    assert (again["changed"], again["verdict"], again["actions"]) == (False, "not_needed", [])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(off=st.sets(st.sampled_from("abcdef")), stuck=st.sets(st.sampled_from("abcdef")))
def test_check_mode_never_writes(tmp_path: Path, off: set[str], stuck: set[str]) -> None:
    home = tmp_path / "never"
    switches = Switches("".join(sorted(off)), stuck="".join(stuck))
    result = switches.change(Ledger([str(home)]), check_mode=True)
    assert not switches.attempts
    assert not home.exists()
    assert result["verdict"] == ("planned" if off else "not_needed")
    assert {action["status"] for action in result["actions"]} <= {"planned"}


def test_check_mode_and_apply_show_the_same_plan(ledger: Ledger) -> None:
    switches = Switches("ab")
    planned = switches.change(ledger, check_mode=True)
    done = switches.change(ledger, approved_plan=planned["plan_digest"])
    assert planned["plan_digest"] == done["plan_digest"]
    assert "planned  test.set a (reversible)" in planned["diff"]["after"]


def test_what_is_left_over_makes_the_verdict_improved(ledger: Ledger) -> None:
    result = Switches("ab", stuck="b").change(ledger)
    assert result["verdict"] == "improved"
    assert [finding["subject"] for finding in result["findings"]] == ["b"]


def test_a_fix_that_does_not_help_fails_and_names_the_next_step(ledger: Ledger) -> None:
    with pytest.raises(FirebreakError, match=r"unchanged after 1 acts\. Run triage again") as raised:
        Switches("a", stuck="a").change(ledger)
    assert raised.value.result["verdict"] == "unchanged"
    assert raised.value.result["changed"] is True


def test_a_symptom_that_grew_is_worse(ledger: Ledger) -> None:
    switches = Switches("a", stuck="a")
    observed = iter([("a",), ("a", "b")])
    switches.observe = lambda: next(observed)  # type: ignore[method-assign]
    with pytest.raises(FirebreakError) as raised:
        switches.change(ledger)
    assert raised.value.result["verdict"] == "worse"


def test_an_object_that_has_changed_since_the_plan_is_refused_and_the_others_go_on(ledger: Ledger) -> None:
    result = Switches("abc", gone="b").change(ledger)
    assert [action["status"] for action in result["actions"]] == ["done", "refused", "done"]
    assert "another one now" in result["actions"][1]["reason"]


def test_an_act_that_is_declined_is_refused_and_stops_no_other(ledger: Ledger) -> None:
    result = Switches("abc", locked="b").change(ledger)
    assert [act["status"] for act in result["actions"]] == ["done", "refused", "done"]
    assert "does not let itself be moved" in result["actions"][1]["reason"]
    assert result["verdict"] == "improved"


def test_the_first_failure_stops_the_rest_and_everything_is_reported(ledger: Ledger) -> None:
    switches = Switches("abc", broken="b")
    with pytest.raises(FirebreakError, match=r"b: test.set failed: switch b: it broke") as raised:
        switches.change(ledger)
    assert switches.attempts == ["a", "b"]
    assert [action["status"] for action in raised.value.result["actions"]] == ["done", "failed", "refused"]


def test_a_failure_stops_only_the_acts_on_its_own_target_where_the_others_do_not_rest_on_it(
    ledger: Ledger,
) -> None:
    switches = Switches("abc", broken="b")
    switches.sequential = False
    with pytest.raises(FirebreakError, match=r"b: test\.set failed") as raised:
        switches.change(ledger)
    assert [action["status"] for action in raised.value.result["actions"]] == ["done", "failed", "done"]
    assert raised.value.result["verdict"] == "improved"


class FillingLedger(Ledger):
    """Takes so many entries and no more."""

    room = 0

    def append(self, entry: Entry) -> Path:
        if self.room == 0:
            raise Unreachable("ledger", "No space left on device", "Free a few kilobytes.")
        self.room -= 1
        return super().append(entry)


@pytest.mark.parametrize(("room", "statuses"), [(1, ["done", "refused"]), (2, ["done", "refused"])])
def test_what_was_done_is_not_lost_when_the_ledger_fills_up(
    tmp_path: Path, room: int, statuses: list[str]
) -> None:
    ledger = FillingLedger([str(tmp_path)])
    ledger.room = room
    switches = Switches("ab")
    with pytest.raises(FirebreakError, match="could no longer be recorded") as raised:
        switches.change(ledger)
    assert switches.attempts == ["a"]
    assert [action["status"] for action in raised.value.result["actions"]] == statuses
    assert raised.value.result["changed"] is True


def test_a_refusal_beside_done_acts_is_no_failure(ledger: Ledger) -> None:
    result = Switches("ab").change(ledger, guards=(lambda act: "protected" if act.target == "b" else None,))
    assert result["verdict"] == "improved"
    assert [action["reason"] for action in result["actions"] if action["status"] == "refused"] == [
        "protected"
    ]


def test_when_everything_asked_for_is_refused_the_task_fails_with_the_reason(ledger: Ledger) -> None:
    switches = Switches("a")
    with pytest.raises(FirebreakError, match=r"a: test.set was refused: protected"):
        switches.change(ledger, guards=(lambda _: "protected",))
    assert not switches.attempts


def test_each_act_is_written_down_before_and_after_it_is_done(ledger: Ledger) -> None:
    Switches("a").change(ledger, context={"run": "run-7", "incident": "INC-1", "actor": "someone"})
    recorded = [(e.status, e.run, e.incident, e.actor, e.time) for e in ledger.entries()]
    assert recorded == [
        (status, "run-7", "INC-1", "someone", "2026-11-21T22:00:00.000Z") for status in ("planned", "done")
    ]


def test_nothing_is_done_that_cannot_be_recorded(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    switches = Switches("a")
    with pytest.raises(Unreachable):
        switches.change(Ledger([str(tmp_path / "file" / "below")]))
    assert not switches.attempts


def test_the_same_fix_three_times_within_the_hour_is_refused_the_fourth_time(ledger: Ledger) -> None:
    switches = Switches("a")
    for _time in range(3):
        switches.off = ["a"]
        switches.change(ledger)
    switches.off = ["a"]
    with pytest.raises(FirebreakError, match=r"3 times within the hour .* escalate"):
        switches.change(ledger)


def test_what_failed_three_times_may_be_repeated_when_its_reason_is_gone(ledger: Ledger) -> None:
    switches = Switches("a", broken="a")
    for _time in range(3):
        with pytest.raises(FirebreakError, match="it broke"):
            switches.change(ledger)
    switches.broken = ""
    assert switches.change(ledger)["verdict"] == "resolved"


def test_the_cooldown_ends_with_the_hour(ledger: Ledger) -> None:
    switches = Switches("a")
    for _time in range(3):
        switches.off = ["a"]
        switches.change(ledger)
    switches.off = ["a"]
    result = run_change(PARAMS, False, switches.job(), ledger, clock=lambda: NOW + timedelta(seconds=3601))
    assert result["verdict"] == "resolved"


def test_acts_are_not_lost_when_the_proof_cannot_be_had(ledger: Ledger) -> None:
    switches = Switches("a")
    first = switches.observe()

    def observe() -> tuple[str, ...]:
        if switches.attempts:
            raise Unreachable("panel", "it does not answer", "Look at it.")
        return first

    switches.observe = observe  # type: ignore[method-assign]
    with pytest.raises(FirebreakError, match="the acts were done and are not proved") as raised:
        switches.change(ledger)
    assert [action["status"] for action in raised.value.result["actions"]] == ["done"]
