# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding, Remedy
from ansible_collections.firebreak.incident.plugins.module_utils.plan import Act, Undo
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.contract import read, reports

FINDING = Finding("disk.space.low", "warning", "/", "91 % used", {"used": 91}, Remedy("fix_disk_space"))
ACT = Act("firewall.block", "203.0.113.7/32", {"a": 1}, "reversible", "why", Undo("firewall.unblock", {}))


def test_what_a_module_returns_is_read_back_whole() -> None:
    report = read({"findings": [FINDING.as_dict()], "actions": [ACT.as_dict()], "verdict": "resolved"})
    assert report is not None
    assert (report.findings, report.acts, report.verdict) == ((FINDING,), (ACT,), "resolved")


@pytest.mark.parametrize(
    "foreign",
    [
        {"findings": 12},
        {"findings": ["text"]},
        {"findings": [{"id": "x", "level": "high", "subject": "s", "summary": "t"}]},
        {"actions": [{"action": "x"}]},
        {"changed": True},
    ],
)
def test_what_other_modules_call_findings_is_theirs(foreign: dict[str, Any]) -> None:
    assert read(foreign) is None


def test_every_item_of_a_loop_has_its_report() -> None:
    items = [{"findings": []}, {"skipped": True}, {"findings": [FINDING.as_dict()]}]
    assert [len(report.findings) for report in reports({"results": items})] == [0, 1]


def test_a_module_of_ours_may_have_results_of_its_own() -> None:
    assert len(reports({"results": [{"findings": []}], "findings": [FINDING.as_dict()]})) == 1
