# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of both runbooks about what responders say and read, as the playbooks of an incident do it."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase

from ansible_collections.firebreak.incident.plugins.action import incident, incident_info

from ..plugin_utils.runbooks import variables


@pytest.fixture(autouse=True)
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    monkeypatch.setattr(ActionBase, "run", lambda *_given: {})
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return {**variables("zekka"), "firebreak_record": f"sqlite:///{tmp_path / 'incidents.db'}"}


def run(module: Any, site: dict[str, Any], **args: Any) -> dict[str, Any]:
    made: Any = object.__new__(module.ActionModule)
    made._task = SimpleNamespace(args=args, check_mode=False, action="incident")
    made._templar = SimpleNamespace(template=lambda value: value)
    result: dict[str, Any] = made.run(task_vars=site)
    return result


def opened(site: dict[str, Any]) -> dict[str, Any]:
    return run(
        incident, site, event="open", title="The shop answers with errors", facts={"outage": "complete"}
    )


def test_create_incident_ticket_set_up_incident_channel(site: dict[str, Any]) -> None:
    """Who opens it reads how the channel is called, and how bad it is."""
    result = opened(site)
    assert re.fullmatch(r"#incident-\d{8}-\d{6}", result["channel"])
    assert result["channel"] in result["msg"] and "Sev1 / P0" in result["msg"]


@pytest.mark.parametrize("role", ["incident_commander", "communications_lead"])
def test_assign_incident_commander_to_somebody_of_the_table_of_contacts(
    site: dict[str, Any], role: str
) -> None:
    name = opened(site)["incident"]
    wrong = run(incident, site, event="role", id=name, role=role, person="leed")
    assert wrong["failed"] and "Did you mean 'lead'" in wrong["msg"]
    assert run(incident, site, event="role", id=name, role=role, person="lead")["changed"]
    (found,) = run(incident_info, site, id=name)["incidents"]
    assert found["roles"] == {role: "lead"}


def test_on_call_rotation_says_whose_turn_it_is(site: dict[str, Any]) -> None:
    opened(site)
    (turn,) = run(incident_info, site)["on_call"]
    assert turn["person"] in site["firebreak_rotations"]["primary"]["people"]


def test_schedule_post_mortem_meeting_within_48_hours_is_told_to_who_ends_the_incident(
    site: dict[str, Any],
) -> None:
    name = opened(site)["incident"]
    for word in ("acknowledge", "resolve", "close"):
        run(incident, site, event=word, id=name)
    last = run(incident_info, site, id=name)["msg"].splitlines()[-1]
    assert "review" in last and "48 h" in last
    assert "write_postmortem" in last and name in last
