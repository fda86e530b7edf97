# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of both runbooks about what has to be written down, and about who has the incident."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso
from ansible_collections.firebreak.incident.plugins.plugin_utils.postmortem.lines import lines
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.desk import spoken
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import CLOSED, OPENED
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.incident import ACKNOWLEDGED, ROLE
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.state import Recorded, means, state
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.store import Store
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.timeline import FINDINGS, Running

from ..runbooks import ID, Response, said
from .conftest import draft, opening

SLOW = {
    "id": "postgres.connections.exhausted",
    "level": "critical",
    "subject": "db1",
    "summary": "97 of 97 connections are in use",
    "evidence": {},
}


def timeline(site: Response) -> list[str]:
    return [line.text for line in lines(site.events(), ())]


# Matrixon, Step 1: Detection and Assessment (0-5 minutes).


def test_acknowledge_alert(matrixon: Response) -> None:
    """It is recorded who has taken it on and when, and nobody else is paged."""
    matrixon.open(severity="Sev1")
    matrixon.tell(0)
    assert matrixon.say(4, "acknowledge", actor="oncall@control").data["by"] == "oncall@control"
    assert matrixon.incident().seconds_until("acknowledged") == 240
    assert not [each for each in said(matrixon.tell(15)) if each.startswith("page")]


def test_determine_severity_use_severity_matrix(matrixon: Response) -> None:
    data = matrixon.open(facts={"users_percent": 60}).data
    assert data["severity"] == "Sev2"
    assert data["reasons"][0].startswith("half of the users are affected")


def test_determine_severity_document_initial_findings(matrixon: Response) -> None:
    """Triage does, in a run with the incident; what a person found is a note."""
    matrixon.open(severity="Sev1")
    triage = Running("run-1", "triage", "ann@control")
    matrixon.add(*triage.told(iso(matrixon.clock()), "db1", "task", {"findings": [SLOW]}))
    matrixon.say(3, "note", text="The pool is full.")
    assert len(matrixon.events(FINDINGS)) == 1
    assert timeline(matrixon)[1:] == ["97 of 97 connections are in use", "note: The pool is full."]


def test_determine_severity_escalate_if_needed(matrixon: Response) -> None:
    """What turns out to be worse is judged anew, and who has to know of that is told."""
    matrixon.open(facts={"functions": "minor"})
    matrixon.tell(0)
    matrixon.say(3, "acknowledge")
    assert matrixon.say(9, "severity", facts={"outage": "complete"}).data["severity"] == "Sev1"
    assert {"page oncall", "initial executives", "initial status_page"} <= said(matrixon.tell(9))


# Matrixon, Step 2: Communication (5-10 minutes).


def test_create_incident_ticket_use_incident_management_system(matrixon: Response, url: str) -> None:
    """The record: each event holds the hash of the one before, so that what was written stays."""
    with Store(url) as store:
        store.open(ID, matrixon.open(severity="Sev1"))
        told = state(Recorded(*store.recorded(ID)), with_events=False)
    assert (told["id"], told["phase"], told["intact"]) == (ID, "open", True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("severity", "Sev2", id="severity"),
        pytest.param("facts", {"error_percent": "10-15"}, id="impact"),
        pytest.param("text", "The pool is full.", id="initial assessment"),
    ],
)
def test_create_incident_ticket_include(matrixon: Response, field: str, value: Any) -> None:
    matrixon.open(facts={"error_percent": "10-15"}, text="The pool is full.")
    (event,) = matrixon.events(OPENED)
    assert event.data[field] == value


def test_create_incident_ticket_set_up_incident_channel(matrixon: Response) -> None:
    """Who opens it reads the name of the channel."""
    opened = matrixon.open(severity="Sev1")
    assert spoken(ID, opened, f"#{ID}")[-1] == "channel #incident-20261121-220107"


def test_assemble_response_team_assign_incident_commander(matrixon: Response) -> None:
    matrixon.open(severity="Sev1")
    matrixon.say(6, "role", role="incident_commander", person="devops")
    (event,) = matrixon.events(ROLE)
    assert (event.data["role"], event.data["person"], event.time) == (
        "incident_commander",
        "devops",
        "2026-11-21T22:07:07.000Z",
    )


# Matrixon, Escalation Process.


def test_transfer_incident_command_is_in_the_timeline(matrixon: Response) -> None:
    matrixon.open(severity="Sev1")
    matrixon.say(6, "role", role="incident_commander", person="devops")
    matrixon.say(40, "role", role="incident_commander", person="manager")
    assert timeline(matrixon)[1:] == ["devops is incident commander", "manager is incident commander"]
    assert matrixon.incident().roles == {"incident_commander": "manager"}


def test_continue_working_on_resolution_while_it_is_escalated(matrixon: Response) -> None:
    """No role, message or update ends a phase or begins one."""
    matrixon.open(severity="Sev1")
    matrixon.say(1, "acknowledge")
    matrixon.say(40, "role", role="incident_commander", person="manager")
    matrixon.say(41, "update", text="Connections are being ended.")
    matrixon.tell(41)
    assert matrixon.incident().phase == "acknowledged"


# Zekka, Phase 2: Triage.


@pytest.mark.parametrize(
    ("facts", "severity"),
    [
        pytest.param({"services": ["payment"]}, "Sev2", id="what is affected"),
        pytest.param({"users_percent": "40-60"}, "Sev2", id="how many users impacted"),
        pytest.param({"data_loss": "suspected"}, "Sev1", id="is data at risk, lost"),
        pytest.param({"data_breach": "suspected"}, "Sev2", id="is data at risk, taken"),
    ],
)
def test_determine_severity(zekka: Response, facts: dict[str, Any], severity: str) -> None:
    assert zekka.open(facts=facts).data["severity"] == severity


def test_determine_severity_can_we_reproduce(zekka: Response) -> None:
    """It makes nothing better or worse; it is noted."""
    zekka.open(severity="P1")
    zekka.say(7, "note", text="It can be reproduced with two carts.")
    assert "note: It can be reproduced with two carts." in timeline(zekka)


def test_document_timeline_when_did_issue_start(zekka: Response) -> None:
    """Before anybody opened it: all clocks count from then."""
    opened = zekka.open(severity="P1", detected="2026-11-21T21:51:07Z")
    assert opened.data["deadlines"]["respond"] == "2026-11-21T22:06:07.000Z"
    zekka.say(0, "acknowledge")
    assert zekka.incident().seconds_until("acknowledged") == 600


def test_document_timeline_what_changed_recently(zekka: Response) -> None:
    zekka.open(severity="P1")
    zekka.say(8, "note", text="A deploy at 21:40 added a column.")
    assert "note: A deploy at 21:40 added a column." in timeline(zekka)


def test_document_timeline_who_reported_it(zekka: Response) -> None:
    """Whoever opened it is its actor; that it came from somebody else is what they say at the opening."""
    zekka.open(severity="P1", text="Reported by a user by mail.", actor="ann@control")
    (line, *_rest) = lines(zekka.events(), ())
    assert line.actor == "ann@control"
    assert "Reported by a user by mail." in line.text


# Matrixon, Continuous Improvement.


def test_review_incidents_monthly(url: str) -> None:
    """The means to acknowledge over all incidents, those that are over included."""
    with Store(url) as store:
        for number, minutes in enumerate((2, 4), 1):
            name = f"inc-{number}"
            store.open(name, opening(severity="Sev2"))
            for after, kind in ((minutes, ACKNOWLEDGED), (30, CLOSED)):
                began = datetime.fromisoformat("2026-11-21T22:00:00Z")
                store.append(name, [draft(kind, kind=kind, time=iso(began + timedelta(minutes=after)))])
        assert store.incidents() == []
        found = [Recorded(*store.recorded(each)) for each in store.incidents(False)]
    assert means(found)["acknowledged"] == {"mean_seconds": 180, "incidents": 2}
