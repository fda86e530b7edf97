# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.firebreak.incident.plugins.action.triage_info import ActionModule
from ansible_collections.firebreak.incident.plugins.plugin_utils import with_context


class Connection:
    """Notes what happens; `opened` is set when the connection is asked for."""

    def __init__(self, transport: str, events: list[str], error: Exception | None = None) -> None:
        self.transport, self._events, self._error = transport, events, error
        self.opened = threading.Event()
        self._shell = SimpleNamespace(tmpdir=None)

    def exec_command(self, command: str, sudoable: bool) -> None:
        self.opened.set()
        self._events.append("connected")
        if self._error:
            raise self._error


def action(monkeypatch: pytest.MonkeyPatch, connection: Connection, events: list[str]) -> Any:
    def run(self: Any, _tmp: Any, _variables: Any) -> dict[str, Any]:
        if connection.transport == "ssh":
            assert connection.opened.wait(5), "the connection is opened while the module is put together"
        events.append("put together")
        result: dict[str, Any] = self._low_level_execute_command("module")
        return result

    def execute(_self: Any, command: str) -> dict[str, Any]:
        events.append(f"run {command}")
        return {"rc": 0}

    monkeypatch.setattr(with_context.ActionModule, "run", run)
    monkeypatch.setattr(with_context.ActionModule, "_low_level_execute_command", execute)
    made: Any = object.__new__(ActionModule)
    made._connection = connection
    return made


def test_the_connection_is_opened_while_the_module_is_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    assert action(monkeypatch, Connection("ssh", events), events).run(None, {}) == {"rc": 0}
    assert sorted(events[:2]) == ["connected", "put together"]
    assert events[2:] == ["run module"]


def test_a_host_that_cannot_be_reached_is_told_by_the_first_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    connection = Connection("ssh", events, AnsibleConnectionFailure("timed out"))
    with pytest.raises(AnsibleConnectionFailure, match="timed out"):
        action(monkeypatch, connection, events).run(None, {})
    assert "run module" not in events, "a second attempt would wait as long again"


def test_a_connection_that_is_not_kept_is_not_opened_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    action(monkeypatch, Connection("local", events), events).run(None, {})
    assert events == ["put together", "run module"]
