# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of both runbooks about roles and escalation, at the sites of the example inventories."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.people.rotation import Rotation

from ..runbooks import Response, minutes_until, said, text, variables

P0, P1, P2 = ({"severity": f"P{number}"} for number in range(3))
EVERY_QUARTER = (0, 15, 30, 60)


def told_at(site: Response, *minutes: float) -> dict[str, float]:
    """What is told to a person, as `event whom`, and when first."""
    found: dict[str, float] = {}
    for minute in minutes:
        for each in site.tell(minute):
            if each.event in ("page", "escalation"):
                found.setdefault(f"{each.event} {each.whom}", minute)
    return found


# Matrixon, Emergency Contact Information.

LEVELS: list[tuple[str, str, str, dict[str, Any], str, float]] = [
    ("on-call engineer, primary response, level 1", "oncall", "On-Call Engineer", {}, "page", 0),
    ("devops lead, infrastructure, level 2", "devops", "DevOps Lead", {}, "page", 15),
    (
        "security team, security incidents, level 1",
        "security",
        "Security Team",
        {"security": True},
        "escalation",
        0,
    ),
    (
        "database admin, database issues, level 2",
        "dba",
        "Database Admin",
        {"facts": {"services": ["postgres"]}},
        "escalation",
        15,
    ),
    ("engineering manager, escalation, level 3", "manager", "Engineering Manager", {}, "page", 30),
    ("cto, major incidents, level 4", "cto", "CTO", {}, "page", 60),
]


@pytest.mark.parametrize(
    ("who", "name", "given", "event", "minute"), [row[1:] for row in LEVELS], ids=[row[0] for row in LEVELS]
)
def test_matrixon_primary_contacts(
    matrixon: Response, who: str, name: str, given: dict[str, Any], event: str, minute: float
) -> None:
    """Each is reached no later than its level says: the first at once, the last within the hour."""
    person = matrixon.policy().people.people[who]
    assert (person.name, bool(person.email), bool(person.phone)) == (name, True, True)
    matrixon.open(severity="Sev1", **given)
    assert told_at(matrixon, *EVERY_QUARTER)[f"{event} {who}"] <= minute


@pytest.mark.parametrize(
    ("service", "contact", "notes"),
    [
        pytest.param("Cloud provider", "AWS Support", "Business support", id="cloud provider"),
        pytest.param("CDN", "CloudFlare", "Enterprise plan", id="cdn provider"),
        pytest.param("DNS", "Route53 / CloudFlare", "Critical", id="dns provider"),
        pytest.param("Monitoring", "PagerDuty", "24/7", id="monitoring"),
    ],
)
def test_matrixon_external_contacts(matrixon: Response, service: str, contact: str, notes: str) -> None:
    """Responders read whom to call outside, and under which account; nobody outside reads it."""
    (external,) = [each for each in matrixon.policy().people.external if each.service == service]
    assert (external.contact, external.notes, bool(external.account)) == (contact, notes, True)
    matrixon.open(severity="Sev1", facts={"users_percent": 80})
    sent = matrixon.tell(0)
    (line,) = [line for line in text(sent, "initial", "incidents").splitlines() if service in line]
    assert contact in line and external.account in line
    for public in ("customers", "status_page"):
        assert contact not in text(sent, "initial", public)


# Zekka, Response Team.

ROLES = (
    "incident_commander",
    "engineering_lead",
    "security_lead",
    "database_admin",
    "devops_lead",
    "communications_lead",
)


@pytest.mark.parametrize("role", ROLES)
def test_zekka_primary_contacts_have_a_name_email_phone_and_backup(zekka: Response, role: str) -> None:
    first, *backup = zekka.policy().people.with_role(role, zekka.clock())
    assert first.name and first.email and first.phone
    assert [each.id for each in backup if each != first]


def test_zekka_backup_is_told_with_whom_they_stand_in_for(zekka: Response) -> None:
    """Who cannot be reached does not know it: both are told at the same time."""
    roles = {**zekka.variables["firebreak_roles"], "engineering_lead": ["lead", "security"]}
    zekka.variables["firebreak_roles"] = roles
    zekka.open(**P0)
    assert {"page lead", "page security"} <= said(zekka.tell(15))


@pytest.mark.parametrize("role", ROLES)
def test_zekka_each_role_can_be_given_and_taken_over_in_an_incident(zekka: Response, role: str) -> None:
    zekka.open(**P1)
    zekka.say(1, "role", role=role, person="lead")
    zekka.say(2, "role", role=role, person="security")
    assert zekka.incident().roles == {role: "security"}


@pytest.mark.parametrize(
    ("week", "engineer"),
    [
        pytest.param(number, f"engineer_{letter}", id=f"week {number}, engineer {letter}")
        for number, letter in enumerate("abcd", 1)
    ],
)
def test_zekka_on_call_rotation(zekka: Response, week: int, engineer: str) -> None:
    """Weeks are counted from the anchor of the rotation: those of the calendar break in a year of 53."""
    rotation = zekka.policy().people.rotations["primary"]
    begin = datetime(2026, 1, 5, 9, tzinfo=rotation.zone) + timedelta(weeks=week - 1)
    for later in (timedelta(), timedelta(weeks=4), timedelta(days=6, hours=23), timedelta(weeks=8, days=3)):
        (person,) = zekka.policy().people.with_role("on_call", (begin + later).astimezone(UTC))
        assert person.id == engineer


def test_zekka_on_call_rotation_goes_on_over_a_year_of_53_weeks() -> None:
    """2026 has 53: by the number of the week modulo 4 the same engineer would have two turns in a row."""
    given = {**variables("zekka")["firebreak_rotations"]["primary"], "overrides": []}
    rotation = Rotation.of("primary", given)
    mondays = [datetime(2026, 12, 14, 12, tzinfo=UTC) + timedelta(weeks=number) for number in range(6)]
    turns = [rotation.on_call(monday) for monday in mondays]
    assert turns == ["engineer_b", "engineer_c", "engineer_d", "engineer_a", "engineer_b", "engineer_c"]


@pytest.mark.parametrize(
    ("who", "minute"),
    [
        pytest.param("engineer_b", 0, id="on-call engineer, 0-15 min"),
        pytest.param("lead", 15, id="engineering lead, 15-30 min"),
        pytest.param("cto", 30, id="cto, 30-60 min"),
        pytest.param("ceo", 60, id="ceo, 1+ hour"),
    ],
)
def test_zekka_escalation_path(zekka: Response, who: str, minute: int) -> None:
    zekka.open(**P0)
    zekka.tell(0, 14, 15, 29, 30, 59, 60, 90)
    assert zekka.minutes("page", who) == [minute]


def test_zekka_escalation_path_ceo_p0_only(zekka: Response) -> None:
    zekka.open(**P1)
    assert "page ceo" not in told_at(zekka, *EVERY_QUARTER)
    assert zekka.minutes("page", "cto") == [30]


# Zekka, Appendix B: Contact Information.


@pytest.mark.parametrize(
    ("service", "contact"),
    [
        pytest.param("Emergency hotline", "+1 555 0100", id="emergency hotline"),
        pytest.param("Documentation", "https://docs.zekka.example", id="documentation"),
    ],
)
def test_zekka_contact_information(zekka: Response, service: str, contact: str) -> None:
    zekka.open(**P0)
    told = text(zekka.tell(0), "initial", "incidents")
    assert [line for line in told.splitlines() if service in line and contact in line]


def test_zekka_contact_information_security_team_email(zekka: Response) -> None:
    """Whom a security incident goes to."""
    zekka.open(**P2, security=True)
    assert "escalation security" in said(zekka.tell(0))
    (person,) = zekka.policy().people.with_role("security_team", zekka.clock())
    assert person.email == "security@zekka.example"


def test_zekka_contact_information_status_page(zekka: Response) -> None:
    zekka.open(**P0)
    assert "https://status.zekka.example" in text(zekka.tell(0), "initial", "executives")


# Matrixon, Escalation Matrix.


@pytest.mark.parametrize(
    ("given", "whom", "holds_from", "within"),
    [
        pytest.param(
            {"severity": "Sev1"},
            ["manager"],
            30,
            0,
            id="severity 1 not resolved in 30 min, engineering manager, immediate",
        ),
        pytest.param(
            {"severity": "Sev2"},
            ["manager"],
            120,
            15,
            id="severity 2 not resolved in 2 hours, engineering manager, within 15 min",
        ),
        pytest.param(
            {"facts": {"data_breach": "suspected"}},
            ["security", "legal"],
            0,
            0,
            id="data breach suspected, security team and legal, immediate",
        ),
        pytest.param(
            {"facts": {"revenue_total": 10_001}},
            ["manager", "cto"],
            0,
            0,
            id="revenue impact over 10k, engineering manager and cto, immediate",
        ),
        pytest.param(
            {"facts": {"services": ["nginx", "redis"]}},
            ["devops"],
            0,
            15,
            id="multiple services affected, devops lead, within 15 min",
        ),
        pytest.param(
            {"facts": {"complaints": "rising"}},
            ["success", "press"],
            0,
            30,
            id="customer complaints rising, customer success and pr, within 30 min",
        ),
    ],
)
def test_matrixon_escalation_matrix(
    matrixon: Response, given: dict[str, Any], whom: list[str], holds_from: float, within: float
) -> None:
    """Whether or not somebody has taken it on. The lead is told of each Sev2 by the other runbook."""
    matrixon.variables["firebreak_roles"]["engineering_lead"] = ["oncall"]
    matrixon.open(**{"severity": "Sev4", **given})
    matrixon.say(0, "acknowledge")
    if holds_from:
        assert not {f"escalation {who}" for who in whom} & said(matrixon.tell(0, holds_from - 1))
    deadlines = [minutes_until(matrixon.due(holds_from, "escalation", who)) for who in whom]
    assert deadlines == [holds_from + within] * len(whom)
    assert {f"escalation {who}" for who in whom} <= said(matrixon.tell(holds_from))
    assert not [each for each in matrixon.tell(holds_from + 30) if each.whom in whom]


def test_matrixon_escalation_matrix_revenue_in_all_is_not_revenue_an_hour(matrixon: Response) -> None:
    """The runbook writes $10k here and $10,000/hour for Severity 1: two quantities, of which each has its own
    fact."""
    matrixon.open(severity="Sev4", facts={"revenue_per_hour": 50_000})
    assert told_at(matrixon, 0) == {}


# Matrixon, Escalation Process.


@pytest.fixture
def escalated(matrixon: Response) -> Response:
    matrixon.open(severity="Sev1", facts={"outage": "complete"}, title="No message arrives")
    matrixon.say(1, "acknowledge")
    matrixon.say(2, "role", role="incident_commander", person="devops")
    matrixon.say(20, "update", text="The pool of the database is full.")
    matrixon.tell(20, 30)
    return matrixon


def test_process_1_update_incident_ticket_with_escalation_reason(escalated: Response) -> None:
    because = "severity 1 is not resolved after 30 minutes"
    (told,) = [e.data for e in escalated.events("message.sent") if e.data["event"] == "escalation"]
    assert (told["person"], told["role"], told["because"]) == ("manager", "engineering_manager", because)
    assert all(because in document for document in escalated.documents())


def test_process_2_call_or_page_the_escalation_contact(escalated: Response) -> None:
    assert escalated.minutes("escalation", "manager") == [30]


def test_process_2_who_cannot_be_paged_has_to_be_called(matrixon: Response) -> None:
    matrixon.variables["firebreak_audiences"]["on_call"] = []
    matrixon.open(severity="Sev1")
    result = matrixon.escalate(0)
    assert result["failed"]
    assert matrixon.policy().people.people["oncall"].phone in result["msg"]


def test_process_3_brief_them_on_current_situation(escalated: Response) -> None:
    brief = text([each for _minute, each in escalated.sent], "escalation", "manager")
    for part in (
        "Engineering Manager, this comes to you as engineering manager",
        "No message arrives",
        "Sev1 / P0",
        "2026-11-21 22:01 UTC (30 min)",
        "complete outage",
        "The pool of the database is full.",
        "DevOps Lead",
        "#incident-20261121-220107",
    ):
        assert part in brief


def test_process_4_transfer_incident_command_if_requested(escalated: Response) -> None:
    escalated.say(40, "role", role="incident_commander", person="manager")
    escalated.say(41, "update", text="Connections are being ended.")
    assert "Engineering Manager" in text(escalated.tell(41), "update", "incidents")
    assert escalated.incident().roles == {"incident_commander": "manager"}
    assert all("manager is incident commander" in document for document in escalated.documents())


def test_process_5_continue_working_on_resolution(escalated: Response) -> None:
    """That somebody higher knows of it ends nothing: it is open, with whoever took it, and updates go on."""
    assert escalated.incident().phase == "acknowledged"
    assert "update incidents" in said(escalated.tell(50))


def test_assemble_response_team_assign_incident_commander(matrixon: Response) -> None:
    matrixon.open(severity="Sev1")
    matrixon.say(0, "role", role="incident_commander", person="devops")
    assert "Incident commander: DevOps Lead" in text(matrixon.tell(0), "initial", "incidents")


def test_assemble_response_team_the_commander_of_the_site_is_named_until_somebody_is(zekka: Response) -> None:
    zekka.open(**P0)
    assert "Incident commander: Engineering Lead" in text(zekka.tell(0), "initial", "incidents")


@pytest.mark.parametrize(
    ("given", "who"),
    [
        pytest.param({"facts": {"services": ["postgres"]}}, "dba", id="database"),
        pytest.param({"security": True}, "security", id="security"),
        pytest.param({"facts": {"services": ["nginx", "redis"]}}, "devops", id="infrastructure"),
        pytest.param({"facts": {"data_breach": "suspected"}}, "legal", id="data breach"),
    ],
)
def test_assemble_response_team_call_in_experts_by_incident_type(
    matrixon: Response, given: dict[str, Any], who: str
) -> None:
    matrixon.open(severity="Sev3", **given)
    assert f"escalation {who}" in said(matrixon.tell(0))


def test_remember_when_in_doubt_escalate_early(matrixon: Response) -> None:
    matrixon.open(facts={"users_percent": "unsure", "data_breach": "unsure", "complaints": "unsure"})
    assert matrixon.incident().severity == "Sev1"
    assert {"page oncall", "escalation legal", "escalation press"} <= said(matrixon.tell(0))


@pytest.mark.parametrize("site", ["zekka", "matrixon"])
def test_every_role_that_is_escalated_to_is_filled(site: str, request: pytest.FixtureRequest) -> None:
    found: Response = request.getfixturevalue(site)
    assert found.desk().faults() == []
