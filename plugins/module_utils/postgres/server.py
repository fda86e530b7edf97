# SPDX-License-Identifier: GPL-3.0-or-later
"""Which server is meant: `firebreak_postgres`, or the one that is plainly there."""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from ..clients import docker, tcp
from ..clients.docker import Place
from ..clients.postgres_session import PORT, SOCKETS, STOPPED, Access, Refused
from ..errors import BadInput, Unreachable
from ..services import COMPOSE, SYSTEMD, Service

SUBJECT = "firebreak_postgres"
LOOPBACK = "127.0.0.1"
NAMES = ("postgres", "postgresql")
PROBE_SECONDS = 0.5

Remaining = Callable[[], float]


@dataclass(frozen=True)
class Server:
    """Both ways in; within compose, `service` tells which container they lead through.

    `application_is_superuser`: its sessions may be ended all the same.

    `unit` is the systemd unit, where it is known. Not `configured`: found, nobody said how to get in.
    """

    administrator: Access
    application: Access | None = None
    service: Service | None = None
    unit: str | None = None
    configured: bool = True
    application_is_superuser: bool = False

    def start_command(self) -> str:
        if self.service:
            return f"docker compose start {self.service.service}"
        return f"systemctl start {self.unit or 'postgresql@<version>-main'}"


def parse_server(given: Mapping[str, Any] | None, services: Sequence[Service]) -> Server | None:
    """`given` is `firebreak_postgres`. None when nothing is configured. Raises `BadInput`."""
    if not given:
        return None
    if given.get("application_is_superuser") and not given.get("application_user"):
        raise BadInput(SUBJECT, "application_is_superuser names no role", "Give application_user.")
    if given.get("application_password") and not given.get("application_user"):
        raise BadInput(SUBJECT, "it has an application_password for nobody", "Give application_user.")
    service = _service(given.get("service"), services)
    inside = service if service and service.runtime == COMPOSE else None
    if inside and (given.get("host") or given.get("socket")):
        raise BadInput(SUBJECT, "it names a compose service and a host or socket", "Name one of them.")
    directory = given.get("socket") or (None if given.get("host") else SOCKETS)
    if directory and not str(directory).startswith("/"):
        raise BadInput(SUBJECT, f"socket {directory!r} is no directory", f"Write for example {SOCKETS}.")
    administrator = Access(
        user=str(given.get("user") or "postgres"),
        database=str(given.get("database") or "postgres"),
        host=str(directory or given["host"]),
        port=_port(given.get("port")),
        password=given.get("password"),
    )
    return Server(
        administrator,
        _application(given, administrator),
        inside,
        service.unit if service and service.runtime == SYSTEMD else None,
        application_is_superuser=bool(given.get("application_is_superuser")),
    )


def describe(server: Server) -> str:
    """The subject of findings about it."""
    access = server.administrator
    where = f"in container {access.container}" if access.container else f"on {access.host}"
    return f"postgresql {access.database} {where}"


def locate(server: Server, remaining: Remaining) -> Server:
    """The same with the name and the address of its container filled in. Raises `Refused`."""
    if server.service is None:
        return server
    found = docker.of_service(docker.running(remaining), server.service.project, server.service.service)
    if not found:
        subject = replace(server.administrator, container=server.service.target)
        raise Refused(subject, f"no container of {server.service.target} runs", "Start it.", STOPPED)
    return _through(server, found[0])


def detect(remaining: Remaining) -> Server | None:
    """The server that is plainly there: on a socket, in a container, on its port."""
    sockets = sorted(
        Path(SOCKETS).glob(".s.PGSQL.*[0-9]"), key=lambda path: (path.suffix != f".{PORT}", path)
    )
    for path in sockets:
        if _answers(path):
            access = Access(host=str(path.parent), port=int(path.suffix[1:]))
            return Server(access, configured=False)
    if docker.socket_path() is not None:
        try:
            for place in docker.running(remaining):
                if place.called(NAMES):
                    return _through(Server(Access(), configured=False), place)
        except Unreachable:
            # An engine that does not answer is for the section `services` to say.
            pass
    if tcp.connect(LOOPBACK, PORT, min(PROBE_SECONDS, remaining())).connected:
        return Server(Access(host=LOOPBACK), configured=False)
    return None


def _service(name: str | None, services: Sequence[Service]) -> Service | None:
    if not name:
        return next((one for one in services if one.name in NAMES and one.runtime == SYSTEMD), None)
    for service in services:
        if service.name == name:
            return service
    known = ", ".join(service.name for service in services) or "none"
    raise BadInput(SUBJECT, f"service {name!r} is not in firebreak_services", f"There are: {known}.")


def _port(given: Any) -> int:
    port = int(given or PORT)
    if not 0 < port < 65536:
        raise BadInput(SUBJECT, f"port {port} is none", "Give 1 to 65535.")
    return port


def _application(given: Mapping[str, Any], administrator: Access) -> Access | None:
    """Its own name and password, over TCP as applications do."""
    if not given.get("application_user"):
        return None
    return replace(
        administrator,
        user=str(given["application_user"]),
        password=given.get("application_password"),
        host=str(given.get("host") or LOOPBACK),
    )


def _through(server: Server, place: Place) -> Server:
    # Its own address, not loopback: images trust everybody who comes from there.
    application = server.application and replace(
        server.application, container=place.name, host=(*place.addresses, LOOPBACK)[0]
    )
    return replace(
        server,
        administrator=replace(server.administrator, container=place.name),
        application=application,
    )


def _answers(path: Path) -> bool:
    """A socket that a dead server left behind refuses."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except (PermissionError, socket.timeout, BlockingIOError):
            return True
        except OSError:
            return False
    return True
