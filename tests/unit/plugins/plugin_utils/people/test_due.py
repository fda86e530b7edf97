# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.people.policy import Policy

from .conftest import BEGAN, said, site, tale

ALL_DAY = 24 * 60


# Whom the runbooks page.


def test_p0_escalates_immediately_to_all_on_call_personnel(policy: Policy) -> None:
    sent = tale(policy, "P0").send(0)
    assert "page ann" in sent and "page dora" in sent and "page ben" not in sent


def test_p1_on_call_engineer_is_paged_immediately_and_the_team_lead_notified(policy: Policy) -> None:
    sent = tale(policy, "P1").send(0)
    assert "page ann" in sent and "page dora" not in sent
    assert "escalation engineering_lead" in sent


def test_p2_on_call_engineer_is_notified_and_communication_is_internal_only(policy: Policy) -> None:
    sent = tale(policy, "P2", facts={"users_percent": 40}).send(0)
    assert sent == ["page ann", "initial incidents"]


def test_p3_makes_a_ticket_and_pages_nobody(policy: Policy) -> None:
    story = tale(policy, "P3")
    story.run(0, 300)
    assert said([each for _minute, each in story.sent]) == ["initial incidents"]


def test_escalation_path_on_call_0_lead_15_cto_30_ceo_60(policy: Policy) -> None:
    story = tale(policy, "P0")
    story.run(0, 120)
    whom = ("ann", "engineering_lead", "cto", "ceo")
    assert [story.minutes("page", each) for each in whom] == [[0], [15], [30], [60]]


def test_escalation_path_the_ceo_only_for_p0(policy: Policy) -> None:
    story = tale(policy, "P1")
    story.run(0, 120)
    assert story.minutes("page", "ceo") == []
    assert story.minutes("page", "cto") == [30]


def test_escalation_levels_on_call_1_devops_2_manager_3_cto_4() -> None:
    story = tale(Policy.of(site(firebreak_escalation={"path": "by_level"})), "Sev1")
    story.run(0, 90)
    whom = ("ann", "devops_lead", "engineering_manager", "cto")
    assert [story.minutes("page", each) for each in whom] == [[0], [15], [30], [60]]


def test_the_clock_of_the_path_counts_from_the_detection(policy: Policy) -> None:
    detected = "2026-11-21T11:44:00Z"
    assert "page engineering_lead" in tale(policy, "P0", detected=detected).send(0)


def test_acknowledging_stops_paging_and_not_the_updates(policy: Policy) -> None:
    story = tale(policy, "P0")
    story.send(0)
    story.add("incident.acknowledged", 5, by="ann")
    story.run(5, 100)
    assert [each for each in said([n for _m, n in story.sent]) if each.startswith("page")] == [
        "page ann",
        "page dora",
    ]
    assert story.minutes("update", "incidents") == [30, 60, 90]


def test_who_takes_over_the_rotation_is_paged_while_nobody_has_acknowledged(policy: Policy) -> None:
    # The turn of ben begins on Monday at 09:00 in Berlin, 08:00 UTC.
    story = tale(policy, "P2", detected="2026-11-23T07:50:00Z")
    begin = int((datetime.fromisoformat("2026-11-23T07:50:00Z") - BEGAN).total_seconds() // 60)
    story.run(begin, begin + 30)
    assert story.minutes("page", "ann") == [begin]
    assert story.minutes("page", "ben") == [begin + 10]


# The matrix.


@pytest.mark.parametrize(("severity", "minute"), [("Sev1", 30), ("Sev2", 120)])
def test_matrix_not_resolved_in_time_goes_to_the_engineering_manager(
    policy: Policy, severity: str, minute: int
) -> None:
    story = tale(policy, severity)
    story.add("incident.acknowledged", 1, by="ann")
    story.run(1, 200)
    assert story.minutes("escalation", "engineering_manager") == [minute]
    (sent,) = [each for _minute, each in story.sent if said([each]) == ["escalation engineering_manager"]]
    within = 15 if severity == "Sev2" else 0
    assert sent.deadline - BEGAN == timedelta(minutes=minute + within)


@pytest.mark.parametrize(
    ("facts", "whom", "within"),
    [
        ({"data_breach": "suspected"}, ["security_team", "legal"], 0),
        ({"data_breach": "unsure"}, ["security_team", "legal"], 0),
        ({"revenue_total": 10_000}, ["engineering_manager", "cto"], 0),
        ({"revenue_total": "$8000-12000"}, ["engineering_manager", "cto"], 0),
        ({"revenue_total": "unsure"}, ["engineering_manager", "cto"], 0),
        ({"services": ["api", "search"]}, ["devops_lead"], 15),
        ({"complaints": "rising"}, ["customer_success", "public_relations"], 30),
    ],
)
def test_matrix_rows_of_facts(policy: Policy, facts: dict[str, Any], whom: list[str], within: int) -> None:
    story = tale(policy, "P3")
    assert [each for each in story.send(0) if each.startswith("escalation")] == []
    story.add("incident.update", 10, text="worse", facts=facts)
    found = [each for each in story.due(10) if each.event == "escalation"]
    assert said(found) == [f"escalation {name}" for name in whom]
    assert {each.deadline - each.since for each in found} == {timedelta(minutes=within)}
    story.run(10, 60)
    assert all(story.minutes("escalation", name) == [10] for name in whom)


@pytest.mark.parametrize(
    "facts",
    [
        {"revenue_total": 9_999},
        # By the hour it makes the severity, and is another quantity.
        {"revenue_per_hour": 50_000},
        {"services": ["api"]},
        {"services": ["api", "api"]},
        {"complaints": "some"},
        {"data_breach": "no"},
        {"data_breach": False},
    ],
)
def test_matrix_rows_that_do_not_hold(policy: Policy, facts: dict[str, Any]) -> None:
    story = tale(policy, "P3", facts=facts)
    assert [each for each in story.send(0) if each.startswith("escalation")] == []


def test_a_security_incident_is_told_to_the_security_team_once(policy: Policy) -> None:
    story = tale(policy, "P2", security=True)
    story.run(0, 10)
    assert story.minutes("escalation", "security_team") == [0]
    assert story.minutes("escalation", "legal") == []
    story = tale(policy, "P2", security=True, facts={"data_breach": "suspected"})
    story.run(0, 10)
    assert story.minutes("escalation", "security_team") == [0]


@pytest.mark.parametrize(("service", "told"), [("postgres", True), ("redis", True), ("api", False)])
def test_a_database_that_is_affected_is_told_to_its_administrator(
    policy: Policy, service: str, told: bool
) -> None:
    story = tale(policy, "P2", facts={"services": [service]})
    assert ("escalation database_admin" in story.send(0)) is told


@pytest.mark.parametrize("facts", [{"outage": "complete"}, {"login": "none"}, {"outage": "unsure"}])
def test_what_is_out_for_everybody_is_written_to_customers(policy: Policy, facts: dict[str, Any]) -> None:
    assert "initial customers" in tale(policy, "P0", facts=facts).send(0)
    assert "initial customers" not in tale(policy, "P0", facts={"outage": "partial"}).send(0)


def test_a_clock_that_is_behind_makes_no_second_update(policy: Policy) -> None:
    story = tale(policy, "P0")
    story.send(0)
    story.add("incident.update", 40, text="it is the disk")
    sent = [each for minute in (35, 41) for each in story.send(minute)]
    assert sent.count("update incidents") == 1


def test_updates_are_as_often_as_the_clocks_of_the_site_say() -> None:
    clocks = {"1": {"updates_every": "10m"}}
    story = tale(Policy.of(site(firebreak_severity_deadlines=clocks)), "P0")
    story.run(0, 30)
    assert story.minutes("update", "incidents") == [10, 20, 30]


# Executives, the status page, customers.


def test_p0_executives_are_notified_within_15_minutes(policy: Policy) -> None:
    (sent,) = [each for each in tale(policy, "P0").due(0) if each.audience == "executives"]
    assert (sent.template, sent.deadline - BEGAN) == ("executive", timedelta(minutes=15))
    assert "initial executives" not in tale(policy, "P1").send(0)


@pytest.mark.parametrize("severity", ["P0", "P1"])
def test_the_status_page_is_updated_within_15_minutes_of_p0_and_p1(policy: Policy, severity: str) -> None:
    (sent,) = [each for each in tale(policy, severity).due(0) if each.audience == "status_page"]
    assert (sent.template, sent.deadline - BEGAN) == ("status_page", timedelta(minutes=15))


@pytest.mark.parametrize(("severity", "told"), [("P0", True), ("P1", False)])
def test_p1_status_page_only_if_user_facing(policy: Policy, severity: str, told: bool) -> None:
    story = tale(policy, severity, facts={"user_facing": "no"})
    assert ("initial status_page" in story.send(0)) is told


@pytest.mark.parametrize(
    ("severity", "users", "told"),
    [
        ("P0", 11, True),
        ("P1", "5-10", True),
        ("P1", "unsure", True),
        ("P1", 9.9, False),
        ("P2", 40, False),
        ("P0", None, False),
    ],
)
def test_customers_are_written_to_for_p0_and_p1_affecting_more_than_10_percent(
    policy: Policy, severity: str, users: Any, told: bool
) -> None:
    story = tale(policy, severity, facts={"users_percent": users})
    assert ("initial customers" in story.send(0)) is told


def test_a_security_incident_is_told_in_its_own_channel_too(policy: Policy) -> None:
    assert "initial security" in tale(policy, "P1", security=True).send(0)
    assert "initial security" not in tale(policy, "P1").send(0)


# Updates.


@pytest.mark.parametrize(("severity", "every"), [("P0", 30), ("P1", 30), ("P2", 60)])
def test_updates_every_30_minutes_for_p0_and_p1_and_hourly_for_p2(
    policy: Policy, severity: str, every: int
) -> None:
    story = tale(policy, severity)
    story.run(0, 240)
    assert story.minutes("update", "incidents") == list(range(every, 241, every))


def test_an_end_of_day_summary_each_day_while_it_is_open() -> None:
    policy = Policy.of(site(firebreak_escalation={"summary_at": "18:00", "time_zone": "Europe/Berlin"}))
    story = tale(policy, "P3")
    for minute in range(0, 2 * ALL_DAY, 5):
        story.send(minute)
    # 18:00 in Berlin is 17:00 UTC, five hours after it began.
    assert story.minutes("summary", "incidents") == [300, 300 + ALL_DAY]


def test_what_a_person_says_goes_out_at_once_and_the_next_update_counts_from_it(policy: Policy) -> None:
    story = tale(policy, "P0")
    story.run(0, 40)
    story.add("incident.update", 41, text="the database is back")
    story.run(41, 110)
    assert story.minutes("update", "incidents") == [30, 41, 71, 101]


def test_the_status_page_is_kept_up_to_date_and_executives_are_not_bothered(policy: Policy) -> None:
    story = tale(policy, "P0")
    story.run(0, 65)
    assert story.minutes("update", "status_page") == [30, 60]
    assert story.minutes("update", "executives") == []


# Once.


def test_hundreds_of_calls_give_each_notification_once(policy: Policy) -> None:
    story = tale(policy, "P0", facts={"users_percent": 50, "services": ["a", "b"]}, security=True)
    for minute in range(300):
        for _call in range(3):
            story.send(minute)
    keys = [each.key for _minute, each in story.sent]
    assert len(keys) == len(set(keys))
    assert len(keys) > 20


def test_what_is_not_sent_stays_due_with_the_same_key(policy: Policy) -> None:
    story = tale(policy, "P0")
    first, later = ({each.key for each in story.due(minute)} for minute in (0, 10))
    assert first == later


def test_after_an_outage_what_was_missed_is_sent_once(policy: Policy) -> None:
    story = tale(policy, "P0")
    sent = story.send(200)
    assert len(sent) == len(set(sent))
    assert [each for each in sent if each.startswith("update")] == []
    assert {"page ann", "page engineering_lead", "page cto", "page ceo", "initial incidents"} <= set(sent)
    assert story.send(201) == []
    assert "update incidents" in story.send(210)


def test_after_an_outage_in_the_middle_there_is_one_update(policy: Policy) -> None:
    story = tale(policy, "P0")
    story.run(0, 35)
    story.run(200, 209)
    assert story.minutes("update", "incidents") == [30, 200]


def test_somebody_with_two_roles_is_told_once_of_one_thing() -> None:
    roles = {**site()["firebreak_roles"], "security_team": ["ann"], "legal": ["ann"]}
    story = tale(Policy.of(site(firebreak_roles=roles)), "P2", facts={"data_breach": "suspected"})
    story.run(0, 10)
    assert story.minutes("escalation", "ann") == [0]


def test_a_role_that_nobody_has_does_not_keep_the_others_waiting() -> None:
    policy = Policy.of(site(firebreak_roles={"on_call": "primary"}))
    found = tale(policy, "P0").due(20)
    assert "page ann" in said(found)
    (lost,) = [each for each in found if each.problem and each.event == "page"]
    assert "role engineering_lead" in str(lost.problem)


# Its end, and its turns.


def test_where_nobody_has_a_role_who_comes_next_is_paged_at_once_and_once() -> None:
    roles = {**site()["firebreak_roles"], "on_call": []}
    story = tale(Policy.of(site(firebreak_roles=roles)), "P1")
    found = story.due(0)
    assert [each for each in said(found) if each.startswith("page")] == [
        "page person",
        "page engineering_lead",
    ]
    lead = next(each for each in found if each.person and each.event == "page")
    assert lead.because == "nobody has the role that comes before"
    story.run(0, 29)
    assert story.minutes("page", "engineering_lead") == [0]
    assert story.minutes("page", "cto") == []
    story.run(30, 31)
    assert story.minutes("page", "cto") == [30]


@pytest.mark.parametrize("kind", ["incident.resolved", "incident.closed"])
def test_the_end_stops_everything_with_a_last_message(policy: Policy, kind: str) -> None:
    story = tale(policy, "P0", facts={"users_percent": 50})
    story.run(0, 20)
    story.add(kind, 21)
    assert set(story.send(21)) == {
        "resolution incidents",
        "resolution executives",
        "resolution customers",
        "resolution status_page",
    }
    story.add("incident.closed", 30)
    story.run(30, 300)
    assert [minute for minute, _each in story.sent if minute > 21] == []


def test_who_was_not_told_of_the_beginning_is_not_told_of_the_end(policy: Policy) -> None:
    story = tale(policy, "P1")
    story.add("incident.resolved", 3)
    assert story.send(5) == ["resolution incidents"]


def test_a_severity_that_rises_starts_what_applies(policy: Policy) -> None:
    story = tale(policy, "P2")
    story.send(0)
    story.add("incident.acknowledged", 2, by="ann")
    story.run(2, 99)
    story.add("incident.severity", 100, severity="P0", reasons=["nobody can log in"])
    sent = story.send(100)
    assert {"page ann", "page dora", "initial executives", "initial status_page", "update incidents"} <= set(
        sent
    )
    story.run(101, 200)
    assert story.minutes("page", "engineering_lead") == [115]
    assert story.minutes("page", "ceo") == [160]
    assert story.minutes("escalation", "engineering_manager") == [130]


def test_a_severity_that_falls_pages_nobody_anew(policy: Policy) -> None:
    story = tale(policy, "P0")
    story.run(0, 10)
    story.add("incident.severity", 11, severity="P2", reasons=[])
    story.run(11, 14)
    assert [each for minute, each in story.sent if minute > 10 and each.event == "page"] == []


def test_the_first_judgement_is_no_rise(policy: Policy) -> None:
    story = tale(policy, None)
    story.send(0)
    story.add("incident.severity", 1, severity="P1", reasons=[])
    assert [each for each in story.send(1) if each.startswith("page")] == []


def test_what_was_opened_again_is_paged_again(policy: Policy) -> None:
    story = tale(policy, "P1")
    story.send(0)
    story.add("incident.acknowledged", 2, by="ann")
    story.add("incident.resolved", 20)
    story.run(20, 29)
    story.add("incident.reopened", 30)
    assert {"page ann", "initial incidents"} <= set(story.send(30))
    story.run(31, 60)
    assert story.minutes("page", "engineering_lead") == [45]
