# SPDX-License-Identifier: GPL-3.0-or-later
"""Both hosts cut off from everybody but the responder, streams of every kind ended, and let back again."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from firebreak_lab import Attacker, Connection, Lab, address

from .conftest import at_once

HOSTS = ("zekka1", "matrixon1")
FAMILIES = ("ipv4", "ipv6")
MODULE = "network_isolation"
# Where streams from inside the hosts lead to.
SINK = 9443
# Not in /run/lab, which a reset of the lab clears.
SINK_PID = "/tmp/lab-sink.pid"
RELEASE_SECONDS = 30
# Lets no new SSH connection in; nobody could get at the lab any more if it were left behind.
CUT = "lab_no_new_ssh"
CUT_SECONDS = 90

# Takes connections and writes down, for each sender by the name it begins with, when it last heard of it.
LISTEN = """
import socket, sys, threading, time
def hear(wire):
    name = wire.makefile("rb", 0).readline().decode().strip()
    while name and wire.recv(100):
        with open(f"/run/lab/heard-{name}", "w") as out: out.write(str(time.time()))
server = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    threading.Thread(target=hear, args=(server.accept()[0],), daemon=True).start()
"""
# Keeps sending on one connection, and ends with it.
SEND = """
import socket, sys, time
wire = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
wire.sendall(sys.argv[3].encode() + b"\\n")
end = time.time() + 120
while time.time() < end:
    wire.send(b".")
    time.sleep(0.2)
"""
PLAY = """
- hosts: prod
  gather_facts: false
  tasks:
    - name: {state}
      firebreak.incident.network_isolation:
        state: {state}
        max_risk: disruptive
"""
# From the second task on a new connection of the controller is not let in, while the one in use goes on.
CUT_OFF = """
- hosts: prod
  gather_facts: false
  tasks:
    - name: Connect, and let no new connection in after that
      ansible.builtin.command: nft -f -
      args:
        stdin: |
          table inet {cut} {{
            chain input {{
              type filter hook input priority -400;
              tcp dport 22 tcp flags & (syn|ack) == syn drop
            }}
          }}
    - name: Isolate
      firebreak.incident.network_isolation:
        max_risk: disruptive
        dead_man_seconds: {seconds}
"""


@dataclass(frozen=True)
class Sender:
    """Something on a host, or inside a container of it, that sends to client1."""

    host: str
    family: str
    inside: str | None = None

    @property
    def name(self) -> str:
        return f"{self.inside or self.host}-{self.family}"

    def start(self, lab: Lab) -> None:
        into = ["docker", "exec", self.inside] if self.inside else []
        argv = [*into, "python3", "-c", SEND, address(50, self.family), str(SINK), self.name]
        quiet = ["setsid", "-f", "sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh"]
        lab.run(self.host, [*quiet, *argv]).check(f"sending from {self.host}")

    def heard(self, lab: Lab) -> bool:
        """Within the last second."""
        said = lab.run("client1", ["cat", f"/run/lab/heard-{self.name}"]).stdout
        return bool(said) and time.time() - float(said) < 1.0


SENDERS = (
    Sender("zekka1", "ipv4"),
    Sender("zekka1", "ipv6"),
    Sender("matrixon1", "ipv4"),
    Sender("matrixon1", "ipv6"),
    Sender("matrixon1", "ipv4", inside="matrixon-app"),
    Sender("matrixon1", "ipv6", inside="matrixon-app"),
)


@dataclass
class Run:
    """What was seen of an isolation from before it until after its release."""

    state: dict[str, list[str]] = field(default_factory=dict)
    plays: dict[str, Any] = field(default_factory=dict)
    held: dict[tuple[str, str], Connection] = field(default_factory=dict)
    alive: dict[tuple[str, str], bool] = field(default_factory=dict)
    heard: dict[Sender, bool] = field(default_factory=dict)
    opened: dict[tuple[str, str, int], bool] = field(default_factory=dict)
    reached_out: dict[str, bool] = field(default_factory=dict)


def rule_sets(host_state: Callable[[str], str], host: str) -> list[str]:
    """Everything but Firebreak's own ledger."""
    return [line for line in host_state(host).splitlines() if "ledger.jsonl" not in line]


@pytest.fixture(scope="module")
def listener(lab: Lab) -> Iterator[None]:
    lab.run("client1", ["sh", "-c", "rm -f /run/lab/heard-*"]).check("clearing")
    quiet = ["setsid", "-f", "sh", "-c", f'echo $$ >{SINK_PID}; exec "$@" >/dev/null 2>&1', "sh"]
    lab.run("client1", [*quiet, "python3", "-c", LISTEN, str(SINK)]).check("listening on client1")
    yield
    lab.run("client1", ["sh", "-c", f"kill $(cat {SINK_PID}); rm -f /run/lab/heard-* {SINK_PID}"])


@pytest.fixture(scope="module")
def let_back(lab: Lab) -> Iterator[None]:
    """No host stays isolated, wherever the test stopped."""
    yield
    for host in HOSTS:
        lab.run(host, ["nft", "delete", "table", "inet", "firebreak_isolation"])
        lab.run(host, ["systemctl", "stop", "firebreak-release-*.timer"])
    lab.reset()


@pytest.fixture(scope="module")
def isolated(
    lab: Lab,
    attacker: Attacker,
    host_state: Callable[[str], str],
    make_play: Callable[[Path], Callable[..., Any]],
    tmp_path_factory: pytest.TempPathFactory,
    listener: None,
    let_back: None,
) -> Iterator[Run]:
    lab.reset()
    directory = tmp_path_factory.mktemp("isolation")
    for state in ("isolated", "released"):
        (directory / f"{state}.yml").write_text(PLAY.format(state=state))
    run_playbook = make_play(directory)

    def play(state: str, *words: str) -> Any:
        # An absolute path wins over the folder the player looks in.
        return run_playbook(str(directory / state), *words)

    run = Run()
    run.held = {
        (host, family): attacker.hold_connection(host, 443, 66, family=family)
        for host in HOSTS
        for family in FAMILIES
    }
    for sender in SENDERS:
        sender.start(lab)
    wait_until(lambda: all(sender.heard(lab) for sender in SENDERS), 8)
    assert all(connection.alive() for connection in run.held.values()), "the streams are not felt"
    run.state["before"] = [line for host in HOSTS for line in rule_sets(host_state, host)]

    run.plays["checked"] = play("isolated", "--check", "--diff")
    assert all(connection.alive() for connection in run.held.values()), "check mode ended connections"
    run.state["checked"] = [line for host in HOSTS for line in rule_sets(host_state, host)]

    run.plays["applied"] = play("isolated")
    dead = at_once(lambda connection: connection.dies(), run.held.values())
    run.alive = {key: not died for key, died in zip(run.held, dead, strict=True)}
    run.heard = {sender: sender.heard(lab) for sender in SENDERS}
    doors = [(host, family, port) for host in HOSTS for family in FAMILIES for port in (22, 443)]
    opened = at_once(lambda door: attacker.probe(door[0], door[2], 66, family=door[1]), doors)
    run.opened = dict(zip(doors, opened, strict=True))
    run.reached_out = dict(zip(HOSTS, at_once(lambda host: reaches_out(lab, host), HOSTS), strict=True))
    run.plays["again"] = play("isolated")
    run.plays["released"] = play("released")
    run.state["released"] = [line for host in HOSTS for line in rule_sets(host_state, host)]
    run.plays["released again"] = play("released")
    yield run


def reaches_out(lab: Lab, host: str) -> bool:
    """Whether something new gets from the host, or from a container of it, to client1."""
    once = SEND.replace("wire.send(", "break; wire.send(")
    into = ["docker", "exec", "matrixon-app"] if host == "matrixon1" else []
    argv = [*into, "python3", "-c", once, address(50, "ipv4"), str(SINK), "once"]
    return lab.run(host, ["timeout", "1.5", *argv]).rc == 0


def wait_until(done: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.2)


def test_check_mode_plans_it_and_changes_nothing(isolated: Run) -> None:
    checked = isolated.plays["checked"]
    assert checked.code == 0, checked.output
    assert isolated.state["checked"] == isolated.state["before"]
    for host in HOSTS:
        result = checked.result(host, MODULE)
        assert [act["status"] for act in result["actions"]] == ["planned"]
        assert result["before"]["connections"]["foreign"] >= 3
        assert result["verdict"] == "planned"


@pytest.mark.parametrize("host", HOSTS)
def test_the_host_is_isolated_and_that_is_confirmed_over_a_new_connection(isolated: Run, host: str) -> None:
    applied = isolated.plays["applied"]
    assert applied.code == 0, applied.output
    result = applied.result(host, MODULE)
    assert (result["verdict"], result["confirmed"]) == ("resolved", True)
    assert result["proof"]["management"] != result["connection"]
    assert set(result["proof"]["inbound"]) >= {80, 443}
    assert result["after"]["timers"] == []
    assert result["after"]["connections"]["foreign"] == 0
    assert [finding["id"] for finding in result["findings"]] == ["isolation.host.isolated"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("host", HOSTS)
def test_an_inbound_stream_dies(isolated: Run, host: str, family: str) -> None:
    assert not isolated.alive[host, family]


@pytest.mark.parametrize("sender", SENDERS, ids=lambda s: s.name)
def test_an_outbound_stream_dies(isolated: Run, sender: Sender) -> None:
    assert not isolated.heard[sender]


def test_nobody_else_gets_in_and_nothing_gets_out(isolated: Run) -> None:
    assert [key for key, opened in isolated.opened.items() if opened] == []
    assert [host for host, reached in isolated.reached_out.items() if reached] == []


def test_the_second_run_changes_nothing(isolated: Run) -> None:
    again = isolated.plays["again"]
    assert (again.code, again.changed()) == (0, 0), again.output
    assert {again.result(host, MODULE)["verdict"] for host in HOSTS} == {"not_needed"}


def test_released_leaves_every_rule_set_as_it_was(isolated: Run) -> None:
    released = isolated.plays["released"]
    assert released.code == 0, released.output
    assert {released.result(host, MODULE)["verdict"] for host in HOSTS} == {"resolved"}
    assert isolated.state["released"] == isolated.state["before"]
    assert isolated.plays["released again"].changed() == 0


def test_the_released_host_serves_again(isolated: Run, attacker: Attacker) -> None:
    for host in HOSTS:
        for family in FAMILIES:
            assert attacker.probe(host, 443, 66, family=family)


@pytest.fixture
def restored(pristine: Lab) -> Iterator[Lab]:
    """A lab whose hosts let SSH in again whatever becomes of the test, even when it is killed."""
    take_away = ["nft", "delete", "table", "inet", CUT]
    unit = f"lab-restore-{uuid.uuid4().hex[:8]}"
    later = ["systemd-run", "--collect", f"--unit={unit}", f"--on-active={CUT_SECONDS}s", "--", *take_away]
    for host in HOSTS:
        pristine.run(host, later).check(f"arming the way back on {host}")
    try:
        yield pristine
    finally:
        for host in HOSTS:
            pristine.run(host, take_away)
            if CUT not in tables(pristine, host):
                pristine.run(host, ["systemctl", "stop", f"{unit}.timer"])


def test_without_a_confirmation_the_host_frees_itself(
    restored: Lab,
    attacker: Attacker,
    make_play: Callable[[Path], Callable[..., Any]],
    tmp_path: Path,
) -> None:
    (tmp_path / "cut_off.yml").write_text(CUT_OFF.format(seconds=RELEASE_SECONDS, cut=CUT))
    started = time.time()
    played = make_play(tmp_path)(str(tmp_path / "cut_off"))
    assert played.code != 0
    for host in HOSTS:
        result = played.result(host, MODULE)
        assert result["failed"]
        assert result["after"]["isolated"]
        assert not result["confirmed"]
        assert f"frees itself at {result['after']['timers'][0]['until']}" in result["msg"]
    wait_until(
        lambda: not any("firebreak_isolation" in tables(restored, host) for host in HOSTS),
        started + RELEASE_SECONDS + 15 - time.time(),
    )
    for host in HOSTS:
        assert attacker.probe(host, 443, 66)


def tables(lab: Lab, host: str) -> str:
    return lab.run(host, ["nft", "list", "tables"]).stdout
