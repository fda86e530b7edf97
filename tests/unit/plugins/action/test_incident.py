# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.firebreak.incident.plugins.action import incident, incident_info
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import Recorder

NOWHERE = "postgresql://ann:secret@127.0.0.1:1/incidents"
VARIABLES: dict[str, Any] = {"awx_user_name": "ann"}


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(ActionBase, "run", lambda *_given: {})


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda _self, text, *_more: found.append(text))
    return found


def run(module: Any, variables: dict[str, Any], check: bool, args: dict[str, Any]) -> dict[str, Any]:
    made: Any = object.__new__(module.ActionModule)
    made._task = SimpleNamespace(args=args, check_mode=check, action="incident")
    made._templar = SimpleNamespace(template=lambda value: value)
    result: dict[str, Any] = made.run(task_vars={**VARIABLES, **variables})
    return result


def say(
    event: str, check: bool = False, variables: dict[str, Any] | None = None, **args: Any
) -> dict[str, Any]:
    return run(incident, variables or {}, check, {"event": event, **args})


def info(variables: dict[str, Any] | None = None, **args: Any) -> dict[str, Any]:
    return run(incident_info, variables or {}, True, args)


def test_an_incident_is_opened_and_told_about() -> None:
    result = say("open", title="the shop is down", facts={"outage": "complete", "users_percent": ""})
    assert (result["changed"], result["recorded"]) == (True, True)
    assert result["channel"] == f"#{result['incident']}"
    assert result["event"]["facts"] == {"outage": "complete"}, "what is left empty is not known"
    assert result["msg"].startswith(f"{result['incident']}: Sev1 / P0, because the service is out")
    (found,) = info()["incidents"]
    assert (found["id"], found["severity"], found["phase"]) == (result["incident"], "Sev1", "open")


def test_in_check_mode_nothing_is_recorded() -> None:
    result = say("open", check=True, title="t")
    assert (result["changed"], result["recorded"]) == (True, False)
    assert info()["incidents"] == []


def test_an_id_is_opened_once() -> None:
    say("open", id="inc-1", title="t")
    result = say("open", id="inc-1", title="t")
    assert result["failed"]
    assert "it is open already, or was once" in result["msg"]


def test_the_phases_follow_from_what_is_said() -> None:
    say("open", id="inc-1", title="t")
    for word in ("acknowledge", "contain", "resolve", "close"):
        assert say(word, id="inc-1")["changed"]
    assert not say("close", id="inc-1")["changed"]
    assert info()["incidents"] == []
    (found,) = info(closed=True)["incidents"]
    assert found["phase"] == "closed"
    assert set(found["seconds"]) == {"open", "acknowledged", "contained", "resolved", "closed"}


def test_the_same_key_is_recorded_once() -> None:
    say("open", id="inc-1", title="t")
    for _attempt in range(2):
        say("note", id="inc-1", text="seen", key="mine")
    (found,) = info(id="inc-1", events=True)["incidents"]
    assert [event["kind"] for event in found["timeline"]] == ["incident.opened", "incident.note"]


def test_the_rules_of_the_site_are_used() -> None:
    rules = [{"level": 1, "fact": "services", "any_of": ["federation"]}]
    site = {"firebreak_severity_rules": rules, "firebreak_severity_deadlines": {"1": {"respond": "5m"}}}
    result = say(
        "open", variables=site, title="t", facts={"services": ["federation"]}, detected="2026-01-01T00:00:00Z"
    )
    assert result["event"]["severity"] == "Sev1"
    assert result["event"]["deadlines"]["respond"] == "2026-01-01T00:05:00.000Z"
    broken = say("open", variables={"firebreak_severity_rules": "all"}, title="t")
    assert "firebreak_severity_rules: it is no list" in broken["msg"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"event": "open"}, "the incident has none"),
        ({"event": "open", "title": "t", "id": "../x"}, "it is not an id"),
        ({"event": "open", "title": "t", "facts": {"outage": "total"}}, "is none of none, partial"),
        ({"event": "note", "text": "x"}, "which incident is meant is not said"),
        ({"event": "note", "text": "x", "id": "inc-9"}, "there is none of that id"),
        ({"event": "close", "id": "inc-1"}, "it is not resolved"),
    ],
)
def test_what_cannot_be_meant_fails_with_the_cure(args: dict[str, Any], message: str) -> None:
    say("open", id="inc-1", title="t")
    result = say(**args)
    assert result["failed"]
    assert message in result["msg"]


def test_a_record_that_cannot_be_reached_keeps_nobody_from_saying_it(warnings: list[str]) -> None:
    dead = {"firebreak_record": NOWHERE}
    assert say("open", variables=dead, id="inc-1", title="t")["recorded"]
    assert say("acknowledge", variables=dead, id="inc-1")["changed"]
    assert len(warnings) == 2
    assert all("waits here" in text and "secret" not in text for text in warnings)
    assert say("contain", id="inc-1")["changed"], "it is delivered by who reaches the record next"
    (found,) = info()["incidents"]
    assert set(found["times"]) == {"detected", "open", "acknowledged", "contained"}
    assert Recorder.of({}).outbox.waiting() == []


@pytest.mark.parametrize(
    "args", [{"event": "close"}, {"event": "reopen"}, {"event": "severity", "severity": "1"}]
)
def test_what_depends_on_how_it_stands_is_not_guessed(args: dict[str, Any]) -> None:
    result = say(variables={"firebreak_record": NOWHERE}, id="inc-1", **args)
    assert result["failed"]
    assert "127.0.0.1" in result["msg"]
    assert "secret" not in result["msg"]
    assert Recorder.of({}).outbox.waiting() == []


def test_a_record_that_cannot_be_reached_is_not_called_empty(warnings: list[str]) -> None:
    dead = {"firebreak_record": NOWHERE}
    say("open", variables=dead, id="inc-1", title="t")
    result = info(dead)
    assert result["failed"]
    assert "secret" not in result["msg"]
    assert result["waiting"] == ["inc-1"]
    assert [finding["id"] for finding in result["findings"]] == ["incident.outbox.waiting"]


def test_one_incident_is_told_of_alone() -> None:
    say("open", id="inc-1", title="t")
    say("open", id="inc-2", title="u")
    Recorder.of({}).postpone("inc-2", [])
    result = info(id="inc-1")
    assert [each["id"] for each in result["incidents"]] == ["inc-1"]
    assert result["waiting"] == []


def test_it_is_said_who_is_on_call_who_was_told_what_follows_and_what_to_type() -> None:
    site = {
        "firebreak_people": {"ann": {"name": "Ann", "urls": ["json://127.0.0.1:1/"]}},
        "firebreak_rotations": {
            "primary": {"anchor": "2026-01-05T09:00", "time_zone": "UTC", "people": ["ann"]}
        },
        "firebreak_escalation": {"time_zone": "Europe/Berlin"},
    }
    say("open", id="inc-1", title="the shop is down", severity="P1")
    result = info(site)
    assert [turn["name"] for turn in result["on_call"]] == ["Ann"]
    (found,) = result["incidents"]
    assert found["told"] == []
    assert {"incidents"} <= {each["audience"] for each in found["due"]}
    assert [each["role"] for each in found["ahead"] if each["event"] == "page"] == ["engineering_lead", "cto"]
    text = result["msg"]
    for said in ("inc-1: Sev2 / P1, open", "within 15 min", " CE", "on call (primary): Ann"):
        assert said in text
    assert "-e incident=inc-1 -e event=acknowledge" in text


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ([], "update_incident.yml -e incident=inc-1 -e event=acknowledge"),
        (["acknowledge"], "update_incident.yml -e incident=inc-1 -e event=resolve"),
        (["resolve"], "close_incident.yml -e incident=inc-1"),
        (["resolve", "close"], "write_postmortem.yml -e incident=inc-1"),
    ],
)
def test_the_next_command_is_that_of_the_phase(words: list[str], command: str) -> None:
    say("open", id="inc-1", title="t")
    for word in words:
        say(word, id="inc-1")
    assert command in info(id="inc-1")["msg"]


def test_an_inventory_that_cannot_be_read_keeps_nobody_from_learning_how_it_stands() -> None:
    say("open", id="inc-1", title="t")
    result = info({"firebreak_escalation": {"paht": []}})
    assert [each["phase"] for each in result["incidents"]] == ["open"]
    (finding,) = result["findings"]
    assert finding["id"] == "incident.people.unread"
    assert "firebreak_escalation: it cannot be read" in finding["summary"]


def test_facts_are_recorded_as_they_are_meant() -> None:
    result = say(
        "open", title="t", facts={"error_percent": "12%", "revenue_per_hour": "$12,000", "legal": False}
    )
    assert result["event"]["facts"] == {"error_percent": 12, "revenue_per_hour": 12000, "legal": "no"}


def test_somebody_who_is_not_there_takes_nothing_and_nothing_is_recorded() -> None:
    site: dict[str, Any] = {"firebreak_people": {"ann": {}}}
    result = say("open", variables=site, id="inc-1", title="t", person="annn")
    assert "Did you mean 'ann'?" in result["msg"]
    assert info()["incidents"] == []
    say("open", id="inc-1", title="t")
    assert (
        "Did you mean"
        in say("role", variables=site, id="inc-1", role="incident_comander", person="ann")["msg"]
    )


def test_who_names_no_incident_is_told_which_are_open() -> None:
    assert say("acknowledge")["msg"].endswith("Give its id.")
    say("open", id="inc-1", title="t")
    assert "Give its id. Open are inc-1." in say("acknowledge")["msg"]
    assert "there is none of that id" in info(id="inc-9")["msg"]
