# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading

from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import SHORTEST, Deadline, gather


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
