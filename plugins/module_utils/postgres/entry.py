# SPDX-License-Identifier: GPL-3.0-or-later
"""How the modules for PostgreSQL get in: as the administrator, to one database or another."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Callable, Mapping

from ..clients.postgres import Access, Session, connect
from ..deadlines import Deadline
from ..errors import BadInput, Unreachable
from ..services import COMPOSE, POSTGRES_SPEC, SERVICES_SPEC, Service, parse_services
from .server import LOOPBACK, Server, describe, detect, locate, parse_server

# What every such module takes; documented in the fragments `postgres` and `services`.
SPEC: Mapping[str, Any] = {**SERVICES_SPEC, **POSTGRES_SPEC}
SECONDS = 10.0

# Takes the identity of an act to the server it was done on.
WayIn = Callable[[Mapping[str, Any]], Server]


def reach(params: Mapping[str, Any]) -> Server:
    """The server that is configured, else the one that is plainly there, its container found.

    Raises `BadInput`, `Refused` when its container does not run, `Unreachable` when there is no server.
    """
    remaining = Deadline(SECONDS).remaining
    server = parse_server(params["postgres"], parse_services(params["services"])) or detect(remaining)
    if server is None:
        raise Unreachable(
            "postgresql",
            "no server is configured, and none is on a socket, in a container or on port 5432",
            "Give firebreak_postgres.",
        )
    return locate(server, remaining)


def access_to(server: Server, database: str | None = None) -> Access:
    """The administrator's way in, to the configured or another database; read-only by default or not."""
    access = server.administrator
    return replace(access, database=database or access.database, writes=True)


def enter(
    server: Server,
    seconds: float,
    database: str | None = None,
    connect: Callable[[Access, Callable[[], float]], Session] = connect,
) -> Session:
    """A session of the administrator's; `seconds` are for everything in it. Raises `Refused`."""
    return connect(access_to(server, database), Deadline(seconds).remaining)


def identity_of(server: Server) -> dict[str, Any]:
    """The part of an act's identity by which an undo finds the server again. It holds no password."""
    access = server.administrator
    found: dict[str, Any] = {"user": access.user, "database": access.database}
    found.update(host=access.host, port=access.port)
    if server.service:
        found.update(project=server.service.project, service=server.service.service)
    elif access.container:
        found["container"] = access.container
    return {"server": found}


def server_for(identity: Mapping[str, Any], params: Mapping[str, Any]) -> Server:
    """The server that `identity_of` described, located; with the password that is configured for it.

    Raises `BadInput` when another server is configured and this one is asked for over TCP, `Refused` when its
    container does not run.
    """
    remaining = Deadline(SECONDS).remaining
    recorded = _recorded(identity["server"])
    configured = parse_server(params["postgres"], parse_services(params["services"]))
    if configured is not None:
        configured = locate(configured, remaining)
        if _place(configured) == _place(recorded):
            access = replace(configured.administrator, database=recorded.administrator.database)
            return replace(configured, administrator=access)
        if recorded.service is None and not recorded.administrator.over_socket:
            raise BadInput(
                str(recorded.administrator),
                f"it was done there, and what is configured is {describe(configured)}",
                "Name that server in firebreak_postgres, with its password, and repeat.",
            )
    return locate(recorded, remaining)


def _recorded(found: Mapping[str, Any]) -> Server:
    access = Access(
        user=found["user"],
        database=found["database"],
        host=found["host"],
        port=found["port"],
        container=found.get("container"),
    )
    if not found.get("service"):
        return Server(access)
    name = found["service"]
    return Server(access, service=Service(name, COMPOSE, project=found.get("project"), service=name))


def _place(server: Server) -> tuple[Any, ...]:
    """Equal for two ways to the same server."""
    access = server.administrator
    if server.service:
        return (server.service.project, server.service.service)
    if access.container:
        return (access.container,)
    host = os.path.realpath(access.host) if access.over_socket else access.host
    return (LOOPBACK if host == "localhost" else host, access.port)
