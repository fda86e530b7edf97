# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.people.policy import Policy
from ansible_collections.firebreak.incident.plugins.plugin_utils.people.standing import (
    Standing,
    moment,
    on_call,
    spoken,
)

from .conftest import BEGAN, Tale, said, site, tale

BERLIN = ZoneInfo("Europe/Berlin")


def standing(story: Tale, minute: float) -> Standing:
    return Standing.of(story.events, story.policy, BEGAN + timedelta(minutes=minute))


def wrong(story: Tale, minute: float) -> dict[str, str]:
    now = BEGAN + timedelta(minutes=minute)
    return {each.id: each.level for each in standing(story, minute).findings(story.policy, now)}


def lines(story: Tale, minute: float) -> str:
    now = BEGAN + timedelta(minutes=minute)
    return "\n".join(spoken(standing(story, minute), story.policy, now, BERLIN))


def test_who_is_on_call_and_who_takes_over_when(policy: Policy) -> None:
    database, primary = on_call(policy, BEGAN)
    assert primary == {
        "rotation": "primary",
        "person": "ann",
        "name": "Ann",
        "until": "2026-11-23T08:00:00.000Z",
        "next": "Ben",
    }
    assert (database["person"], database["until"], database["next"]) == ("dora", None, None)


def test_what_comes_next_is_what_will_be_sent_then(policy: Policy) -> None:
    story = tale(policy, "P0")
    story.send(0)
    found = {
        said([each])[0]: (each.since - BEGAN).total_seconds() / 60
        for each in reversed(standing(story, 1).ahead)
    }
    assert found["page engineering_lead"] == 15
    assert found["page cto"] == found["escalation engineering_manager"] == found["update incidents"] == 30
    assert found["page ceo"] == 60
    for minute in (15, 30, 60):
        sent = story.send(minute)
        assert {name for name, due in found.items() if due == minute} <= set(sent)


def test_nothing_comes_next_of_what_was_said_or_is_over(policy: Policy) -> None:
    story = tale(policy, "P0")
    story.send(0)
    story.add("incident.acknowledged", 2)
    assert not [each for each in standing(story, 3).ahead if each.event == "page"]
    story.add("incident.resolved", 5)
    assert standing(story, 6).ahead == ()


def test_of_updates_one_is_told_for_each_audience(policy: Policy) -> None:
    story = tale(policy, "P0")
    story.send(0)
    updates = [each for each in standing(story, 1).ahead if each.event == "update"]
    assert sorted(each.audience for each in updates) == ["incidents", "status_page"]


def test_who_was_told_is_in_it_with_where_and_when(policy: Policy) -> None:
    story = tale(policy, "P0")
    about = {"notification": "k", "event": "page", "audience": "person", "person": "ann", "role": "on_call"}
    story.add("message.sent", 1, address="mail ann", **about)
    (told,) = standing(story, 2).as_dict()["told"]
    assert told == {
        "time": "2026-11-21T12:01:00.000Z",
        "event": "page",
        "audience": "person",
        "person": "ann",
        "role": "on_call",
        "place": "mail ann",
    }
    assert "told: Ann (page)" in lines(story, 2)


@pytest.mark.parametrize(
    ("severity", "late", "level"), [("P0", 2, "critical"), ("P1", 16, "critical"), ("P2", 61, "warning")]
)
def test_nobody_has_acknowledged_in_time(policy: Policy, severity: str, late: int, level: str) -> None:
    story = tale(policy, severity)
    story.send(0)
    assert "incident.response.late" not in wrong(story, late - 1)
    assert wrong(story, late)["incident.response.late"] == level
    story.add("incident.acknowledged", late)
    assert "incident.response.late" not in wrong(story, late + 60)


def test_what_is_due_and_not_there_is_named_and_what_has_time_is_not(policy: Policy) -> None:
    story = tale(policy, "P0")
    story.add("incident.acknowledged", 0)
    (late,) = standing(story, 5).findings(policy, BEGAN + timedelta(minutes=5))
    assert (late.id, late.summary) == ("incident.message.late", "not told yet: initial to incidents")
    assert "initial to executives; initial to status page" in str(
        [each.summary for each in standing(story, 17).findings(policy, BEGAN + timedelta(minutes=17))]
    )
    story.send(17)
    assert wrong(story, 18) == {}


def test_what_nobody_can_be_told_is_not_told_yet() -> None:
    story = tale(Policy.of({}), "P1")
    now = BEGAN + timedelta(minutes=2)
    (late,) = standing(story, 2).findings(story.policy, now)
    assert late.summary == "not told yet: page to on call; initial to incidents"


def test_what_is_resolved_for_days_should_be_closed(policy: Policy) -> None:
    story = tale(policy, "P1")
    story.add("incident.resolved", 10)
    story.send(10)
    assert wrong(story, 24 * 60) == {}
    assert wrong(story, 3 * 24 * 60) == {"incident.close.late": "warning"}
    story.add("incident.closed", 3 * 24 * 60)
    assert wrong(story, 4 * 24 * 60) == {}


def test_a_screen_tells_how_long_and_what_follows_in_both_clocks(policy: Policy) -> None:
    story = tale(policy, "P1", facts={"user_facing": "no"})
    story.send(0)
    text = lines(story, 5)
    assert "inc-1: Sev2 / P1, open, since 12:00 UTC (13:00 CET), 5 min ago: the shop is down" in text
    assert "somebody has to acknowledge it within 10 min, by 12:15 UTC (13:15 CET)" in text
    assert "in 10 min, 12:15 UTC (13:15 CET): page to Engineering_Lead (engineering lead)" in text


def test_a_screen_tells_who_is_on_it_until_it_gets_worse(policy: Policy) -> None:
    story = tale(policy, "P1")
    story.add("incident.acknowledged", 1, by="ann")
    story.add("incident.role", 2, role="incident_commander", person="ben")
    assert "acknowledged by Ann, incident commander Ben" in lines(story, 3)
    story.add("incident.severity", 4, severity="P0")
    assert "acknowledged by" not in lines(story, 5)


@pytest.mark.parametrize(
    ("time", "zone", "said"),
    [
        ("2026-11-21T22:15", BERLIN, "22:15 UTC (23:15 CET)"),
        ("2026-11-21T23:15", BERLIN, "23:15 UTC (2026-11-22 00:15 CET)"),
        ("2026-11-22T01:00", BERLIN, "2026-11-22 01:00 UTC (02:00 CET)"),
        ("2026-07-21T10:00", BERLIN, "2026-07-21 10:00 UTC (12:00 CEST)"),
        ("2026-11-21T22:15", UTC, "22:15 UTC"),
    ],
)
def test_a_moment_is_told_in_utc_and_on_the_clock_of_the_wall(time: str, zone: Any, said: str) -> None:
    assert moment(datetime.fromisoformat(time).replace(tzinfo=UTC), BEGAN, zone) == said


def test_a_site_without_a_rotation_has_nobody_on_call() -> None:
    assert on_call(Policy.of({}), BEGAN) == []
    assert on_call(Policy.of(site(firebreak_rotations={}, firebreak_roles={})), BEGAN) == []
