# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding, Remedy, ranked


def make_finding(identifier: str, level: str) -> Finding:
    return Finding(identifier, level, "subject", "summary", remedy=Remedy("triage", {"sections": ["host"]}))


def test_the_worst_finding_comes_first_and_equals_keep_their_order() -> None:
    findings = [
        make_finding(name, level) for name, level in [("a", "notice"), ("b", "critical"), ("c", "notice")]
    ]
    assert [finding.id for finding in ranked(findings)] == ["b", "a", "c"]


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="'urgent' is none of critical, warning, notice"):
        make_finding("a", "urgent")


def test_a_finding_is_json_plain() -> None:
    assert make_finding("a.b.c", "warning").as_dict() == {
        "id": "a.b.c",
        "level": "warning",
        "subject": "subject",
        "summary": "summary",
        "evidence": {},
        "remedy": {"playbook": "triage", "inputs": {"sections": ["host"]}, "cures": True},
    }
