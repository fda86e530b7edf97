# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.information import run_info


def test_an_info_run_returns_its_data_and_ranks_its_findings() -> None:
    findings = [Finding("a.b.c", "notice", "s", "n"), Finding("a.b.d", "critical", "s", "c")]
    result = run_info(lambda: 3, lambda seen: ({"count": seen}, findings))
    assert (result["changed"], result["count"]) == (False, 3)
    assert [finding["level"] for finding in result["findings"]] == ["critical", "notice"]
