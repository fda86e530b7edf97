# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import docker
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    FULL,
    OTHER,
    STOPPED,
    Access,
    Refused,
    Session,
)
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.overview import observe as module
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.overview.observe import (
    Snapshot,
    observe,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server, parse_server
from ansible_collections.firebreak.incident.plugins.module_utils.services import parse_services

SERVER = Server(Access(), Access(user="web", host="127.0.0.1"))


class Answering(Session):
    def close(self) -> None:
        pass

    def _lines(
        self, statement: str, params: Mapping[str, Any], timeout: float, lock_timeout: float
    ) -> list[str]:
        assert statement % params
        return [json.dumps({"by": self.access.user})]


def seen(server: Server, connect: Callable[..., Session] = Answering) -> Snapshot:
    snapshot = observe(server, Deadline(5), connect)
    assert snapshot is not None
    return snapshot


def test_administrator_and_application_are_asked_each_as_itself() -> None:
    snapshot = seen(SERVER)
    assert snapshot.application is not None
    assert (snapshot.administrator.row, snapshot.application.row) == ({"by": "postgres"}, {"by": "web"})


def test_nothing_is_claimed_about_an_application_that_is_not_configured() -> None:
    assert seen(Server(Access())).application is None


def test_nothing_there_is_no_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "detect", lambda _remaining: None)
    assert observe(None, Deadline(5), Answering) is None


def test_who_is_refused_says_why_and_does_not_hide_the_other() -> None:
    def connect(access: Access, remaining: Callable[[], float]) -> Session:
        if access.user == "web":
            raise Refused(access, "sorry, too many clients already", "End idle sessions.", FULL)
        return Answering(access, remaining)

    snapshot = seen(SERVER, connect)
    assert snapshot.application is not None
    assert snapshot.administrator.row is not None
    assert (snapshot.application.reason, snapshot.application.row) == (FULL, None)
    assert snapshot.application.said == "sorry, too many clients already. End idle sessions."


def test_another_failure_is_never_an_answer() -> None:
    def connect(_access: Access, _remaining: Callable[[], float]) -> Session:
        raise ValueError("odd")

    answer = seen(SERVER, connect).administrator
    assert (answer.row, answer.reason, answer.said) == (None, OTHER, "ValueError: odd")


def test_a_container_that_is_gone_is_a_server_that_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    services = parse_services({"db": {"runtime": "compose", "service": "db"}})
    server = parse_server({"service": "db", "application_user": "web"}, services)
    monkeypatch.setattr(docker, "socket_path", lambda: "/docker.sock")
    monkeypatch.setattr(docker, "places", lambda *_given: ())
    assert server is not None
    assert seen(server).administrator.reason == STOPPED


def test_an_engine_that_does_not_answer_is_not_called_a_stopped_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = parse_services({"db": {"runtime": "compose", "service": "db"}})
    monkeypatch.setattr(docker, "socket_path", lambda: None)
    with pytest.raises(Unreachable, match="docker"):
        observe(parse_server({"service": "db"}, services), Deadline(5), Answering)
