# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.triage.sections import (
    Builder,
    Section,
    judge,
    look,
)

SHORT = 0.1
FOUND = Finding(id="test.thing.wrong", level="critical", subject="thing", summary="it is wrong")


def section(collect: Any = lambda _deadline: 1, verdict: Any = None) -> Builder:
    return lambda: Section(collect, verdict or (lambda value: ({"value": value}, [FOUND])))


@pytest.fixture
def stuck() -> Any:
    """A collector that returns when the test is over and not before."""
    over = threading.Event()
    yield lambda _deadline: over.wait(30)
    over.set()


def raising(error: Exception) -> Any:
    def collect(_deadline: Deadline) -> Any:
        raise error

    return collect


def test_what_was_seen_is_returned_under_its_name_with_its_findings() -> None:
    data, findings = judge(look({"a": section(), "b": section()}, SHORT))
    assert data["a"] == data["b"] == {"value": 1}
    assert list(data["sections"]) == ["a", "b"]
    assert {view["status"] for view in data["sections"].values()} == {"seen"}
    assert findings == [FOUND, FOUND]


def test_a_section_that_hangs_costs_only_itself(stuck: Any) -> None:
    data, findings = judge(look({"stuck": section(stuck), "quick": section()}, SHORT))
    assert data["stuck"] is None
    assert data["quick"] == {"value": 1}
    assert data["sections"]["stuck"]["status"] == "unseen"
    assert data["seconds"] < 5
    unseen = next(finding for finding in findings if finding.id == "triage.section.unseen")
    assert unseen.level == "warning"
    assert unseen.evidence["section"] == "stuck"
    assert "no answer within 0.1 s" in unseen.summary


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            Unreachable("docker", "permission denied", "Run as root."),
            "docker: permission denied. Run as root.",
        ),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (RecursionError(), "RecursionError: "),
    ],
)
def test_a_section_that_raises_says_why_and_costs_only_itself(error: Exception, said: str) -> None:
    data, findings = judge(look({"broken": section(raising(error)), "sound": section()}, SHORT))
    assert data["sections"]["broken"]["reason"] == said
    assert data["sound"] == {"value": 1}
    assert [finding.id for finding in findings] == ["triage.section.unseen", FOUND.id]


def test_a_judge_that_raises_makes_its_section_unseen() -> None:
    def verdict(_value: Any) -> Any:
        raise KeyError("gone")

    data, findings = judge(look({"odd": section(verdict=verdict), "sound": section()}, SHORT))
    assert data["odd"] is None
    assert data["sections"]["odd"] == {
        "seconds": data["sections"]["odd"]["seconds"],
        "status": "unseen",
        "reason": "KeyError: 'gone'",
    }
    assert [finding.id for finding in findings] == ["triage.section.unseen", FOUND.id]


def test_a_section_that_saw_nothing_at_all_is_still_seen() -> None:
    empty = section(lambda _deadline: None, lambda value: (value, []))
    data, findings = judge(look({"empty": empty}, SHORT))
    assert data["sections"]["empty"]["status"] == "seen"
    assert findings == []


def test_a_domain_that_cannot_be_loaded_costs_only_its_section() -> None:
    def build() -> Section:
        raise ImportError("no module named x")

    data, findings = judge(look({"lost": build, "sound": section()}, SHORT))
    assert data["sections"]["lost"]["reason"] == "ImportError: no module named x"
    assert data["sound"] == {"value": 1}
    assert [finding.id for finding in findings] == ["triage.section.unseen", FOUND.id]


def test_domains_are_loaded_one_after_the_other() -> None:
    loading: list[str] = []
    overlaps: list[list[str]] = []

    def builder(name: str) -> Builder:
        def build() -> Section:
            loading.append(name)
            threading.Event().wait(0.01)
            overlaps.append(list(loading))
            loading.remove(name)
            return section()()

        return build

    look({name: builder(name) for name in "abc"}, 5)
    assert sorted(overlaps) == [["a"], ["b"], ["c"]]
