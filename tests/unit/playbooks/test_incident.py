# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks of an incident, as they are typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import Event
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import Recorder

CHECKOUT = Path(__file__).resolve().parents[3]


class Site:
    """An inventory without hosts, whose messages become files in `messages`."""

    def __init__(self, here: Path) -> None:
        self.messages = here / "messages"
        person = {"name": "Ann", "urls": ["json://127.0.0.1:1/"]}
        roles = ("on_call", "engineering_lead", "everybody_on_call")
        variables = {
            "firebreak_people": {"ann": person},
            "firebreak_roles": {role: ["ann"] for role in roles},
            "firebreak_audiences": {"incidents": ["json://127.0.0.1:1/"]},
            "firebreak_messages_sandbox": str(self.messages),
        }
        host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        self.inventory = here / "inventory.json"
        self.inventory.write_text(json.dumps({"all": {"hosts": {"localhost": host}, "vars": variables}}))

    def play(self, name: str, *options: str, **inputs: Any) -> tuple[int, str]:
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            *("-i", str(self.inventory), f"playbooks/{name}.yml", "-e", json.dumps(inputs), *options),
        ]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    def sent(self) -> int:
        return sum(path.is_file() for path in self.messages.rglob("*"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in [name for name in os.environ if name.startswith("ANSIBLE_")]:
        monkeypatch.delenv(name)
    return Site(tmp_path)


def events(incident: str) -> list[Event]:
    with Recorder.of({}).store() as store:
        return store.events(incident)


def test_an_incident_from_its_opening_to_its_end(site: Site) -> None:
    code, text = site.play(
        "open_incident", title="the shop is down", error_percent=12, commander="ann", incident="inc-1"
    )
    assert code == 0, text
    assert "inc-1: Sev2 / P1, because one request in twenty fails" in text
    assert "channel #incident-" in text
    assert "waits here" not in text
    told = site.sent()
    assert told

    code, text = site.play("close_incident", incident="inc-1")
    assert code != 0
    assert "it is not resolved. Resolve it first" in text

    for inputs in (
        {"event": "acknowledge"},
        {"event": "update", "text": "it is the disk"},
        {"event": "resolve"},
    ):
        code, text = site.play("update_incident", incident="inc-1", **inputs)
        assert code == 0, text
    assert site.sent() > told

    for _time in range(2):
        code, text = site.play("close_incident", incident="inc-1")
        assert code == 0, text
        assert "waits here" not in text
    assert Recorder.of({}).outbox.waiting() == []
    incident = Recorder.of({}).incident("inc-1")
    assert (incident.phase, incident.roles) == ("closed", {"incident_commander": "ann"})
    kinds = [event.kind for event in events("inc-1")]
    assert kinds[:3] == ["incident.opened", "run.started", "incident.role"]
    assert kinds.count("incident.update") == kinds.count("incident.closed") == 1


def test_an_incident_without_an_id_gets_one_and_its_own_opening_is_in_its_timeline(site: Site) -> None:
    code, text = site.play("open_incident", title="t", tell=False)
    assert code == 0, text
    with Recorder.of({}).store() as store:
        (incident,) = store.incidents()
    assert incident.startswith("incident-")
    assert [event.kind for event in events(incident)] == ["incident.opened", "run.started", "run.finished"]


def test_in_check_mode_nothing_is_recorded_and_nobody_is_told(site: Site) -> None:
    code, text = site.play("open_incident", "--check", title="t", outage="complete", commander="ann")
    assert code == 0, text
    assert "Sev1 / P0" in text
    with Recorder.of({}).store() as store:
        assert store.incidents() == []
    assert site.sent() == 0


def bare(site: Site) -> None:
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    site.inventory.write_text(json.dumps({"all": {"hosts": {"localhost": host}}}))


def test_where_the_inventory_names_nobody_the_incident_is_open_and_that_is_said(site: Site) -> None:
    bare(site)
    code, text = site.play("open_incident", title="t", severity="P1", incident="inc-1")
    assert code == 0, text
    assert "NOBODY IS TOLD of inc-1: this inventory names nobody. Tell people by hand." in text
    assert "host localhost: critical; nobody is told of it" in text
    assert "-e incident=inc-1 -e event=acknowledge" in text
    assert "incident.opened" in [event.kind for event in events("inc-1")]


def test_who_is_to_tell_and_can_tell_nobody_fails(site: Site) -> None:
    bare(site)
    site.play("open_incident", title="t", severity="P1", incident="inc-1", tell=False)
    code, text = site.play("escalate")
    assert code != 0
    assert "NOBODY IS TOLD of inc-1" in text


def test_who_cannot_be_told_makes_it_fail_and_it_is_said_how_it_stands(site: Site) -> None:
    """The lead of a P1 is missing in this inventory once nobody has the role."""
    given = json.loads(site.inventory.read_text())
    del given["all"]["vars"]["firebreak_roles"]["engineering_lead"]
    site.inventory.write_text(json.dumps(given))
    code, text = site.play("open_incident", title="t", severity="P1", incident="inc-1")
    assert code != 0
    assert "NOT sent: escalation of inc-1: role engineering_lead: nobody was ever given it" in text
    assert "inc-1: Sev2 / P1, open, since" in text
    assert site.sent()


def test_escalate_says_what_is_open_and_what_comes_next(site: Site) -> None:
    site.play("open_incident", title="t", severity="P1", incident="inc-1", tell=False)
    code, text = site.play("escalate")
    assert code == 0, text
    assert "page of inc-1 sent to ann" in text
    assert "inc-1: Sev2 / P1, open, since" in text
    assert "in 15 min" in text
    assert "host localhost: nothing found" in text


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "missing required arguments: title"),
        ({"title": "t", "outage": "total"}, "value of outage must be one of"),
        ({"title": "t", "users_percent": "many"}, "'many' is no number"),
        ({"title": "t", "severity": "Sev9"}, "'Sev9'"),
        ({"title": "t", "incident": "a b"}, "it is not an id"),
    ],
)
def test_a_wrong_input_opens_nothing(site: Site, inputs: dict[str, Any], message: str) -> None:
    code, text = site.play("open_incident", **inputs)
    assert code != 0
    assert message in text
    with Recorder.of({}).store() as store:
        assert store.incidents() == []
    assert Recorder.of({}).outbox.waiting() == []
