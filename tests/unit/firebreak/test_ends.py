# SPDX-License-Identifier: GPL-3.0-or-later
"""However a run is ended, nothing of it is left, and what it was doing is in the ledger."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import firebreak
from ansible_collections.firebreak.incident.plugins.module_utils.ledger import Ledger, carried_out
from firebreak import Cancel, catalogue

META = """
short_description: &short Hold
description: Hold.
argument_specs:
  main:
    short_description: *short
    x_changes: false
    options:
      ledger: {type: str, required: true, description: Directory of the ledger.}
      begun: {type: str, required: true, description: A pipe that is told when the act has begun.}
      deaf: {type: bool, default: false, description: Whether it heeds no signal.}
"""
PLAYBOOK = """
- name: Hold
  hosts: all
  gather_facts: false
  tasks:
    - name: Check the inputs
      firebreak.incident.begin:
      register: firebreak_run
      run_once: true

    - name: Hold
      hold: "{{ firebreak_run.inputs | combine({'run': firebreak_run.run.id}) }}"
"""
# A change that does not come to its end.
MODULE = """#!/usr/bin/python
import os, signal, time
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.firebreak.incident.plugins.module_utils.ledger import Ledger
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import (
    Decision, Job, change_spec, run_change)
from ansible_collections.firebreak.incident.plugins.module_utils.plan import Act, Plan, Undo

OWN = {"ledger": {"type": "str"}, "begun": {"type": "str"}, "deaf": {"type": "bool"}, "run": {"type": "str"}}
module = AnsibleModule({**change_spec(), **OWN})
params = module.params

def hold(_identity):
    if params["deaf"]:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
    with open(params["begun"], "w") as pipe:
        pipe.write(f"{os.getpid()} ")
    time.sleep(4711)

act = Act("test.hold", "it", {}, "reversible", "to hold", Undo("test.free", {}))
decision = Decision(1, {}, plan=Plan((act,)))
job = Job(lambda: None, lambda _seen: decision, {"test.hold": hold})
module.exit_json(**run_change(params, False, job, Ledger([params["ledger"]])))
"""
PROGRAM = """
import json, signal, sys
from pathlib import Path
import firebreak
from firebreak import catalogue

# Whoever starts the tests in the background, or with nohup, has it ignore these.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
directory, options, own = json.loads(sys.argv[1])
catalogue.directory = lambda: Path(directory)
if own:
    signal.signal(signal.SIGTERM, lambda *_given: sys.exit(own))
try:
    print("started", flush=True)
    firebreak.run("hold", **options)
except KeyboardInterrupt:
    print("interrupted")
    raise
"""
DEAF = """
import signal
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "notification", "deaf"

    def v2_runner_on_start(self, host, task):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
"""
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


@dataclass(frozen=True)
class Bench:
    """`pipe` is told when the act has begun."""

    directory: Path
    pipe: int
    programs: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, deaf: bool = False, own: int = 0) -> subprocess.Popen[str]:
        """A program that runs it; `own` is what it exits with at SIGTERM when it handles that itself."""
        given = json.dumps([str(self.directory / "playbooks"), self.options(deaf), own])
        settings = {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(self.directory / "scratch")}
        program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, given],
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.programs.append(program)
        return program

    def options(self, deaf: bool = False) -> dict[str, Any]:
        inputs = {
            "ledger": str(self.directory / "ledger"),
            "begun": str(self.directory / "begun"),
            "deaf": deaf,
        }
        return {"inventory": {"all": {"hosts": {"here": LOCAL}}}, "inputs": inputs}

    def begun(self) -> int:
        """Waits for it; the process that acts."""
        assert select.select([self.pipe], [], [], 15)[0]
        return int(os.read(self.pipe, 100))

    def nothing_is_left(self, pid: int) -> None:
        assert not is_alive(pid)
        name = str(self.directory / "playbooks/hold.yml").encode()
        lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
        assert [line for line in lines if name in line] == []
        assert list((self.directory / "scratch").glob("firebreak-*")) == []

    def the_ledger_tells_it(self) -> None:
        """The act counts as carried out, so undo takes it back, and whoever comes next can write."""
        ledger = Ledger([str(self.directory / "ledger")])
        (entry,) = carried_out(ledger.entries())
        assert (entry.action, entry.status) == ("test.hold", "planned")
        append = threading.Thread(target=ledger.append, args=(entry,), daemon=True)
        append.start()
        append.join(10)
        assert len(ledger.entries()) == 2


@pytest.fixture
def bench(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    directory = here / "playbooks"
    (directory / "library").mkdir(parents=True)
    (directory / "hold.meta.yml").write_text(META)
    (directory / "hold.yml").write_text(PLAYBOOK)
    (directory / "library/hold.py").write_text(MODULE)
    monkeypatch.setattr(catalogue, "directory", lambda: directory)
    os.mkfifo(here / "begun")
    pipe = os.open(here / "begun", os.O_RDWR | os.O_NONBLOCK)
    bench = Bench(here, pipe)
    yield bench
    os.close(pipe)
    for program in bench.programs:
        program.kill()
        program.communicate()


@pytest.mark.parametrize(
    ("number", "said"),
    [(signal.SIGINT, "started\ninterrupted\n"), (signal.SIGTERM, "started\n"), (signal.SIGHUP, "started\n")],
)
def test_a_program_that_is_ended_ends_the_run_first(bench: Bench, number: int, said: str) -> None:
    program = bench.start()
    acting = bench.begun()
    program.send_signal(number)
    assert program.communicate(timeout=30)[0] == said
    assert program.returncode == -number
    bench.nothing_is_left(acting)
    bench.the_ledger_tells_it()


def test_a_program_that_is_ended_before_anything_ran_leaves_nothing(bench: Bench) -> None:
    program = bench.start()
    assert program.stdout
    assert program.stdout.readline() == "started\n"
    program.terminate()
    program.communicate(timeout=30)
    assert program.returncode == -signal.SIGTERM
    bench.nothing_is_left(program.pid)


def test_what_heeds_no_signal_is_killed(bench: Bench) -> None:
    program = bench.start(deaf=True)
    acting = bench.begun()
    program.terminate()
    program.communicate(timeout=30)
    bench.nothing_is_left(acting)
    bench.the_ledger_tells_it()


def test_a_program_that_handles_the_signal_itself_does_so(bench: Bench) -> None:
    program = bench.start(own=3)
    acting = bench.begun()
    program.terminate()
    program.communicate(timeout=30)
    assert program.returncode == 3
    bench.nothing_is_left(acting)


def test_of_two_runs_at_once_the_one_that_is_canceled_is_ended(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It is interrupted, not killed.
    monkeypatch.setattr("firebreak.process._GRACE", 300)
    cancels = Cancel(), Cancel()
    with ThreadPoolExecutor(2) as pool:
        runs, acting = [], []
        for cancel in cancels:
            runs.append(pool.submit(firebreak.run, "hold", cancel=cancel, timeout=40, **bench.options()))
            acting.append(bench.begun())
        cancels[0]()
        assert runs[0].result(30).status == "canceled"
        assert [is_alive(pid) for pid in acting] == [False, True]
        assert not runs[1].done()
        cancels[1]()
    assert runs[1].result().status == "canceled"
    bench.nothing_is_left(acting[1])


def test_what_heeds_no_signal_is_killed_when_the_time_is_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firebreak.process._GRACE", 0.5)
    outcome = firebreak.run("hold", timeout=4, **bench.options(deaf=True))
    assert outcome.status == "timeout", outcome
    bench.nothing_is_left(bench.begun())


def test_an_ansible_that_heeds_no_signal_is_killed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firebreak.process._GRACE", 0.5)
    plugins = bench.directory / "playbooks/callback_plugins"
    plugins.mkdir()
    (plugins / "deaf.py").write_text(DEAF)
    cancel = Cancel()
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(firebreak.run, "hold", cancel=cancel, timeout=40, **bench.options())
        acting = bench.begun()
        cancel()
    assert run.result().status == "canceled"
    assert run.result().seconds < 30
    bench.nothing_is_left(acting)
