# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.host import observe
from ansible_collections.firebreak.incident.plugins.module_utils.triage.sections import judge, look
from ansible_collections.firebreak.incident.plugins.module_utils.triage.table import SPEC, TABLE, chosen

NOTHING: dict[str, Any] = {"services": {}, "endpoints": [], "login_window": "1h"}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "INTERVAL", 0.0)


@pytest.mark.parametrize("name", list(TABLE))
def test_every_section_can_be_loaded(name: str) -> None:
    assert callable(chosen({**NOTHING, "sections": [name]})[name]().collect)


def test_sections_come_once_and_in_the_order_of_the_table() -> None:
    assert list(chosen({**NOTHING, "sections": ["http", "host", "http"]})) == ["host", "http"]


def test_all_sections_are_looked_at_by_default() -> None:
    assert SPEC["sections"]["default"] == SPEC["sections"]["choices"] == list(TABLE)


def test_a_mistake_in_a_service_costs_only_the_sections_that_need_it() -> None:
    params = {**NOTHING, "sections": ["host", "services", "http"], "services": {"app": {"runtime": "podman"}}}
    data, findings = judge(look(chosen(params), 10))
    assert data["host"]["cpus"] >= 1
    assert (data["services"], data["http"]) == (None, None)
    unseen = [finding for finding in findings if finding.id == "triage.section.unseen"]
    assert [finding.evidence["section"] for finding in unseen] == ["services", "http"]
    assert "service app: its runtime is 'podman'" in unseen[0].summary


def test_this_very_machine_can_be_looked_at_with_nothing_configured() -> None:
    data, _findings = judge(look(chosen({**NOTHING, "sections": ["host", "http"]}), 10))
    assert {view["status"] for view in data["sections"].values()} == {"seen"}
    assert json.loads(json.dumps(data))["http"] == []


def test_to_look_at_nothing_is_no_way_to_call_a_host_healthy() -> None:
    with pytest.raises(BadInput, match="nothing would be looked at"):
        chosen({"sections": []})
