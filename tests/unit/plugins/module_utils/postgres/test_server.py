# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import docker, tcp
from ansible_collections.firebreak.incident.plugins.module_utils.clients.docker import Place
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    STOPPED,
    Refused,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.tcp import Attempt
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.postgres import server as module
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import (
    Server,
    detect,
    locate,
    parse_server,
)
from ansible_collections.firebreak.incident.plugins.module_utils.services import parse_services

SYSTEMD = parse_services({"postgres": {"runtime": "systemd", "unit": "postgresql@15-main.service"}})
COMPOSE = parse_services({"db": {"runtime": "compose", "project": "shop", "service": "postgres"}})
PLACE = Place("shop-postgres-1", "postgres:17", "shop", "postgres", ("172.18.0.3",))


def parsed(given: dict[str, Any], services: Any = ()) -> Server:
    server = parse_server(given, services)
    assert server is not None
    return server


def five() -> float:
    return 5.0


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A host without any server."""
    monkeypatch.setattr(module, "SOCKETS", str(tmp_path))
    monkeypatch.setattr(docker, "socket_path", lambda: None)
    monkeypatch.setattr(tcp, "connect", lambda *_given: Attempt(False, 0.0, error="refused"))
    return monkeypatch


@pytest.fixture
def directory() -> Iterator[Path]:
    # pytest's own directories are too long for the name of a socket.
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.parametrize("given", [None, {}])
def test_nothing_configured_is_no_server(given: Any) -> None:
    assert parse_server(given, SYSTEMD) is None


def test_the_administrator_comes_by_the_socket_and_the_application_by_tcp() -> None:
    server = parsed(
        {
            "database": "shop",
            "socket": "/run/pg",
            "application_user": "web",
            "application_password": "x",
            "port": 5433,
        },
        SYSTEMD,
    )
    assert (server.administrator.host, server.administrator.user) == ("/run/pg", "postgres")
    assert server.application is not None
    assert (server.application.host, server.application.port) == ("127.0.0.1", 5433)
    assert (server.application.user, server.application.database) == ("web", "shop")
    assert server.start_command() == "systemctl start postgresql@15-main.service"


def test_without_socket_and_host_it_is_the_usual_socket() -> None:
    assert parsed({"database": "shop"}).administrator.host == "/var/run/postgresql"


def test_a_host_is_for_both_when_there_is_no_socket() -> None:
    server = parsed({"host": "db.example", "password": "a", "application_user": "web"})
    assert server.application is not None
    assert (server.administrator.host, server.application.host) == ("db.example", "db.example")
    assert server.application.password is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"service": "nope"}, "'nope' is not in firebreak_services"),
        ({"application_password": "x"}, "application_password for nobody"),
        ({"service": "db", "host": "127.0.0.1"}, "compose service and a host"),
        ({"socket": "postgresql"}, "is no directory"),
        ({"port": 70000}, "port 70000"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        parse_server(given, COMPOSE)


def test_both_ways_lead_through_the_container_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Place("other-postgres-1", "postgres:17", "other", "postgres", ("172.19.0.3",))
    monkeypatch.setattr(docker, "socket_path", lambda: Path("/docker.sock"))
    monkeypatch.setattr(docker, "places", lambda *_given: (other, PLACE))
    found = locate(parsed({"service": "db", "user": "shop", "application_user": "web"}, COMPOSE), five)
    assert found.application is not None
    assert (found.administrator.container, found.administrator.over_socket) == ("shop-postgres-1", True)
    # Loopback would be trusted without a password.
    assert (found.application.container, found.application.host) == ("shop-postgres-1", "172.18.0.3")


def test_a_service_without_a_running_container_is_a_stopped_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "socket_path", lambda: Path("/docker.sock"))
    monkeypatch.setattr(docker, "places", lambda *_given: ())
    with pytest.raises(Refused, match="no container of shop/postgres runs") as caught:
        locate(parsed({"service": "db"}, COMPOSE), five)
    assert caught.value.reason == STOPPED


def test_a_host_without_a_server_has_none(nothing: pytest.MonkeyPatch) -> None:
    assert detect(five) is None


def test_a_socket_that_answers_is_a_server_and_a_dead_one_is_not(
    nothing: pytest.MonkeyPatch, directory: Path
) -> None:
    nothing.setattr(module, "SOCKETS", str(directory))
    with socket.socket(socket.AF_UNIX) as dead, socket.socket(socket.AF_UNIX) as alive:
        dead.bind(str(directory / ".s.PGSQL.5432"))
        alive.bind(str(directory / ".s.PGSQL.5433"))
        alive.listen()
        (directory / ".s.PGSQL.5433.lock").touch()
        found = detect(five)
    assert found is not None
    assert (found.administrator.host, found.administrator.port) == (str(directory), 5433)
    assert not found.configured


def test_a_superuser_without_a_role_is_a_mistake() -> None:
    with pytest.raises(BadInput, match="application_is_superuser names no role"):
        parse_server({"application_is_superuser": True}, ())


@pytest.mark.parametrize(
    ("image", "service", "is_one"),
    [
        ("postgres:17-alpine", "db", True),
        ("registry.example:5000/library/postgres@sha256:0a", "db", True),
        ("own-image", "postgres", True),
        ("prometheuscommunity/postgres-exporter", "exporter", False),
    ],
)
def test_a_container_is_known_by_its_image_or_service(
    nothing: pytest.MonkeyPatch, image: str, service: str, is_one: bool
) -> None:
    nothing.setattr(docker, "socket_path", lambda: Path("/docker.sock"))
    nothing.setattr(docker, "places", lambda *_given: (Place("c", image, None, service),))
    found = detect(five)
    assert (found is not None) == is_one


def test_an_engine_that_does_not_answer_is_no_reason_to_stop(nothing: pytest.MonkeyPatch) -> None:
    def places(*_given: Any) -> Any:
        raise Unreachable("docker", "it did not answer", "See it.")

    nothing.setattr(docker, "socket_path", lambda: Path("/docker.sock"))
    nothing.setattr(docker, "places", places)
    nothing.setattr(tcp, "connect", lambda *_given: Attempt(True, 0.0))
    found = detect(five)
    assert found is not None
    assert found.administrator.host == "127.0.0.1"
