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


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "missing required arguments: title"),
        ({"title": "t", "outage": "total"}, "value of outage must be one of"),
        ({"title": "t", "users_percent": "many"}, "'many' is no number"),
        ({"title": "t", "severity": "Sev9"}, "it is on neither scale"),
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
