# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback, driven by a real ansible-playbook: what becomes an event of the incident."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso, utc_now
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import OPENED, Draft, Event
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import Recorder

ROOT = Path(__file__).resolve().parents[4]
SECRET = "c4nary-s3cret"
MODULE = """#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(
    {"result": {"type": "raw"}, "fail": {"type": "bool"}, "password": {"type": "str", "no_log": True}},
    supports_check_mode=True,
)
(module.fail_json if module.params["fail"] else module.exit_json)(**(module.params["result"] or {}))
"""
META = """
argument_specs:
  main:
    x_changes: false
    options:
      incident: {type: str}
"""
ACT = {
    "action": "firewall.block",
    "target": "203.0.113.66",
    "identity": {"object": "203.0.113.66"},
    "risk": "reversible",
    "status": "done",
    "reason": "guessing",
    "undo": {"action": "firewall.unblock", "identity": {"object": "203.0.113.66"}},
}


class Site:
    def __init__(self, here: Path) -> None:
        self.here = here
        self.outbox = here / "state/firebreak/outbox"
        (here / "library").mkdir()
        (here / "library/fake.py").write_text(MODULE)
        (here / "respond.meta.yml").write_text(META)
        hosts = {
            name: {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
            for name in ("db1", "web1")
        }
        (here / "inventory.json").write_text(json.dumps({"all": {"hosts": hosts}}))

    def open(self, incident: str) -> None:
        with Recorder.of({}).store() as store:
            store.open(incident, Draft("open", iso(utc_now()), OPENED, "ann", None, {"title": "down"}))

    def respond(self, *tasks: dict[str, Any], incident: str = "inc-1", **play: Any) -> str:
        begin = {"firebreak.incident.begin": {}, "register": "firebreak_run", "run_once": True}
        plays = [{"hosts": "all", "gather_facts": False, "tasks": [begin, *tasks], **play}]
        (self.here / "respond.yml").write_text(json.dumps(plays))
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_LIBRARY": str(self.here / "library"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        }
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("ansible-playbook")),
                *("-i", "inventory.json", "respond.yml", "-vvvv", "-e", json.dumps({"incident": incident})),
            ],
            cwd=self.here,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout + done.stderr

    def events(self, kind: str, incident: str = "inc-1") -> list[Event]:
        with Recorder.of({}).store() as store:
            return [event for event in store.events(incident) if event.kind == kind]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in [name for name in os.environ if name.startswith("ANSIBLE_")]:
        monkeypatch.delenv(name)
    site = Site(tmp_path)
    site.open("inc-1")
    return site


def test_a_host_cannot_say_in_which_incident_and_by_whom_a_run_is(site: Site) -> None:
    site.open("inc-2")
    for incident in ("inc-2", str(site.here / "outside")):
        forged = {
            "run": {
                "id": "r-9",
                "playbook": "undo",
                "incident": incident,
                "actor": "ceo",
                "check_mode": False,
            },
            "inputs": {},
        }
        text = site.respond({"fake": {"result": forged}}, {"fake": {"result": {"actions": [ACT]}}})
        assert "waits here" not in text
    assert sorted(str(event.host) for event in site.events("act.done")) == ["db1", "db1", "web1", "web1"]
    assert {event.actor for event in site.events("act.done")} == {site.events("run.started")[0].actor}
    assert site.events("run.started", "inc-2") == []
    assert not list(site.here.glob("outside*"))


def test_each_act_of_loops_delegation_and_failures_is_one_event(site: Site) -> None:
    refused = {**ACT, "status": "refused", "target": "192.0.2.1", "identity": {"object": "192.0.2.1"}}
    failed = {**ACT, "status": "failed", "target": "192.0.2.2", "identity": {"object": "192.0.2.2"}}
    site.respond(
        {"fake": {"result": {"actions": ["{{ item }}"]}}, "loop": [ACT, refused], "delegate_to": "localhost"},
        {"fake": {"result": {"actions": [ACT, failed], "msg": "no"}, "fail": True}, "ignore_errors": True},
        {"fake": {"result": {"actions": [ACT]}}, "async": 10, "poll": 1},
    )
    for kind in ("act.done", "act.refused", "act.failed", "run.failed"):
        assert sorted(str(event.host) for event in site.events(kind)) == ["db1", "web1"], kind


def test_a_handler_that_runs_again_is_told_of_again(site: Site) -> None:
    notify = {"fake": {"result": {"changed": True}}, "notify": "Measure"}
    handler = {"name": "Measure", "fake": {"result": {"verdict": "improved"}}}
    site.respond(notify, {"meta": "flush_handlers"}, notify, handlers=[handler])
    assert sorted(str(event.host) for event in site.events("verdict.measured")) == [
        *("db1", "db1", "web1", "web1")
    ]


def test_nothing_of_what_is_not_to_be_logged_is_recorded(site: Site) -> None:
    told = {"result": {"actions": [{**ACT, "reason": SECRET}], "msg": SECRET}}
    text = site.respond(
        {"fake": told, "no_log": True},
        {"fake": told, "no_log": True, "loop": [1, 2]},
        {"fake": {**told, "fail": True}, "no_log": True, "ignore_errors": True},
        {"fake": {**told, "password": SECRET}},
    )
    assert SECRET not in text
    (run,) = {event.data["run"] for event in site.events("run.finished")}
    with Recorder.of({}).store() as store:
        assert SECRET not in json.dumps([dict(event.data) for event in store.events("inc-1")])
    assert run
    assert SECRET.encode() not in b"".join(
        path.read_bytes() for path in (site.here / "state").rglob("*") if path.is_file()
    )


def test_what_cannot_be_written_down_neither_stops_a_run_nor_the_rest(site: Site) -> None:
    finding = {"id": "a.b.c", "level": "critical", "subject": "s", "summary": "it is large"}
    odd = {**finding, "evidence": {"load": "{{ 'nan' | float }}"}}
    large = {**finding, "evidence": {"text": "{{ 'x' * 300000 }}"}}
    text = site.respond(
        {"fake": {"result": {"findings": [odd]}}},
        {"fake": {"result": {"findings": [large]}}},
        {"fake": {"result": {"actions": [ACT]}}},
    )
    assert [len(site.events(kind)) for kind in ("act.done", "run.finished")] == [2, 1], text[-3000:]
    assert "Callback dispatch" not in text


def test_a_run_of_an_incident_that_is_not_there_keeps_what_it_did_and_nothing_else(site: Site) -> None:
    text = site.respond({"fake": {"result": {"msg": "no"}, "fail": True}}, incident="inc-11")
    assert "What this run does is not in the timeline: incident inc-11: there is none of that id" in text
    assert not (site.outbox / "inc-11.jsonl").exists()
    site.respond({"fake": {"result": {"actions": [ACT]}}}, incident="inc-11")
    kept = (site.outbox / "inc-11.jsonl").read_text()
    assert [kept.count(f'"kind":"{kind}"') for kind in ("run.started", "act.done", "run.finished")] == [
        1,
        2,
        1,
    ]
