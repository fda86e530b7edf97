# SPDX-License-Identifier: GPL-3.0-or-later
"""Which server is meant: `firebreak_redis`, or the one that is plainly there."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from ..clients import docker, redis
from ..clients.docker import Place
from ..clients.redis import Address, Login, Redis
from ..errors import BadInput, Unreachable
from ..services import COMPOSE, Service

NAMES = ("redis", "valkey")
USUAL_SOCKETS = (
    "/run/redis/redis-server.sock",
    "/run/redis/redis.sock",
    "/run/valkey/valkey-server.sock",
    "/run/valkey/valkey.sock",
)


class NotRunning(Unreachable):
    """The server that was asked for is not there, as far as could be seen."""


@dataclass(frozen=True)
class Server:
    """`configured` says that the inventory names it; `service` is the one of compose that it runs in.

    `caches` are the patterns of keys that may be lost.
    """

    configured: bool = False
    address: Address | None = None
    login: Login = field(default_factory=Login)
    service: str | None = None
    project: str | None = None
    port: int = redis.PORT
    tls: bool = False
    caches: tuple[str, ...] = ()


@dataclass(frozen=True)
class Located:
    """Where to connect to, in order of preference; `name` is the container's, if it is one."""

    addresses: tuple[Address, ...]
    name: str | None = None

    @property
    def subject(self) -> str:
        where = f"container {self.name}" if self.name else str(self.addresses[0])
        return f"redis {where}"


def parse_server(given: Mapping[str, Any] | None, services: Sequence[Service]) -> Server:
    """`given` is `firebreak_redis`, or None. Raises `BadInput`."""
    if not given:
        return _hinted(services)
    named = [name for name in ("service", "host", "socket") if given.get(name)]
    if len(named) > 1:
        raise BadInput("firebreak_redis", f"it names {' and '.join(named)}", "Name one way to reach it.")
    port, tls = int(given.get("port") or redis.PORT), bool(given.get("tls"))
    if not 0 < port < 65536:
        raise BadInput("firebreak_redis", f"port {port} is none", "Give 1 to 65535.")
    server = Server(
        configured=True,
        login=Login(given.get("password"), given.get("user")),
        port=port,
        tls=tls,
        caches=tuple(map(str, given.get("caches") or ())),
    )
    if given.get("service"):
        return _in_service(server, str(given["service"]), services)
    host, path = str(given.get("host") or "127.0.0.1"), given.get("socket")
    return replace(server, address=Address(host, port, path, tls and not path))


def locate(server: Server, remaining: Callable[[], float]) -> Located | None:
    """None when no server is configured and none is plainly there.

    Raises `NotRunning`, and `Unreachable` when nobody could be asked where it is.
    """
    if server.address:
        return Located((server.address,))
    if server.service:
        found = docker.of_service(docker.running(remaining), server.project, server.service)
        if found:
            return _located(found[0], server)
        if server.configured:
            raise NotRunning(
                f"redis service {server.service}", "no container of it runs", "See docker compose ps -a."
            )
    return None if server.configured else _plainly_there(server, remaining)


def session(server: Server, remaining: Callable[[], float]) -> Redis:
    """A connection to it, logged in; use it in a `with`. Raises `Unreachable`, `AuthRefused`."""
    located = locate(server, remaining)
    if located is None:
        raise Unreachable("redis", "no server is configured or found", "Give firebreak_redis.")
    for address in located.addresses[:-1]:
        try:
            return redis.connect(address, server.login, remaining)
        except redis.AuthRefused:
            raise
        except Unreachable:
            continue
    return redis.connect(located.addresses[-1], server.login, remaining)


def _in_service(server: Server, name: str, services: Sequence[Service]) -> Server:
    for service in services:
        if name in (service.name, service.service) and service.runtime == COMPOSE:
            return replace(server, service=service.service, project=service.project)
    if any(service.name == name for service in services):
        return replace(server, address=Address(port=server.port, tls=server.tls))
    return replace(server, service=name)


def _hinted(services: Sequence[Service]) -> Server:
    hints = [s for s in services if s.runtime == COMPOSE and (s.name in NAMES or s.service in NAMES)]
    return Server(service=hints[0].service, project=hints[0].project) if hints else Server()


def _plainly_there(server: Server, remaining: Callable[[], float]) -> Located | None:
    if _listens(remaining):
        return Located((Address(),))
    for path in USUAL_SOCKETS:
        if _is_socket(path):
            return Located((Address(socket=path),))
    try:
        places = docker.running(remaining)
    except Unreachable:
        # An engine that does not answer is for the section `services` to say.
        return None
    found = [place for place in places if place.called(NAMES)]
    return _located(found[0], server) if found else None


def _listens(remaining: Callable[[], float]) -> bool:
    from ..clients import tcp

    return tcp.connect("127.0.0.1", redis.PORT, min(0.5, remaining())).connected


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(Path(path).stat().st_mode)
    except OSError:
        return False


def _located(place: Place, server: Server) -> Located | None:
    addresses = tuple(Address(host, port, tls=server.tls) for host, port in place.endpoints(server.port))
    if addresses:
        return Located(addresses, place.name)
    if server.configured:
        raise NotRunning(
            f"redis container {place.name}",
            f"it has no address and publishes no port {server.port}",
            "Name host or socket in firebreak_redis.",
        )
    return None
