# SPDX-License-Identifier: GPL-3.0-or-later
"""How the modules for PostgreSQL get in: as the administrator, to one database or another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Mapping

from ..clients.postgres import Access, Session, connect
from ..deadlines import Deadline
from ..errors import Unreachable
from ..services import POSTGRES_SPEC, SERVICES_SPEC, parse_services
from .server import Server, detect, locate, parse_server

# What every such module takes; documented in the fragments `postgres` and `services`.
SPEC: Mapping[str, Any] = {**SERVICES_SPEC, **POSTGRES_SPEC}
SECONDS = 10.0


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
    """The administrator's way in, to the configured database or to another one."""
    access = server.administrator
    return replace(access, database=database) if database else access


def enter(
    server: Server,
    seconds: float,
    database: str | None = None,
    connect: Callable[[Access, Callable[[], float]], Session] = connect,
) -> Session:
    """A session of the administrator's; `seconds` are for everything in it. Raises `Refused`."""
    return connect(access_to(server, database), Deadline(seconds).remaining)
