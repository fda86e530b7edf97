# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socket
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.action import network_isolation
from ansible_collections.firebreak.incident.plugins.action.network_isolation import (
    NEW_CONNECTION,
    ActionModule,
    reachable,
)

ARGS = "-o ControlMaster=auto -o ControlPersist=60s"


class Connection:
    def __init__(self, transport: str = "ssh") -> None:
        self.transport = transport
        self.options: dict[str, Any] = {"ssh_args": ARGS, "host": "192.0.2.1"}

    def get_option(self, name: str) -> Any:
        return self.options[name]

    def set_option(self, name: str, value: Any) -> None:
        self.options[name] = value


class Task:
    def __init__(self, **args: Any) -> None:
        self.args, self.check_mode = args, False


class Templar:
    def template(self, value: Any) -> Any:
        return value


def action(connection: Connection, **args: Any) -> Any:
    made: Any = ActionModule.__new__(ActionModule)
    made._connection, made._task = connection, Task(**args)
    return made


def test_the_confirmation_shares_no_connection_and_the_next_task_does_again() -> None:
    connection = Connection()
    with action(connection)._new_connection():
        assert connection.options["ssh_args"] == f"{NEW_CONNECTION} {ARGS}"
    assert connection.options["ssh_args"] == ARGS


def test_usual_connections_come_back_after_one_that_failed() -> None:
    connection = Connection()
    with pytest.raises(OSError), action(connection)._new_connection():
        raise OSError
    assert connection.options["ssh_args"] == ARGS


@pytest.mark.parametrize("transport", ["local", "community.docker.docker", "winrm"])
def test_a_host_that_is_not_reached_over_ssh_is_not_isolated(transport: str) -> None:
    result = action(Connection(transport)).run(task_vars={})
    assert result["failed"]
    assert "not reached over SSH" in result["msg"]


def test_a_time_that_cannot_be_read_is_refused_before_the_host_is_asked() -> None:
    result = action(Connection(), dead_man_seconds="soon").run(task_vars={})
    assert "duration" in result["msg"]


@pytest.mark.parametrize("typed", ["198.51.100.7,203.0.113.0/24", ["198.51.100.7", "203.0.113.0/24"]])
def test_addresses_typed_on_one_line_are_a_list(typed: object) -> None:
    made = action(Connection(), management_addresses=typed)
    made._templar = Templar()
    made._play_context = None
    found = made._management({"firebreak_management_addresses": ["192.0.2.0/28", "198.51.100.7"]})
    assert found[:3] == ["198.51.100.7", "203.0.113.0/24", "192.0.2.0/28"]


def test_a_port_counts_as_reached_only_when_it_accepts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        ports = [server.getsockname()[1], closed.getsockname()[1]]
        assert reachable("127.0.0.1", ports) == ports[:1]
    assert reachable("127.0.0.1", []) == []


TIMER = "firebreak-release-run-2"
UNTIL = "2099-01-01T00:00:00.000Z"
AFTER = {"isolated": True, "intact": True, "timer": TIMER, "timers": [{"unit": TIMER, "until": UNTIL}]}
RESULT = {
    "changed": True,
    "after": AFTER,
    "verdict": "resolved",
    "connection": "192.0.2.9 5",
    "listening": [80],
}


def proved(monkeypatch: pytest.MonkeyPatch, result: dict[str, Any], open_ports: list[int]) -> Any:
    """What becomes of the module's answer when a new connection is made without trouble."""
    monkeypatch.setattr(
        network_isolation, "reachable", lambda _host, ports: [p for p in ports if p in open_ports]
    )
    monkeypatch.setattr(network_isolation, "own_addresses_towards", lambda _addresses: ())
    monkeypatch.setattr(ActionModule.__mro__[1], "run", lambda *_given: dict(result))
    answer = {"after": {**AFTER, "timers": []}, "findings": [], "connection": "192.0.2.9 6"}
    made = action(Connection())
    made._templar, made._play_context = Templar(), None
    asked: list[Any] = []

    def execute(module_args: dict[str, Any], task_vars: object) -> dict[str, Any]:
        asked.append(module_args)
        return answer

    made._execute_module = execute
    return made.run(task_vars={}), asked


def test_an_isolation_that_was_confirmed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    result, _asked = proved(monkeypatch, RESULT, [])
    assert (result["confirmed"], result.get("failed"), result["proof"]["inbound"]) == (True, None, [80])


def test_what_answers_on_the_way_does_not_free_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    result, asked = proved(monkeypatch, RESULT, [80])
    assert asked == [{"confirm": {"timer": TIMER, "connection": "192.0.2.9 5"}}]
    assert (result["failed"], result["confirmed"], result["after"]["timer"]) == (True, True, None)
    assert "port 80 of it can still be reached" in result["msg"]
    assert "frees itself" not in result["msg"]


def test_a_second_run_does_not_keep_silent_about_what_can_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    after = {**AFTER, "timer": None, "timers": []}
    again = {**RESULT, "changed": False, "verdict": "not_needed", "after": after}
    result, asked = proved(monkeypatch, again, [80])
    assert (result["failed"], result["changed"], asked) == (True, False, [])


def test_connections_that_survive_do_not_free_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {
        **RESULT,
        "failed": True,
        "verdict": "unchanged",
        "msg": "the symptom is unchanged after 1 acts.",
    }
    result, asked = proved(monkeypatch, failed, [])
    assert len(asked) == 1
    assert (result["failed"], result["confirmed"]) == (True, True)
    assert "unchanged after 1 acts" in result["msg"]
    assert "isolated all the same" in result["msg"]


def test_a_host_that_is_isolated_by_half_says_when_it_frees_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    half = {"failed": True, "changed": False, "msg": "It broke.", "after": {**AFTER, "intact": False}}
    result, asked = proved(monkeypatch, half, [])
    assert asked == []
    assert "It broke. The host frees itself, at " in result["msg"]
