# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socket
from typing import Any

import pytest

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
        self.args = args


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
