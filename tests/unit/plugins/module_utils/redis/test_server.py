# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import docker
from ansible_collections.firebreak.incident.plugins.module_utils.clients.docker import Place
from ansible_collections.firebreak.incident.plugins.module_utils.clients.redis import Address
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.redis import server as module
from ansible_collections.firebreak.incident.plugins.module_utils.redis.server import locate, parse_server
from ansible_collections.firebreak.incident.plugins.module_utils.services import parse_services

COMPOSE = parse_services({"cache": {"runtime": "compose", "project": "shop", "service": "redis"}})
REDIS = Place("shop-redis-1", "redis:7", "shop", "redis", ("172.18.0.2",), {6379: (("127.0.0.1", 16379),)})
EXPORTER = Place("exporter", "oliver006/redis_exporter:v1", "shop", "exporter", ("172.18.0.9",))


def two_seconds() -> float:
    return 2.0


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A host where nothing listens; returns how to put containers on it."""
    monkeypatch.setattr(module, "_listens", lambda remaining: False)
    monkeypatch.setattr(module, "USUAL_SOCKETS", ())

    def put(*places: Place) -> None:
        monkeypatch.setattr(docker, "socket_path", lambda: Path("/run/docker.sock") if places else None)
        monkeypatch.setattr(docker, "places", lambda path, remaining: places)

    put()
    return put


def test_host_port_and_login_are_taken_as_given() -> None:
    server = parse_server({"host": "db1", "port": 6380, "user": "app", "password": "x", "tls": True}, ())
    assert server.address == Address("db1", 6380, tls=True)
    assert (server.login.user, server.login.password, server.configured) == ("app", "x", True)


def test_a_password_alone_means_the_server_of_this_host() -> None:
    assert parse_server({"password": "x", "port": 6379}, ()).address == Address()


@pytest.mark.parametrize("given", [{"host": "a", "socket": "/b"}, {"port": 70000}])
def test_what_cannot_be_meant_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="firebreak_redis"):
        parse_server(given, ())


def test_a_service_may_be_named_as_in_the_inventory_or_as_in_compose(bare: Any) -> None:
    bare(EXPORTER, REDIS)
    for name in ("cache", "redis"):
        located = locate(parse_server({"service": name}, COMPOSE), two_seconds)
        assert located is not None
        assert located.addresses == (Address("172.18.0.2"), Address("127.0.0.1", 16379))
        assert located.subject == "redis container shop-redis-1"


def test_a_systemd_service_is_reached_over_loopback() -> None:
    services = parse_services({"redis": {"runtime": "systemd", "unit": "redis-server"}})
    assert parse_server({"service": "redis"}, services).address == Address()


def test_a_configured_service_without_a_container_is_unreachable(bare: Any) -> None:
    bare(EXPORTER)
    with pytest.raises(Unreachable, match="no container of it runs"):
        locate(parse_server({"service": "redis"}, ()), two_seconds)


def test_a_container_of_another_project_is_another_server(bare: Any) -> None:
    bare(Place("other", "redis:7", "other", "redis", ("172.19.0.2",)))
    with pytest.raises(Unreachable):
        locate(parse_server({"service": "cache"}, COMPOSE), two_seconds)


def test_a_host_without_any_is_no_trouble(bare: Any) -> None:
    assert locate(parse_server(None, ()), two_seconds) is None
    bare(EXPORTER)
    assert locate(parse_server({}, COMPOSE), two_seconds) is None


def test_a_service_that_is_called_redis_is_found_without_being_configured(bare: Any) -> None:
    bare(EXPORTER, Place("own", "registry.example/own-build:1", "shop", "redis", ("172.18.0.3",)))
    located = locate(parse_server(None, COMPOSE), two_seconds)
    assert located is not None
    assert located.name == "own"


@pytest.mark.parametrize("image", ["redis", "valkey/valkey:8", "docker.io/library/redis:7-alpine@sha256:00"])
def test_a_container_is_known_by_its_image(bare: Any, image: str) -> None:
    bare(EXPORTER, Place("x", image, None, None, ("172.17.0.2",)))
    located = locate(parse_server(None, ()), two_seconds)
    assert located is not None
    assert located.name == "x"


def test_what_listens_on_the_usual_port_is_the_server(bare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_listens", lambda remaining: True)
    located = locate(parse_server(None, ()), two_seconds)
    assert located is not None
    assert located.addresses == (Address(),)


def test_an_engine_that_hangs_is_not_this_sections_trouble(
    bare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hangs(path: Path, remaining: Any) -> Any:
        raise Unreachable("docker", "it did not answer in time", "")

    bare(REDIS)
    monkeypatch.setattr(docker, "places", hangs)
    assert locate(parse_server(None, ()), two_seconds) is None
