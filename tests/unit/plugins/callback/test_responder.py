# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback, driven by a real ansible-playbook: what a pipe gets and what a terminal gets."""

from __future__ import annotations

import os
import pty
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
ANSIBLE_PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

MODULE = """#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(
    {"result": {"type": "raw"}, "fail": {"type": "bool"}, "secret": {"type": "str", "no_log": True}},
    supports_check_mode=True,
)
(module.fail_json if module.params["fail"] else module.exit_json)(**(module.params["result"] or {}))
"""

PLAYBOOK = r"""
- name: Respond
  hosts: all
  gather_facts: false
  vars:
    found:
      id: logins.address.succeeded
      level: critical
      subject: "sshd on {{ inventory_hostname }}"
      summary: "203.0.113.66 got in as '[bold red]root\e[2J'"
      remedy: {playbook: contain_security, inputs: {reason: "x"}}
    acts:
      - {action: firewall.block, target: 203.0.113.66, risk: reversible, status: done, reason: guessing,
         undo: {action: firewall.unblock, identity: {}}}
      - {action: firewall.block, target: 192.0.2.1, risk: reversible, status: refused, reason: our gateway,
         undo: {action: firewall.unblock, identity: {}}}
  handlers:
    - name: Reload
      fake: {}
  tasks:
    - name: Begin
      firebreak.incident.begin:
      run_once: true
      delegate_to: localhost
      register: firebreak_run
    - name: Look
      fake: {result: {findings: "{{ [found] if inventory_hostname != 'three' else [] }}"}}
      register: looked
    - name: Forge
      fake:
        result:
          run: {id: r-9, playbook: undo, incident: INC-9, check_mode: false, changes: true}
          inputs: {}
    - name: Forge the end
      fake: {result: {findings: [], common: [], hosts: {}, next: [], msg: all is well}}
    - name: Block
      fake: {result: {changed: true, actions: "{{ acts }}", verdict: resolved, findings: []}}
      when: inventory_hostname == 'one'
      notify: Reload
      register: blocked
    - block:
        - name: Ask the jail
          fake: {fail: true, result: {msg: "jail sshd: not running. Start it."}}
          when: inventory_hostname == 'two'
      rescue:
        - name: Go on without it
          ansible.builtin.debug: {msg: "no jail on {{ inventory_hostname }}"}
    - name: Write files
      fake: {fail: "{{ item == 'b' }}", result: {msg: "no space left"}}
      loop: [a, b]
      ignore_errors: true
      when: inventory_hostname == 'one'
    - name: Set the password
      fake: {secret: hunter2, fail: true, result: {msg: "hunter2 is wrong"}}
      no_log: true
      ignore_errors: true
      when: inventory_hostname == 'one'
    - name: Never
      fake: {}
      when: false
    - fake: {}
    - name: Include
      ansible.builtin.include_tasks: more.yml
    - name: Measure
      fake: {fail: "{{ inventory_hostname == 'three' }}", result: {msg: "redis: NOAUTH. Give the password."}}
    - name: Sum up
      firebreak.incident.summary:
        results: [looked, blocked]
        report: report.md

- name: One after the other
  hosts: one,two
  strategy: free
  serial: 1
  gather_facts: false
  tasks:
    - name: Wait
      fake: {}
"""

META = """
argument_specs:
  main:
    x_changes: true
    options:
      incident: {type: str, default: INC-1}
      max_risk: {type: str, default: disruptive}
      all_hosts: {type: bool, default: true}
"""

INVENTORY = """
one
two
three
gone ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1
[all:vars]
ansible_connection=local
ansible_python_interpreter={python}
"""

CONFIGURATION = """
[defaults]
collections_path = {root}/collections
inventory = hosts
stdout_callback = firebreak.incident.responder
gathering = explicit
localhost_warning = false
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("respond")
    (directory / "library").mkdir()
    (directory / "library/fake.py").write_text(MODULE)
    (directory / "respond.yml").write_text(PLAYBOOK)
    (directory / "respond.meta.yml").write_text(META)
    (directory / "more.yml").write_text("- name: Included\n  fake: {}\n")
    (directory / "hosts").write_text(INVENTORY.format(python=sys.executable))
    (directory / "ansible.cfg").write_text(CONFIGURATION.format(root=ROOT))
    return directory


def environment(project: Path, **extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    kept.pop("NO_COLOR", None)
    return {
        **kept,
        "ANSIBLE_CONFIG": str(project / "ansible.cfg"),
        "ANSIBLE_HOME": str(project / ".ansible"),
        "LC_ALL": "C.UTF-8",
        **extra,
    }


@pytest.fixture(scope="module")
def piped(project: Path) -> list[str]:
    ended = subprocess.run(
        [ANSIBLE_PLAYBOOK, "respond.yml"],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 4, ended.stdout + ended.stderr
    assert ended.stderr == ""
    return ended.stdout.splitlines()


def in_terminal(project: Path, *arguments: str, **extra: str) -> str:
    """What `ansible-playbook` writes to a terminal of 100 columns."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [ANSIBLE_PLAYBOOK, "respond.yml", *arguments],
        cwd=project,
        env=environment(project, TERM="xterm-256color", COLUMNS="100", **extra),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    pieces = []
    try:
        while piece := os.read(ours, 65536):
            pieces.append(piece)
    except OSError:
        pass  # Linux says so when the other side is closed.
    os.close(ours)
    process.wait(120)
    return b"".join(pieces).decode().replace("\r\n", "\n")


@pytest.fixture(scope="module")
def screen(project: Path) -> str:
    return in_terminal(project)


def line(lines: list[str], start: str) -> str:
    (found,) = [each for each in lines if each.startswith(start)]
    return found


def test_a_pipe_gets_neither_colour_nor_motion(piped: list[str]) -> None:
    assert all(each.isprintable() for each in piped)


def test_the_header_says_what_runs_where_and_whether_it_changes_anything(piped: list[str]) -> None:
    assert piped[0].startswith("firebreak respond: 4 hosts (one, two, three, gone), started 20")
    assert re.fullmatch(r"run \S+, incident INC-1: makes changes, up to disruptive", piped[1])


def test_what_a_host_answers_is_neither_the_run_nor_its_end(piped: list[str]) -> None:
    assert "INC-9" not in "\n".join(piped)
    assert line(piped, "ok: Forge (") and line(piped, "ok: Forge the end (")
    assert "all is well" not in "\n".join(piped)


def test_findings_acts_refusals_and_verdicts_are_shown_with_their_step(piped: list[str]) -> None:
    start = piped.index(line(piped, "changed: Block (2 skipped, 1 changed, "))
    assert piped[start + 1 : start + 4] == [
        "done: one: firewall.block 203.0.113.66: guessing (undo: firewall.unblock)",
        "refused: one: firewall.block 192.0.2.1: our gateway",
        "verdict: one: resolved",
    ]
    assert line(piped, "critical: ") == (
        r"critical: one, two: sshd: 203.0.113.66 got in as '[bold red]root\x1b[2J' [logins.address.succeeded]"
        "; remedy: ansible-playbook contain_security.yml -l one,two -e reason=x"
    )


def test_an_unreachable_host_has_a_sentence_and_a_cure(piped: list[str]) -> None:
    said = line(piped, "unreachable: gone: ")
    assert said.startswith("unreachable: gone: ssh is refused on 127.0.0.1 port 1. The machine answers")


def test_failures_are_one_message_whatever_becomes_of_them(piped: list[str]) -> None:
    assert line(piped, "rescued: two: ") == "rescued: two: jail sshd: not running. Start it."
    assert line(piped, "ignored: one [b]: ") == "ignored: one [b]: no space left"
    assert line(piped, "failed: three: ") == "failed: three: redis: NOAUTH. Give the password."
    assert not [each for each in piped if "{" in each]


def test_secrets_stay_hidden(piped: list[str], screen: str) -> None:
    assert "hunter2" not in "\n".join(piped) + screen
    assert line(piped, "ignored: one: ").startswith("ignored: one: the message is hidden (no_log)")


def test_every_kind_of_step_has_its_line(piped: list[str]) -> None:
    for start in (
        "skipped: Never (3 hosts skipped, ",
        "ok: Included (3 hosts, ",
        "ok: Reload (handler) (",
        "note: two: no jail on two",
    ):
        assert [each for each in piped if each.startswith(start)], start
    assert not [each for each in piped if each.startswith(("ok: fake", "ok: Include (", "ok: Sum up"))]


def test_batches_are_one_play_and_free_hosts_have_lines_of_their_own(piped: list[str]) -> None:
    start = piped.index(line(piped, "play: "))
    assert piped[start] == "play: One after the other"
    assert [each.partition(",")[0] for each in piped[start + 1 : start + 3]] == [
        "ok: Wait (one",
        "ok: Wait (two",
    ]


def test_the_end_has_every_host_and_what_to_type(piped: list[str]) -> None:
    end = piped[piped.index(line(piped, "host one: ")) :]
    assert end[0].startswith("host one: critical; resolved; 1 done, 1 refused; 203.0.113.66 got in")
    assert end[2] == "host three: failed; redis: NOAUTH. Give the password."
    assert end[3] == "host gone: unreachable; ssh is refused on 127.0.0.1 port 1"
    assert line(end, "common: ").startswith("common: 2 of 4 hosts (one, two): ")
    assert [each for each in end if each.startswith("next: ")] == [
        "next: ansible-playbook contain_security.yml -l one,two -e reason=x",
        f"next: ansible-playbook undo.yml -l one -e id={piped[1].split()[1].rstrip(',')}",
    ]
    assert end[-1].startswith("finished after ")


def test_the_report_is_private(project: Path, piped: list[str]) -> None:
    path = project / "report.md"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "| gone | unreachable |" in path.read_text()
    assert not list(project.glob(".report.md.*"))


def test_a_terminal_gets_colour_and_a_line_that_lives(screen: str) -> None:
    assert "\x1b[1;31mcritical\x1b[0m" in screen
    assert re.search(r"\x1b\[J\n  . Look  .*\x1b\[A", screen)


def test_a_terminal_obeys_no_sequence_but_our_own(screen: str) -> None:
    assert set(re.findall(r"\x1b\[[0-9;?]*[A-Za-ln-z]", screen)) <= {"\x1b[J", "\x1b[A"}
    assert r"root\x1b[2J" in screen and "[bold red]" in screen


def test_no_color_is_respected(project: Path) -> None:
    screen = in_terminal(project, "-l", "one", NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", screen)


def test_without_rich_a_terminal_gets_plain_text(project: Path) -> None:
    hidden = project / "hidden/rich"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('not here')\n")
    screen = in_terminal(project, "-l", "two", PYTHONPATH=str(hidden.parent))
    assert screen.startswith("firebreak respond: 1 host (two), started ")
    assert not SEQUENCE.search(screen)
