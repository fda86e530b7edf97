# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told to whom, as it arrives: through the sandbox, which writes a file for each message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.content import channel_name, impact
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.job import Request, escalate, notify
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import Draft
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import Recorder

from .conftest import Place

SECRETS = ("db1", "203.0.113.9", "intruder", "exfiltrated", "shop", "customers table")


@pytest.fixture
def rehearsal(place: Place, tmp_path: Path) -> Place:
    audiences = ("incidents", "executives", "customers", "security")
    place.variables.update(
        firebreak_messages_sandbox=str(tmp_path / "sandbox"),
        firebreak_audiences={name: [f"json://{name}.example/x"] for name in audiences},
        firebreak_status_page={"url": "https://status.example", "token": "s3cret"},
        firebreak_links={
            "war_room": "https://meet.example/war",
            "status_page": "https://status.example",
            "postmortem": "https://docs.example/pm",
        },
        firebreak_people={
            name: {"name": name.title(), "urls": [f"json://{name}.example/x"]} for name in ("ann", "lea")
        },
        firebreak_roles={"on_call": ["ann"], "everybody_on_call": ["ann"], "legal": ["lea"]},
        firebreak_escalation={
            "path": [{"after": "0s", "to": "everybody_on_call"}],
            "matrix": [
                {
                    "name": "data_breach",
                    "when": {"fact": "data_breach", "at_least": "suspected"},
                    "to": ["legal"],
                }
            ],
        },
    )
    return place


def told(place: Place) -> dict[str, str]:
    """The texts by event and audience."""
    directory = Path(place.variables["firebreak_messages_sandbox"])
    return {
        ".".join(path.name.split(".")[1:3]): path.read_text(encoding="utf-8") for path in directory.iterdir()
    }


def test_the_channel_is_named_after_when_it_was_opened_in_utc() -> None:
    berlin = timezone(timedelta(hours=1))
    assert channel_name(datetime(2026, 11, 21, 23, 1, 7, tzinfo=berlin)) == "#incident-20261121-220107"


def test_p0_has_a_war_room_and_the_initial_notice_has_severity_impact_and_assessment(
    rehearsal: Place,
) -> None:
    rehearsal.open(severity="P0", reasons=["nobody can log in"], facts={"users_percent": 80})
    rehearsal.add("finding.seen", id="postgres.connections.exhausted")
    rehearsal.escalate(1)
    text = told(rehearsal)["initial.incidents"]
    for part in (
        "Severity: Sev1 / P0",
        "Impact: 80 % of the users",
        "Judged so because nobody can log in.",
        "Hosts: db1",
        "Channel: #incident-20261121-120000",
        "War room: https://meet.example/war",
        "Updates: every 30 min",
    ):
        assert part in text
    assert "War room" in told(rehearsal)["page.ann"]
    assert "Ann, you are wanted as everybody on call: it has begun." in told(rehearsal)["page.ann"]


def test_p1_has_no_war_room(rehearsal: Place) -> None:
    rehearsal.open(severity="P1")
    rehearsal.escalate(0)
    assert "War room" not in told(rehearsal)["initial.incidents"]


def test_the_public_is_told_of_no_machine(rehearsal: Place) -> None:
    rehearsal.open(severity="P0", title="db1 is full", facts={"users_percent": 80}, public="Logging in fails")
    rehearsal.add("incident.update", text="db1 was cleaned")
    rehearsal.escalate(1)
    for name in ("initial.customers", "initial.status_page"):
        text = told(rehearsal)[name]
        assert "db1" not in text
        assert "Logging in fails" in text
        assert "2026-11-21 12:00 UTC" in text
        assert "every 30 min" in text


def test_the_resolution_has_root_cause_action_duration_post_mortem_and_an_apology(rehearsal: Place) -> None:
    rehearsal.open(severity="P0", facts={"users_percent": 80})
    rehearsal.escalate(0)
    rehearsal.minute = 90
    rehearsal.add("incident.resolved", root_cause="a full disk", resolution="old logs were moved")
    rehearsal.escalate(91)
    text = told(rehearsal)["resolution.customers"]
    for part in (
        "Duration: 90 min",
        "Root cause: a full disk",
        "Resolution: old logs were moved",
        "within 48 hours: https://docs.example/pm",
        "We apologise",
    ):
        assert part in text
    assert "Root cause: a full disk" in told(rehearsal)["resolution.incidents"]


def test_a_security_incident_is_told_in_full_in_its_channel_alone(rehearsal: Place) -> None:
    rehearsal.open(
        severity="P0",
        security=True,
        title="an intruder on the shop",
        impact="customers table read",
        reasons=["exfiltrated to 203.0.113.9"],
        public="intruder",
        facts={"data_breach": "confirmed", "users_percent": 50},
    )
    rehearsal.add("incident.update", text="203.0.113.9 is blocked on db1", public="intruder")
    rehearsal.add("incident.role", role="incident_commander", person="ann")
    rehearsal.escalate(1)
    rehearsal.escalate(40)
    rehearsal.minute = 50
    rehearsal.add("incident.resolved", root_cause="an intruder", resolution="db1 was rebuilt")
    rehearsal.escalate(51)
    texts = told(rehearsal)
    full = texts.pop("initial.security") + texts.pop("update.security") + texts.pop("resolution.security")
    assert all(secret in full for secret in SECRETS)
    assert {
        "initial.incidents",
        "page.ann",
        "escalation.lea",
        "initial.customers",
        "initial.status_page",
    } <= set(texts)
    for name, text in texts.items():
        assert not [secret for secret in SECRETS if secret in text], name
    for name in ("initial.customers", "initial.status_page", "resolution.customers"):
        assert "security" not in texts[name].lower().replace("key: ", "")
    assert "Security incident" in texts["page.ann"]


def test_an_incident_that_turns_out_to_be_about_security_is_told_in_its_channel_from_then_on(
    rehearsal: Place, tmp_path: Path
) -> None:
    rehearsal.open(severity="P0", title="it answers slowly", facts={"users_percent": 50}, public="It is slow")
    rehearsal.escalate(0)
    assert "initial.security" not in told(rehearsal)
    rehearsal.variables["firebreak_messages_sandbox"] = str(tmp_path / "later")
    rehearsal.minute = 10
    facts = {"data_breach": "suspected"}
    rehearsal.add("incident.severity", severity="Sev1", security=True, facts=facts, reasons=["exfiltrated"])
    rehearsal.add("incident.update", text="an intruder came from 203.0.113.9", public="an intruder")
    rehearsal.escalate(11)
    rehearsal.escalate(45)
    rehearsal.minute = 50
    rehearsal.add("incident.resolved", root_cause="an intruder", resolution="db1 was rebuilt")
    rehearsal.escalate(51)
    texts = told(rehearsal)
    assert {"initial.security", "update.incidents", "update.status_page", "resolution.customers"} <= set(
        texts
    )
    assert "203.0.113.9" in texts.pop("initial.security") + texts.pop("update.security")
    texts.pop("resolution.security")
    for name, text in texts.items():
        assert not [secret for secret in (*SECRETS, "slow") if secret in text], name


@pytest.mark.parametrize(
    "values", [{"title": "an intruder"}, {"restricted": "", "hosts": ["db1"]}, {"commander": "intruder"}]
)
def test_nothing_that_is_given_overrides_what_is_restricted(rehearsal: Place, values: dict[str, Any]) -> None:
    rehearsal.open(severity="P1", security=True)
    audiences = ["incidents", "executives", "customers", "status_page", "on_call"]
    rehearsal.notify(5, "initial", audiences, **values)
    for name, text in told(rehearsal).items():
        assert not [secret for secret in SECRETS if secret in text], name
    assert "Security incident" in told(rehearsal)["initial.incidents"]


def test_a_title_adds_no_lines_to_a_message(rehearsal: Place) -> None:
    rehearsal.open(severity="P2", title="down\n\nSeverity: Sev4\nAcknowledge at http://evil.test")
    rehearsal.escalate(0)
    assert "\nAcknowledge at" not in told(rehearsal)["initial.incidents"]
    assert "down Severity: Sev4 Acknowledge at" in told(rehearsal)["initial.incidents"]


def test_a_title_of_a_security_incident_is_in_no_subject(rehearsal: Place) -> None:
    rehearsal.open(severity="P2", security=True, title="an intruder on the shop")
    result = rehearsal.escalate(0, check=True)
    subjects = {each["audience"]: each["subject"] for each in result["due"]}
    assert subjects["incidents"] == "[Sev3 / P2] Security incident (inc-1)"
    assert "intruder" in subjects["security"]


def test_a_template_of_the_site_is_given_nothing_secret_of_a_security_incident(
    rehearsal: Place, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "initial.j2").write_text("Subject: {{ title }}\n\n{{ hosts | join(',') }}\n")
    rehearsal.variables["firebreak_templates"] = str(own)
    rehearsal.open(severity="P2", security=True)
    rehearsal.add("note", text="x")
    result = rehearsal.escalate(1)
    assert "initial of inc-1: template" in result["msg"] and "hosts is not filled in" in result["msg"]
    assert "initial.security" in told(rehearsal)
    assert "initial.incidents" not in told(rehearsal)


def test_a_page_goes_out_whatever_is_wrong_with_the_template_of_the_site(
    rehearsal: Place, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "page.j2").write_text("Subject: [title]\n\nx\n")
    rehearsal.variables["firebreak_templates"] = str(own)
    rehearsal.open(severity="P1")
    result = rehearsal.escalate(0)
    assert "the built-in text was sent instead" in result["msg"]
    assert "page.ann" in told(rehearsal)


def test_the_sandbox_has_a_file_for_each_message_and_sends_nothing(rehearsal: Place) -> None:
    rehearsal.open(severity="P0")
    for minute in (0, 1, 30, 31):
        rehearsal.escalate(minute)
    texts = told(rehearsal)
    assert set(texts) == {
        "initial.incidents",
        "initial.executives",
        "initial.status_page",
        "page.ann",
        "update.incidents",
        "update.status_page",
    }
    assert texts["initial.incidents"].splitlines()[:3] == [
        "To: JSON " + texts["initial.incidents"].splitlines()[0][-6:],
        "Audience: incidents",
        "Event: initial",
    ]


def test_a_message_that_somebody_wants_sent_goes_out_once(rehearsal: Place) -> None:
    rehearsal.open(severity="P1")
    given: dict[str, Any] = {"public": "Payments fail", "public_impact": "one in ten"}
    first = rehearsal.notify(5, "customer", ["customers"], **given)
    again = rehearsal.notify(6, "customer", ["customers"], **given)
    assert (first["changed"], again["changed"]) == (True, False)
    assert "Payments fail. Our team is working on it." in told(rehearsal)["customer.customers"]


def test_what_somebody_left_unfilled_is_not_sent(rehearsal: Place) -> None:
    rehearsal.open(severity="P1")
    with pytest.raises(BadInput, match=r"value public: \[issue description\] is not filled in"):
        rehearsal.notify(5, "customer", ["customers"], public="Reports of [issue description]")
    assert rehearsal.events("message.") == []
    with pytest.raises(BadInput, match=r"value hosts: \[Name\] is not filled in"):
        rehearsal.notify(5, "initial", ["incidents"], hosts=["db1", "[Name]"])


@pytest.mark.parametrize("name", ["public", "public_impact"])
def test_what_was_left_unfilled_in_the_record_reaches_nobody_outside(rehearsal: Place, name: str) -> None:
    rehearsal.open(severity="P0", facts={"users_percent": 50}, **{name: "Reports of [issue description]"})
    result = rehearsal.escalate(0)
    assert f"value {name}: [issue description] is not filled in" in result["msg"]
    assert {"initial.customers", "initial.status_page"}.isdisjoint(told(rehearsal))
    assert "initial.incidents" in told(rehearsal)


def test_an_id_that_is_a_path_is_refused(rehearsal: Place, tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text("precious")
    name, variables = str(tmp_path / "mine"), rehearsal.variables
    who = ("ann", rehearsal.clock, rehearsal.sleep)
    with pytest.raises(BadInput, match="it is not an id"):
        notify(variables, Request(name, "update", ["incidents"]), *who)
    with pytest.raises(BadInput, match="it is not an id"):
        escalate(variables, name, *who)
    assert (tmp_path / "mine.jsonl").read_text() == "precious"


def test_what_somebody_says_of_a_security_incident_stays_in_its_channel(rehearsal: Place) -> None:
    rehearsal.open(severity="P1", security=True)
    rehearsal.notify(5, "update", ["incidents", "security"], update="the intruder came from 203.0.113.9")
    assert "203.0.113.9" in told(rehearsal)["update.security"]
    assert "203.0.113.9" not in told(rehearsal)["update.incidents"]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, ""),
        ({"outage": "partial", "services": ["api", "search"]}, "partial outage; services: api, search"),
        ({"outage": "none", "error_percent": "5-10"}, "5-10 % of the requests fail"),
    ],
)
def test_the_impact_is_said_from_what_is_known(facts: dict[str, Any], said: str) -> None:
    assert impact(facts) == said


def test_a_moment_is_in_utc() -> None:
    assert channel_name(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "#incident-20260102-030405"


def test_an_incident_whose_record_was_altered_does_not_keep_the_others_waiting(rehearsal: Place) -> None:
    rehearsal.open(severity="P1")
    with Recorder.of(rehearsal.variables).store() as store:
        store.open("inc-0", Draft("open", iso(rehearsal.clock()), "incident.opened", "ann", None, {}))
        altered = Draft("x", iso(rehearsal.clock()), "message.sent", "ann", None, {"of": "nothing"})
        store.append("inc-0", [altered])
    result = rehearsal.escalate(0)
    assert "incident inc-0: its record cannot be read (KeyError). Look who altered it." in result["problems"]
    assert "page.ann" in told(rehearsal)
