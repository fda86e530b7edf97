# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.evidence.model import (
    ABSENT,
    BUDGET,
    TOOL,
    Missing,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.collector import Outcome
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.findings import (
    ClockOffset,
    findings,
)


def found(outcome: Outcome, clock: ClockOffset | None = None) -> list[tuple[str, str]]:
    return [(each.id, each.level) for each in findings("db1", "/e/r/db1", outcome, [], clock)]


def test_a_host_without_docker_is_no_incomplete_collection() -> None:
    assert found(Outcome(missing=[Missing("docker", ABSENT, "there is none")])) == []


def test_what_is_missing_is_a_warning_with_its_name() -> None:
    missing = [Missing(f"step{number}", BUDGET, "no room") for number in range(7)]
    finding = next(iter(findings("db1", "/e", Outcome(missing=missing, stopped="no room"), [], None)))
    assert (finding.id, finding.level) == ("evidence.collection.incomplete", "warning")
    assert "step0, step1" in finding.summary
    assert "and 2 more" in finding.summary
    assert len(finding.evidence["missing"]) == 7


def test_a_tool_that_is_missing_is_good_to_know() -> None:
    outcome = Outcome(missing=[Missing("nftables", TOOL, "nft is not on this host")])
    assert found(outcome) == [("evidence.tool.missing", "notice")]


@pytest.mark.parametrize(
    ("offset", "uncertainty", "level"),
    [
        (0.9, 0.0, None),
        (-1.5, 0.1, "notice"),
        (1.5, 0.6, None),
        (61.0, 0.1, "warning"),
        (-3600.0, 2.0, "warning"),
    ],
)
def test_a_clock_that_is_off_by_more_than_the_way_there(
    offset: float, uncertainty: float, level: str | None
) -> None:
    expected = [("evidence.clock.off", level)] if level else []
    assert found(Outcome(), ClockOffset(offset, uncertainty, "asked")) == expected


def test_an_answer_that_cannot_be_honest_is_a_warning() -> None:
    assert found(Outcome(refused=["a bomb"])) == [("evidence.answer.refused", "warning")]
