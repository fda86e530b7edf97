# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import firebreak
from firebreak import Cancel
from firebreak.process import as_data

LOCAL = {
    "all": {
        "hosts": {
            "localhost": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
        }
    }
}
TWO = {"all": {"hosts": dict.fromkeys(("one", "two"), LOCAL["all"]["hosts"]["localhost"])}}
HOST = {"sections": ["host"]}


def of(events: list[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    return [event for event in events if event["event"] == kind]


def refuse(event: Mapping[str, Any]) -> None:
    raise AssertionError(f"something was started: {event}")


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def sleepers(seconds: int) -> list[int]:
    lines = {path: path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()}
    return [int(path.parent.name) for path, line in lines.items() if line == f"sleep\0{seconds}\0".encode()]


def test_a_look_at_this_machine(here: Path) -> None:
    outcome = firebreak.run("triage", inventory=LOCAL, inputs=HOST, timeout=60)
    assert (outcome.status, outcome.ok, outcome.playbook, outcome.incident) == (
        "successful",
        True,
        "triage",
        None,
    )
    host = outcome.hosts["localhost"]
    assert outcome.run
    assert host.state in ("clear", "notice", "warning", "critical")
    assert host.acts == ()
    assert 0 < outcome.seconds < 60
    assert list((here / "scratch").iterdir()) == []


@pytest.mark.parametrize("kind", ["path", "text of a path", "hosts", "data"])
def test_an_inventory_in_every_form(wait: Path, kind: str) -> None:
    path = wait.parent / "hosts.json"
    path.write_text(json.dumps(LOCAL))
    forms: dict[str, Any] = {
        "path": path,
        "text of a path": "hosts.json",
        "hosts": "localhost,",
        "data": LOCAL,
    }
    inputs = {
        "seconds": 0,
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
    }
    outcome = firebreak.run("wait", inventory=forms[kind], inputs=inputs)
    assert outcome.ok, outcome.message
    assert list(outcome.hosts) == ["localhost"]


def test_plan_is_a_run_in_check_mode(wait: Path) -> None:
    events: list[Mapping[str, Any]] = []
    assert firebreak.plan("wait", inventory=LOCAL, on_event=events.append).ok
    begun = next(event for event in of(events, "runner_on_ok") if event["event_data"]["task"])
    assert begun["event_data"]["res"]["run"]["check_mode"] is True


def test_what_is_private_stays_so_and_is_gone_at_the_end(wait: Path) -> None:
    scratch, secret = wait.parent / "scratch", "hunter2"
    seen: dict[str, Any] = {}

    def look(event: Mapping[str, Any]) -> None:
        if event["event"] != "runner_on_start" or event["event_data"]["task"] != "Wait":
            return
        [private] = scratch.iterdir()
        seen["mode"] = stat.S_IMODE(private.stat().st_mode)
        seen["files"] = [
            str(path)
            for path in private.rglob("*")
            if path.is_file() and secret in path.read_text() and "job_events" not in path.parts
        ]
        # What is still to be told; nothing of it is kept.
        seen["kept"] = [path for path in private.rglob("job_events/*") if "partial" not in path.name]
        lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
        seen["argv"] = [line for line in lines if secret.encode() in line]

    inputs = {"seconds": 1, "token": secret}
    outcome = firebreak.run("wait", inventory=LOCAL, inputs=inputs, on_event=look)
    assert outcome.ok, outcome.message
    assert seen == {"mode": 0o700, "files": [], "kept": [], "argv": []}
    assert list(scratch.iterdir()) == []


def test_texts_are_never_templates(wait: Path) -> None:
    events: list[Mapping[str, Any]] = []
    token = "{{ lookup('pipe', 'touch stolen') }}"
    firebreak.run("wait", inventory=LOCAL, inputs={"seconds": 0, "token": token}, on_event=events.append)
    shown = [event["event_data"]["res"].get("msg", "") for event in of(events, "runner_on_ok")]
    assert any(text.startswith(token) for text in shown)
    assert not (wait.parent / "stolen").exists()


def test_texts_within_lists_are_none_either() -> None:
    told = as_data({"a": ["{{ b }}", {"c": "{{ d }}"}], "e": 1})
    unsafe = "__ansible_unsafe"
    assert told == {"a": [{unsafe: "{{ b }}"}, {"c": {unsafe: "{{ d }}"}}], "e": 1}


def test_canceled_from_another_thread_it_ends_with_all_it_started(wait: Path) -> None:
    cancel, pids = Cancel(), set()

    def look(event: Mapping[str, Any]) -> None:
        pids.add(event.get("pid"))
        if event["event"] == "runner_on_start" and event["event_data"]["task"] == "Wait":
            threading.Timer(0.5, cancel).start()

    outcome = firebreak.run("wait", inventory=LOCAL, inputs={"seconds": 4711}, on_event=look, cancel=cancel)
    assert (outcome.status, outcome.ok, outcome.run is not None) == ("canceled", False, True)
    assert outcome.hosts["localhost"].state == "unseen"
    assert not any(is_alive(pid) for pid in pids if pid)
    assert sleepers(4711) == []
    assert list((wait.parent / "scratch").iterdir()) == []


@pytest.mark.parametrize("timeout", [0.1, 2])
def test_a_run_that_takes_too_long_is_ended(wait: Path, timeout: float) -> None:
    outcome = firebreak.run("wait", inventory=LOCAL, inputs={"seconds": 4712}, timeout=timeout)
    assert (outcome.status, outcome.seconds < timeout + 5) == ("timeout", True)
    assert outcome.message.startswith("the run took too long")
    assert sleepers(4712) == []


def test_a_run_that_gets_no_further_than_its_inventory_is_ended(wait: Path) -> None:
    script = wait.parent / "hosts"
    script.write_text("#!/bin/sh\nsleep 4714\n")
    script.chmod(0o700)
    assert firebreak.run("wait", inventory=script, timeout=1.5).status == "timeout"
    assert sleepers(4714) == []


def test_what_keeps_it_from_running_is_raised(wait: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ansible_runner.run", full)
    with pytest.raises(OSError, match="No space left"):
        firebreak.run("wait", inventory=LOCAL)


def test_what_on_event_raises_comes_with_the_outcome_of_the_whole_run(wait: Path) -> None:
    heard = []

    def stumble(event: Mapping[str, Any]) -> None:
        heard.append(event)
        raise KeyError("mine")

    with pytest.raises(firebreak.EventError) as raised:
        firebreak.run("wait", inventory=LOCAL, inputs={"seconds": 0}, on_event=stumble)
    assert isinstance(raised.value.__cause__, KeyError)
    assert (raised.value.outcome.status, len(heard)) == ("successful", 1)


def test_an_interrupt_ends_the_run_first(wait: Path) -> None:
    pids = []

    def interrupt(event: Mapping[str, Any]) -> None:
        if event["event"] == "runner_on_start" and event["event_data"]["task"] == "Wait":
            pids.append(event["pid"])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        firebreak.run("wait", inventory=LOCAL, inputs={"seconds": 4713}, on_event=interrupt)
    assert pids
    assert not is_alive(pids[0])
    assert list((wait.parent / "scratch").iterdir()) == []
    assert sleepers(4713) == []


def test_several_at_once(wait: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        runs = [
            pool.submit(firebreak.run, "wait", inventory=LOCAL, inputs={"seconds": 0, "incident": f"inc-{n}"})
            for n in range(3)
        ]
    outcomes = [each.result() for each in runs]
    assert [(each.status, each.incident) for each in outcomes] == [
        ("successful", f"inc-{n}") for n in range(3)
    ]
    assert len({each.run for each in outcomes}) == 3


@pytest.mark.parametrize("apart", [True, False])
def test_within_a_running_loop(wait: Path, apart: bool) -> None:
    async def respond() -> firebreak.Outcome:
        if apart:
            return await asyncio.to_thread(firebreak.run, "wait", inventory=LOCAL, inputs={"seconds": 0})
        return firebreak.run("wait", inventory=LOCAL, inputs={"seconds": 0})

    assert asyncio.run(respond()).ok


def test_a_whole_fleet_is_refused_as_on_the_command_line(here: Path) -> None:
    outcome = firebreak.plan("undo", inventory=TWO, inputs={"id": "r1"})
    assert outcome.status == "failed"
    assert outcome.message.startswith(
        "2 hosts: this changes hosts and nobody said which ones. Name them with"
    )


def test_where_nobody_is_there_nothing_is_said_to_be_well(here: Path) -> None:
    outcome = firebreak.run("triage", inventory={"all": {"hosts": {}}})
    assert (outcome.status, outcome.hosts) == ("failed", {})
    assert "No host matches this play: nothing was looked at" in outcome.message


def test_an_unknown_host_is_told(wait: Path) -> None:
    outcome = firebreak.run("wait", inventory=LOCAL, limit="nosuch")
    assert outcome.status == "failed"
    assert "Could not match supplied host pattern, ignoring: nosuch" in outcome.message


def test_without_ansible_it_is_said_that_it_is_missing(wait: Path) -> None:
    outcome = firebreak.run("wait", inventory=LOCAL, environment={"PATH": "/nonexistent"})
    assert outcome.status == "failed"
    assert "ansible-playbook" in outcome.message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0}, "timeout 0: it is not a time"),
        ({"timeout": True}, "timeout True: it is not a time"),
        ({"timeout": float("nan")}, "timeout nan: it is not a time"),
        ({"limit": ""}, "limit '': it names no host"),
        ({"limit": 5}, "limit 5: it names no host"),
        ({"limit": "--help"}, "limit '--help': it names no host"),
        ({"inventory": "nosuch"}, "inventory 'nosuch': there is no such file"),
        ({"inventory": ""}, "inventory '': there is no such file"),
        ({"inventory": {}}, "inventory: it has no groups"),
        ({"inventory": {"web1": None}}, "inventory: it has no groups"),
        ({"inputs": {"token": object()}}, "inputs: JSON cannot hold them"),
        ({"inventory": {"all": {"vars": {"x": {1, 2}}}}}, "inventory: JSON cannot hold them"),
        ({"environment": {"ANSIBLE_CONFIG": "broken.cfg"}}, "file broken.cfg: "),
    ],
)
def test_what_cannot_be_meant_starts_nothing(wait: Path, options: dict[str, Any], message: str) -> None:
    (wait.parent / "broken.cfg").write_text("no section\n")
    with pytest.raises(firebreak.BadInput) as raised:
        firebreak.run("wait", **{"inventory": LOCAL, "on_event": refuse, **options})
    assert str(raised.value).startswith(message)


def test_paths_and_tuples_are_taken_for_what_they_mean(here: Path) -> None:
    report = Path("report.md")
    inputs = {"sections": ("host",), "report": report}
    assert firebreak.run("triage", inventory=LOCAL, inputs=inputs).ok
    assert stat.S_IMODE((here / report).stat().st_mode) == 0o600


def test_the_callers_settings_hold(wait: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = wait.parent / "mine.cfg"
    settings.write_text("[defaults]\ncallbacks_enabled = ansible.builtin.tree\ninventory = mine.json\n")
    (wait.parent / "mine.json").write_text(json.dumps(LOCAL))
    monkeypatch.setenv("ANSIBLE_CONFIG", str(settings))
    events: list[Mapping[str, Any]] = []
    assert firebreak.run("wait", inputs={"seconds": 0}, on_event=events.append).ok
    shown = [event["event_data"]["res"].get("msg", "") for event in of(events, "runner_on_ok")]
    assert " ansible.builtin.tree,firebreak.incident.timeline" in shown


def test_nothing_of_this_process_changes(wait: Path) -> None:
    def state() -> tuple[Any, ...]:
        handlers = {each: signal.getsignal(each) for each in signal.valid_signals()}
        return dict(os.environ), threading.active_count(), Path.cwd(), handlers

    before = state()
    firebreak.run("wait", inventory=LOCAL, inputs={"seconds": 0})
    assert state() == before
