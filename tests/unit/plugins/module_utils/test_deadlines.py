# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import (
    SHORTEST,
    Deadline,
    Once,
    gather,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable


def test_answers_come_in_the_order_of_the_questions() -> None:
    first_may_go = threading.Event()

    def first(_deadline: Deadline) -> int:
        first_may_go.wait(5)
        return 1

    def second(_deadline: Deadline) -> int:
        first_may_go.set()
        return 2

    outcomes = gather({"first": first, "second": second}, 5)
    assert [(name, outcome.value) for name, outcome in outcomes.items()] == [("first", 1), ("second", 2)]


def test_a_collector_is_asked_to_finish_before_the_runner_gives_up() -> None:
    outcome = gather({"a": lambda deadline: deadline.remaining()}, 10.0)["a"]
    assert outcome.value is not None
    assert 5.0 < outcome.value <= 9.0


def test_a_deadline_is_never_zero_or_negative() -> None:
    now = [0.0]
    deadline = Deadline(3.0, lambda: now[0])
    assert deadline.remaining() == 3.0
    assert deadline.remaining(at_most=1.0) == 1.0
    assert not deadline.over
    now[0] = 100.0
    assert deadline.remaining() == SHORTEST
    assert deadline.over


def test_nothing_to_do_is_done_at_once() -> None:
    assert gather({}, 10.0) == {}


def test_what_several_want_is_asked_once() -> None:
    asked: list[str] = []
    may_answer = threading.Event()
    once = Once()

    def answer(_deadline: Deadline) -> str:
        asked.append("x")
        may_answer.wait(5)
        return "told"

    def second(deadline: Deadline) -> str:
        may_answer.set()
        return once.ask("x", answer, deadline)

    outcomes = gather({"first": lambda inner: once.ask("x", answer, inner), "second": second}, 5)
    assert [outcome.value for outcome in outcomes.values()] == ["told", "told"]
    assert asked == ["x"]


def test_who_waits_for_anothers_question_hears_why_it_failed() -> None:
    once = Once()

    def refuse(_deadline: Deadline) -> str:
        raise Unreachable("docker", "permission denied", "Run as root.")

    for _attempt in range(2):
        with pytest.raises(Unreachable, match="permission denied"):
            once.ask("x", refuse, Deadline(5))
    assert once.ask("y", lambda _deadline: 1, Deadline(5)) == 1


def test_who_waits_for_anothers_question_waits_no_longer_than_it_may() -> None:
    once, done = Once(), threading.Event()
    gone = threading.Thread(target=once.ask, args=("x", lambda _deadline: done.wait(5), Deadline(5)))
    gone.start()
    try:
        with pytest.raises(Unreachable, match="x: it did not answer in time"):
            once.ask("x", lambda _deadline: True, Deadline(0))
    finally:
        done.set()
        gone.join()
