# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of both runbooks about communication, as it arrives at the sites of the example inventories."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.apprise_channel import channel_of
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.content import channel_name
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.template import Templates
from ansible_collections.firebreak.incident.plugins.plugin_utils.severity.rules import DEADLINES
from firebreak_lab.receivers import FAIL, TAKE, Page, Receiver

from ..runbooks import Response, minutes_until, said, text
from .conftest import mail_to, url_of

PUBLIC = ("customers", "status_page")
HALF = {"users_percent": 50}


def places(site: Response, event: str, whom: str) -> set[str]:
    """The kinds of places that a message went to."""
    sent = [each for _minute, each in site.sent if (each.event, each.whom) == (event, whom)]
    return {each.place.rpartition(" ")[0] for each in sent}


# Matrixon, Step 2: Communication (5-10 minutes).


def test_create_incident_ticket_include_severity_impact_and_initial_assessment(matrixon: Response) -> None:
    """What was recorded at the opening is told with it."""
    assessment = "The pool is full since the deploy of 21:40."
    matrixon.open(facts={"users_percent": 60, "error_percent": "10-15"}, text=assessment)
    ticket = text(matrixon.tell(0), "initial", "incidents")
    for part in (
        "Severity: Sev2 / P1",
        "Impact: 60 % of the users; 10-15 % of the requests fail",
        assessment,
    ):
        assert part in ticket
    assert "Judged so because half of the users are affected" in ticket


def test_set_up_incident_channel_incident_yyyymmdd_hhmmss(matrixon: Response) -> None:
    """Named after when it was opened, in UTC. Making it in the chat is left to whoever opens the incident."""
    matrixon.open(severity="Sev1")
    assert channel_name(matrixon.clock()) == "#incident-20261121-220107"
    sent = matrixon.tell(0)
    for event, whom in (("initial", "incidents"), ("page", "oncall")):
        assert "Channel: #incident-20261121-220107" in text(sent, event, whom)
    assert "#incident-" not in text(sent, "initial", "status_page")


@pytest.mark.parametrize(
    ("event", "whom", "kind"),
    [
        pytest.param("initial", "incidents", "Slack", id="slack: post in #incidents"),
        pytest.param("initial", "incidents", "e-mail …@matrixon.example", id="email: incident-response@"),
        pytest.param("page", "oncall", "Pager Duty", id="pagerduty"),
    ],
)
def test_initial_notifications(matrixon: Response, event: str, whom: str, kind: str) -> None:
    matrixon.open(severity="Sev1")
    matrixon.tell(0)
    assert kind in places(matrixon, event, whom)


def test_initial_notifications_pagerduty_acknowledge_and_update(matrixon: Response) -> None:
    """Once somebody has taken it on the pager is left alone, and says who; updates go on elsewhere. At
    PagerDuty itself it is acknowledged by whoever answers it there."""
    matrixon.open(severity="Sev1")
    matrixon.tell(0)
    matrixon.say(5, "acknowledge", actor="oncall@control")
    later = matrixon.tell(15, 30)
    assert {each for each in said(later) if each.startswith("page")} == set()
    assert "being worked on by oncall@control" in text(later, "update", "incidents")


def test_initial_notifications_are_due_within_10_minutes(matrixon: Response) -> None:
    matrixon.open(severity="Sev1")
    assert minutes_until(matrixon.due(0, "initial", "incidents")) <= 10
    assert minutes_until(matrixon.due(0, "page", "oncall")) <= 10


def test_assemble_response_team_brief_team_on_situation(matrixon: Response) -> None:
    matrixon.open(facts={"outage": "complete", "services": ["postgres"]}, text="The disk is full.")
    brief = text(matrixon.tell(0), "page", "oncall")
    for part in (
        "you are wanted as",
        "Sev1 / P0",
        "complete outage; services: postgres",
        "The disk is full.",
    ):
        assert part in brief


# Zekka, Internal Communication.


def test_slack_channel_incidents_active_incident_coordination(zekka: Response) -> None:
    zekka.open(severity="P1")
    zekka.tell(0)
    assert "Slack" in places(zekka, "initial", "incidents")


def test_slack_channel_on_call_notifications(zekka: Response) -> None:
    """Who has an address of their own is paged there, and everybody else on call in the one of all."""
    zekka.variables["firebreak_audiences"]["on_call"] = ["slack://T1234/B1234/oncall"]
    zekka.open(severity="P1")
    zekka.tell(0)
    assert places(zekka, "page", "engineer_b") == {"Slack"}


def test_slack_channel_engineering_general_updates(zekka: Response) -> None:
    """It is one more place of the audience `incidents`."""
    zekka.open(severity="P1")
    sent = [each for each in zekka.tell(0, 30) if each.whom == "incidents"]
    assert len([each for each in sent if each.event == "update"]) == 2
    assert len({each.place for each in sent}) == 2


@pytest.mark.parametrize(
    ("severity", "every"),
    [
        pytest.param("P0", 30, id="every 30 minutes during p0"),
        pytest.param("P1", 30, id="every 30 minutes during p1"),
        pytest.param("P2", 60, id="hourly for p2"),
    ],
)
def test_status_updates(zekka: Response, severity: str, every: int) -> None:
    zekka.open(severity=severity)
    zekka.say(0, "acknowledge")
    zekka.tell(0, every - 1, every, 2 * every - 1, 2 * every)
    assert zekka.minutes("update", "incidents") == [every, 2 * every]


@pytest.mark.parametrize(("site", "minute"), [("zekka", 1139), ("matrixon", 1199)])
def test_status_updates_end_of_day_summary(site: str, minute: float, request: pytest.FixtureRequest) -> None:
    """At 18:00 in Berlin, as zekka says, and in UTC where nothing is said."""
    found: Response = request.getfixturevalue(site)
    found.open(severity="P3")
    found.tell(0, minute - 1, minute, minute + 1440)
    assert found.minutes("summary", "incidents") == [minute, minute + 1440]
    first = next(each for _minute, each in found.sent if each.event == "summary")
    assert first.subject.startswith("[Sev4 / P3] Summary of the day: The shop answers with errors")
    assert "is still open after" in first.text


def test_war_room_video_call_for_p0_incidents(zekka: Response) -> None:
    zekka.open(severity="P0")
    sent = zekka.tell(0)
    for event, whom in (("initial", "incidents"), ("page", "engineer_b"), ("initial", "executives")):
        assert "War room: https://meet.example/zekka-war-room" in text(sent, event, whom)
    assert all("meet.example" not in text(sent, "initial", whom) for whom in ("status_page",))


def test_war_room_link_is_only_for_p0(zekka: Response) -> None:
    zekka.open(severity="P1")
    assert "War room" not in text(zekka.tell(0), "initial", "incidents")


# Zekka, External Communication.


@pytest.mark.parametrize("severity", ["P0", "P1"])
def test_status_page_update_within_15_minutes_of_detection(zekka: Response, severity: str) -> None:
    zekka.open(severity=severity, detected="2026-11-21T21:51:07Z")
    assert minutes_until(zekka.due(0, "initial", "status_page")) == 15 - 10


def test_status_page_url(zekka: Response) -> None:
    """It is where the audience `status_page` is, and customers are sent there."""
    zekka.open(severity="P0", facts=HALF)
    sent = zekka.tell(0)
    assert "https://status.zekka.example" in text(sent, "initial", "customers")
    assert "status page" in places(zekka, "initial", "status_page")


@pytest.mark.parametrize("name", ["status_page", "status_page_update", "status_page_resolution"])
def test_status_page_use_predefined_templates(name: str) -> None:
    """They come filled in but for what is said of this incident, and without anything they can be sent."""
    known = {"started": "2026-11-21 22:01 UTC", "duration": "30 min", "status": "investigating"}
    assert Templates().render(name, known).body


@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param({"severity": "P0", "facts": {"users_percent": 11}}, True, id="p0 over 10 %"),
        pytest.param({"severity": "P1", "facts": {"users_percent": 11}}, True, id="p1 over 10 %"),
        pytest.param({"severity": "P1", "facts": {"users_percent": 10}}, True, id="on the boundary"),
        pytest.param({"severity": "P1", "facts": {"users_percent": 9}}, False, id="p1 under 10 %"),
        pytest.param({"severity": "P2", "facts": {"users_percent": 30}}, False, id="p2"),
        pytest.param({"facts": {"outage": "complete"}}, True, id="all users"),
    ],
)
def test_customer_notifications_email_for_p0_and_p1_affecting_over_10_percent(
    zekka: Response, given: dict[str, Any], told: bool
) -> None:
    """A value on the boundary is over it, and a complete outage affects everybody."""
    zekka.open(**given)
    assert ("initial customers" in said(zekka.tell(0))) is told
    assert places(zekka, "initial", "customers") == ({"e-mail …@zekka.example"} if told else set())


def test_customer_notifications_in_app(zekka: Response, hook: Receiver) -> None:
    """Whatever takes a POST is a place of the audience `customers`."""
    zekka.variables.update(
        firebreak_messages_sandbox="",
        firebreak_audiences={"customers": [url_of(hook)]},
        firebreak_escalation={"path": [], "matrix": []},
        firebreak_status_page=None,
    )
    zekka.open(severity="P0", facts=HALF, more={"public": "Logging in fails"})
    zekka.escalate(0)
    (got,) = hook.got
    assert got["body"]["message"].startswith("Logging in fails. Our team is working on it.")


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("twitter://key/secret/token/s3cret?mode=tweet", id="twitter updates"),
        pytest.param("mastodon://t0ken@social.example", id="mastodon"),
    ],
)
def test_customer_notifications_twitter_updates_optional(url: str) -> None:
    assert "s3cret" not in channel_of("firebreak_audiences.customers[1]", url).shown


# Zekka, template of the initial notification.

INITIAL = {
    "incident detected": "Subject",
    "we are investigating reports of [issue description]": "Logging in fails",
    "our team is actively working on a resolution": "Our team is working on it",
    "status: investigating": "Status: investigating",
    "started: [time]": "Started: 2026-11-21 22:01 UTC",
    "impact: [description]": "Impact: one in two cannot log in",
    "updates: every 30 minutes": "every 30 min",
    "follow: https://status": "https://status.zekka.example",
}
# What the page itself shows beside the text.
OF_THE_PAGE = ("status: investigating", "follow: https://status")


@pytest.fixture
def public(zekka: Response) -> Response:
    zekka.open(
        severity="P0",
        facts=HALF,
        title="db1: pool exhausted",
        more={"public": "Logging in fails", "public_impact": "one in two cannot log in"},
    )
    return zekka


@pytest.mark.parametrize("row", [row for row in INITIAL if row != "incident detected"])
def test_initial_notification_to_customers(public: Response, row: str) -> None:
    told = text(public.tell(0), "initial", "customers")
    assert INITIAL[row] in told
    assert "db1" not in told and "[" not in told


@pytest.mark.parametrize("row", [row for row in INITIAL if row not in ("incident detected", *OF_THE_PAGE)])
def test_initial_notification_on_the_status_page(public: Response, row: str) -> None:
    told = text(public.tell(0), "initial", "status_page")
    assert INITIAL[row] in told
    assert "db1" not in told and "[" not in told


def test_initial_notification_incident_detected_is_its_subject(public: Response) -> None:
    """The subject says what users notice rather than that there is an incident."""
    assert {each.subject for each in public.tell(0) if each.whom in PUBLIC} == {"Logging in fails"}


@pytest.mark.parametrize("name", ["public", "public_impact"])
def test_initial_notification_with_places_that_nobody_filled_in_is_not_sent(
    zekka: Response, name: str
) -> None:
    with pytest.raises(BadInput, match=r"\[issue description\] is not filled in"):
        zekka.open(severity="P0", more={name: "Reports of [issue description]"})


# Zekka, template of the resolution, and Matrixon, User Communication.

RESOLUTION = {
    "the issue affecting [description] has been resolved": "Logging in fails",
    "root cause: [brief description]": "Root cause: a limit that was too low",
    "resolution: [action taken]": "Resolution: the limit was raised",
    "duration: [time]": "90 min",
    "full post-mortem: [link] (within 48 hours)": "48 hours: https://docs.zekka.example/post-mortems",
    "we apologize for the disruption": "We apologise for the disruption.",
}


@pytest.fixture
def resolved(public: Response) -> Response:
    public.tell(0)
    given = {"root_cause": "a limit that was too low", "resolution": "the limit was raised"}
    public.say(90, "resolve", more=given)
    return public


@pytest.mark.parametrize("whom", PUBLIC)
@pytest.mark.parametrize("row", RESOLUTION)
def test_resolution_notification(resolved: Response, row: str, whom: str) -> None:
    assert RESOLUTION[row] in text(resolved.tell(90), "resolution", whom)


def test_resolution_notification_goes_to_responders_and_executives(resolved: Response) -> None:
    sent = resolved.tell(90)
    for whom in ("incidents", "executives"):
        told = text(sent, "resolution", whom)
        assert "Root cause: a limit that was too low" in told and "90 min" in told


def test_user_communication_update_status_page(zekka: Response, page: Page) -> None:
    zekka.variables.update(
        firebreak_messages_sandbox="",
        firebreak_audiences={},
        firebreak_escalation={"path": [], "matrix": []},
        firebreak_status_page={"url": f"http://127.0.0.1:{page.port}", "token": "s3cret"},
    )
    zekka.open(severity="P1")
    zekka.escalate(0)
    zekka.say(20, "resolve")
    zekka.escalate(20)
    ((first, last),) = page.incidents.values()
    assert (first["status"], last["status"]) == ("investigating", "resolved")


@pytest.mark.parametrize(("users", "told"), [(50, True), (5, False)])
def test_user_communication_send_user_notifications_if_needed(
    zekka: Response, users: int, told: bool
) -> None:
    """Who was told that it began is told that it is over."""
    zekka.open(severity="P1", facts={"users_percent": users})
    zekka.tell(0)
    zekka.say(20, "resolve")
    assert ("resolution customers" in said(zekka.tell(20))) is told


def test_user_communication_post_in_community_channels(zekka: Response) -> None:
    """They are places of the audience `customers`, beside its e-mail."""
    zekka.variables["firebreak_audiences"]["customers"].append("matrixs://u:p@matrix.example/#community")
    zekka.open(severity="P1", facts=HALF)
    zekka.tell(0)
    zekka.say(20, "resolve")
    zekka.tell(20)
    assert places(zekka, "resolution", "customers") == {"Matrix", "e-mail …@zekka.example"}


def test_clear_backlogs_send_delayed_notifications(zekka: Response, mailbox: Receiver) -> None:
    """What a receiver did not take is sent when it does, and once."""
    mailbox.behaviour = [FAIL]
    zekka.variables.update(
        firebreak_messages_sandbox="",
        firebreak_audiences={"incidents": [mail_to(mailbox)]},
        firebreak_escalation={"path": [], "matrix": []},
        firebreak_status_page=None,
    )
    zekka.open(severity="P3")
    assert zekka.escalate(0)["failed"]
    mailbox.behaviour = [TAKE]
    assert "failed" not in zekka.escalate(10)
    zekka.escalate(11)
    assert len(mailbox.got) == 1


def test_clear_backlogs_update_status_page(zekka: Response) -> None:
    zekka.open(severity="P1")
    zekka.tell(0)
    zekka.say(10, "update", text="the queue of db1 drains", more={"public": "Delayed mails are being sent"})
    told = text(zekka.tell(10), "update", "status_page")
    assert "Delayed mails are being sent" in told and "db1" not in told


# Where the runbooks are wrong, and their last words.


def test_security_incident_is_told_in_its_own_channel(zekka: Response) -> None:
    """The runbooks post everything in #incidents: an intruder may read along there. By design the details
    are told to the security channel alone."""
    zekka.open(severity="P1", security=True, title="an intruder on db1")
    sent = zekka.tell(0)
    assert "intruder" in text(sent, "initial", "security")
    assert not [each for each in sent if each.whom != "security" and "intruder" in each.subject + each.text]


def test_remember_communicate_frequently(zekka: Response) -> None:
    """No incident that is open goes without a word for longer than a day, whatever its severity."""
    for level in DEADLINES:
        every = zekka.policy().updates_every[level]
        assert every is None or every.total_seconds() <= 3600
    assert zekka.policy().summary_at
