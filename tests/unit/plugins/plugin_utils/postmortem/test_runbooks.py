# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of both runbooks about the review: what the record tells is told, what it cannot is a gap that
says what belongs there. Both documents say the same."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.postmortem.account import account
from ansible_collections.firebreak.incident.plugins.plugin_utils.postmortem.words import gaps, head

from ..runbooks import ID, Response
from .story import SLOW, act, run

GAP = "To be filled in"


@pytest.fixture
def over(matrixon: Response) -> Response:
    """Detected at 22:01, worked on by several people, resolved after 88 minutes."""
    matrixon.open(
        facts={"users_percent": 60, "revenue_per_hour": 2500, "data_loss": "no"},
        text="Reported by UptimeRobot; a deploy at 21:40 added a column.",
        actor="oncall@control",
    )
    matrixon.tell(0)
    matrixon.say(5, "acknowledge", actor="oncall@control")
    matrixon.say(6, "role", role="incident_commander", person="devops")
    matrixon.say(7, "role", role="communications_lead", person="press")
    matrixon.add(*run(20, "triage", [("db1", {"findings": [SLOW]})]))
    fixed = {"actions": [act("postgres.terminate", "pid 4250")], "verdict": "resolved"}
    matrixon.add(*run(47, "fix_database_locks", [("db1", fixed)]))
    matrixon.say(88, "resolve", actor="dba@control")
    matrixon.tell(88)
    return matrixon


def both(site: Response, *words: str) -> None:
    """Each of the words is in each of the documents."""
    for document in site.documents():
        assert [word for word in words if word not in document] == []


def section(document: str, title: str) -> str:
    """From its heading to the next one."""
    return re.split(rf"(?:^## |<h2>){re.escape(title)}(?:</h2>|$)", document, flags=re.M)[1].split(
        "\n## " if document.startswith("# ") else "<h2>"
    )[0]


def sections(site: Response, title: str) -> list[str]:
    return [section(document, title) for document in site.documents()]


def is_gap(site: Response, title: str) -> bool:
    told = account(site.events())
    return title in gaps(told) and all(GAP in text for text in sections(site, title))


# Matrixon, Step 2: Documentation (1-2 hours).


def test_documentation_within_1_to_2_hours(over: Response) -> None:
    """There is a draft as soon as it is resolved, or before: nobody has to write what was recorded."""
    assert over.incident().phase == "resolved"
    both(over, ID, "1 h 28 min")


def test_incident_report_timeline_of_events(over: Response) -> None:
    for text in sections(over, "Timeline"):
        assert text
    both(over, "2026-11-21 22:06:07", "postgres.terminate pid 4250", "measured again: resolved")


@pytest.mark.parametrize("said_before", [True, False])
def test_incident_report_root_cause_analysis(matrixon: Response, said_before: bool) -> None:
    matrixon.open(severity="Sev1")
    matrixon.say(9, "resolve", more={"root_cause": "a limit that was too low"} if said_before else {})
    assert is_gap(matrixon, "Root cause") is not said_before
    assert all(
        ("a limit that was too low" in text) is said_before for text in sections(matrixon, "Root cause")
    )


def test_incident_report_impact_assessment(over: Response) -> None:
    for text in sections(over, "Impact"):
        assert "60 % of the users" in text and "$2,500 an hour" in text


def test_incident_report_resolution_steps_taken(over: Response) -> None:
    for text in sections(over, "What was done and undone"):
        assert "postgres.terminate" in text and "pid 4250" in text and "db1" in text


@pytest.mark.parametrize(
    "row",
    [
        pytest.param("runbooks", id="document new procedures"),
        pytest.param("contacts", id="update contact information"),
        pytest.param("severity rules", id="revise severity definitions if needed"),
    ],
)
def test_update_runbooks(over: Response, row: str) -> None:
    """Only people can: it is a gap that asks for it."""
    assert is_gap(over, "Procedures")
    assert all(row in text for text in sections(over, "Procedures"))


# Matrixon, Step 3: Post-Mortem (24-48 hours).


def test_schedule_post_mortem_meeting_within_48_hours(over: Response) -> None:
    """48 hours after it was resolved."""
    both(over, "Review due", "2026-11-23 23:29:07 UTC")


def test_schedule_post_mortem_meeting_is_left_for_people(over: Response) -> None:
    assert "Review meeting" in gaps(account(over.events()))


def test_schedule_post_mortem_meeting_include_all_responders(over: Response) -> None:
    """Who was paged, took a role or said something is named, so that nobody is forgotten."""
    assert all("responders" in text for text in sections(over, "Review meeting"))
    named = dict(head(account(over.events())))["Responders"]
    assert {"oncall", "devops", "press", "dba"} <= set(re.findall(r"\w+", str(named)))
    both(over, str(named))


def test_schedule_post_mortem_meeting_invite_stakeholders(over: Response) -> None:
    assert all("stakeholders" in text for text in sections(over, "Review meeting"))


def test_schedule_post_mortem_meeting_prepare_timeline_and_data(over: Response) -> None:
    both(over, "Timeline", "Phases and deadlines", "What was wrong, before and after", "15 sessions wait")


@pytest.mark.parametrize(
    "title",
    [
        pytest.param("What went well", id="what went well"),
        pytest.param("What could be improved", id="what could be improved"),
        pytest.param("Action items", id="action items with owners"),
    ],
)
def test_post_mortem_agenda(over: Response, title: str) -> None:
    assert is_gap(over, title)


def test_post_mortem_agenda_what_happened(over: Response) -> None:
    for text in sections(over, "Summary"):
        assert "The shop answers with errors: detected at 2026-11-21 22:01:07 UTC, rated Sev2 (P1)" in text
        assert "acknowledged after 5 min" in text and "resolved after 1 h 28 min" in text


# Zekka, Post-Incident Review.


def test_conduct_post_mortem_within_48_hours_is_told_to_who_knew_of_the_incident(over: Response) -> None:
    (told, *_copies) = [
        each for _m, each in over.sent if (each.event, each.whom) == ("resolution", "incidents")
    ]
    assert "The post-mortem follows within 48 hours" in told.text


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["Post-incident review: The shop answers with errors"], id="title"),
        pytest.param(["Detected", "2026-11-21 22:01:07 UTC"], id="date"),
        pytest.param(["Severity", "Sev2 (P1)"], id="severity"),
        pytest.param(["Duration", "1 h 28 min"], id="duration"),
        pytest.param(["Incident commander", "devops"], id="incident commander"),
    ],
)
def test_template_head(over: Response, words: list[str]) -> None:
    both(over, *words)


def test_template_head_without_a_commander_is_a_gap(matrixon: Response) -> None:
    matrixon.open(severity="Sev1")
    assert "Incident commander" in gaps(account(matrixon.events()))


@pytest.mark.parametrize(
    "row",
    [
        pytest.param("opened as Sev2", id="issue detected"),
        pytest.param("page to oncall", id="on-call paged"),
        pytest.param("15 sessions wait for locks", id="root cause identified"),
        pytest.param("postgres.terminate pid 4250", id="fix deployed"),
        pytest.param("2026-11-21 23:29:07", id="fully resolved"),
    ],
)
def test_template_timeline(over: Response, row: str) -> None:
    both(over, row)


def test_template_timeline_says_how_it_began(over: Response) -> None:
    """When it was noticed, what had changed and who reported it are what its opening was told."""
    both(over, "Reported by UptimeRobot; a deploy at 21:40 added a column.")


@pytest.mark.parametrize("word", ["root_cause", "resolution"])
def test_template_root_cause_and_resolution_as_responders_said_them(matrixon: Response, word: str) -> None:
    matrixon.open(severity="Sev1")
    matrixon.say(9, "resolve", more={word: "the limit was raised"})
    title = word.replace("_", " ").capitalize()
    assert all("the limit was raised" in text for text in sections(matrixon, title))


@pytest.mark.parametrize("title", ["Root cause", "Resolution", "Preventive measures"])
def test_template_sections_that_only_people_can_fill(over: Response, title: str) -> None:
    assert is_gap(over, title)


@pytest.mark.parametrize(
    ("name", "facts", "told"),
    [
        pytest.param("Users affected", {"users_percent": 60}, "60 % of the users", id="users affected"),
        pytest.param("Revenue impact", {"revenue_per_hour": 2500}, "$2,500 an hour", id="revenue impact"),
        pytest.param("Data loss", {"data_loss": "no"}, "no", id="data loss"),
    ],
)
def test_template_impact(matrixon: Response, name: str, facts: dict[str, Any], told: str) -> None:
    matrixon.open(severity="Sev1", facts=facts)
    for text in sections(matrixon, "Impact"):
        assert name in text and told in text
    assert name not in gaps(account(matrixon.events()))


@pytest.mark.parametrize("facts", [{}, {"users_percent": "unsure", "data_loss": "unsure"}])
@pytest.mark.parametrize("name", ["Users affected", "Revenue impact", "Data loss"])
def test_template_impact_that_nobody_knows_is_a_gap(
    matrixon: Response, name: str, facts: dict[str, Any]
) -> None:
    matrixon.open(severity="Sev1", facts=facts)
    assert name in gaps(account(matrixon.events()))


def test_template_impact_downtime(over: Response) -> None:
    """From the detection to the resolution it was down at most; how long it was is for people to say."""
    assert all("at most 1 h 28 min" in text for text in sections(over, "Impact"))


@pytest.mark.parametrize("column", ["Action", "Owner", "Due", "Status"])
def test_template_action_items(over: Response, column: str) -> None:
    assert all(column in text for text in sections(over, "Action items"))


@pytest.mark.parametrize(
    "whom",
    [
        pytest.param("Engineering", id="engineering team"),
        pytest.param("leadership", id="leadership team"),
        pytest.param("affected customers (summary only)", id="affected customers, summary only"),
        pytest.param("public (if major)", id="public blog, for major incidents"),
    ],
)
def test_distribution(over: Response, whom: str) -> None:
    """To whom it goes is for people to decide once it is finished."""
    assert is_gap(over, "Distribution")
    assert all(whom in text for text in sections(over, "Distribution"))


def test_distribution_of_a_security_incident_is_restricted(matrixon: Response) -> None:
    """The runbook gives every review to everybody; by design that of a security incident says that it is
    not."""
    matrixon.open(severity="Sev1", security=True)
    both(matrixon, "restricted to those who have to know")


# What severities ask for.


@pytest.mark.parametrize(
    "severity",
    [
        pytest.param("P2", id="p2 fix scheduled based on impact"),
        pytest.param("P3", id="p3 fix scheduled in next sprint"),
    ],
)
def test_fix_is_scheduled(matrixon: Response, severity: str) -> None:
    """When is for people to say: it is an action item, with an owner and a date."""
    matrixon.open(severity=severity)
    assert is_gap(matrixon, "Action items")
    assert all("owner and a date" in text for text in sections(matrixon, "Action items"))


def test_review_after_major_incidents(over: Response) -> None:
    """The runbook says quarterly and, for the next one, in a month: the review of each incident asks."""
    assert is_gap(over, "Procedures")
