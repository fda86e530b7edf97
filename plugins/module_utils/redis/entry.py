# SPDX-License-Identifier: GPL-3.0-or-later
"""How the modules for Redis get in, and how an undo finds the server of an act again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Mapping

from ..clients.redis import Address
from ..deadlines import Deadline
from ..errors import BadInput, Unreachable
from ..services import REDIS_SPEC, SERVICES_SPEC, parse_services
from .server import Located, Server, locate, parse_server

# What every such module takes; documented in the fragments `redis` and `services`.
SPEC: Mapping[str, Any] = {**SERVICES_SPEC, **REDIS_SPEC}
SECONDS = 10.0

# Takes the identity of an act to the server it was done on.
WayIn = Callable[[Mapping[str, Any]], Server]


def reach(params: Mapping[str, Any]) -> Server:
    """The server that is configured, else the one that is plainly there.

    Raises `BadInput`, `NotRunning` when its container does not run, `Unreachable` when there is no server.
    """
    server = parse_server(params["redis"], parse_services(params["services"]))
    find(server)
    return server


def find(server: Server) -> Located:
    """Where it is now. Raises `NotRunning`, `Unreachable`."""
    located = locate(server, Deadline(SECONDS).remaining)
    if located is None:
        raise Unreachable(
            "redis",
            "no server is configured, and none is on port 6379, on a usual socket or in a container",
            "Give firebreak_redis.",
        )
    return located


def identity_of(server: Server, located: Located) -> dict[str, Any]:
    """The part of an act's identity by which an undo finds the server again. It holds no password."""
    found: dict[str, Any] = {"tls": server.tls}
    address = server.address
    if server.service:
        found.update(project=server.project, service=server.service, port=server.port)
    elif address is None and located.name:
        found.update(container=located.name, port=server.port)
    else:
        address = address or located.addresses[0]
        found.update(host=address.host, port=address.port, socket=address.socket)
    return {"server": found}


def server_for(identity: Mapping[str, Any], params: Mapping[str, Any]) -> Server:
    """The server that `identity_of` described, with the login that is configured for it.

    Raises `BadInput` when another one is configured now.
    """
    recorded = identity["server"]
    configured = parse_server(params["redis"], parse_services(params["services"]))
    if configured.configured or configured.service:
        if _place(identity_of(configured, find(configured))["server"]) == _place(recorded):
            return configured
        raise BadInput(
            f"redis {_named(recorded)}",
            "it was done there, and another server is configured now",
            "Name that server in firebreak_redis, with its password, and repeat.",
        )
    return _recorded(recorded)


def _recorded(found: Mapping[str, Any]) -> Server:
    server = Server(port=found["port"], tls=found["tls"])
    if found.get("service"):
        return replace(server, configured=True, service=found["service"], project=found["project"])
    if found.get("container"):
        located = find(server)
        if located.name == found["container"]:
            return server
        raise Unreachable(
            f"redis container {found['container']}",
            "it is not the one that is found here now",
            "Name it in firebreak_redis.",
        )
    address = Address(found["host"], found["port"], found["socket"], found["tls"])
    return replace(server, configured=True, address=address)


def _place(found: Mapping[str, Any]) -> tuple[Any, ...]:
    """Equal for two descriptions of the same server; a project that is not named may be any."""
    if found.get("service"):
        return ("service", found["service"], found["port"])
    if found.get("socket"):
        return ("socket", found["socket"])
    host = found.get("host")
    return (found.get("container"), "127.0.0.1" if host == "localhost" else host, found["port"])


def _named(found: Mapping[str, Any]) -> str:
    names = (found.get("service"), found.get("container"), found.get("socket"))
    return next((str(name) for name in names if name), f"{found.get('host')}:{found['port']}")
