# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what the modules `pg_write_access` and `pg_write_access_info` need."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Mapping, Sequence

from ...clients.postgres_session import PORT
from ...finding import Finding
from ...lifecycle import Job
from .. import entry
from ..server import Server, describe
from ..sessions.protection import Protection
from .act import performers
from .decide import READ_ONLY, READ_WRITE, Request, decide, inform
from .observe import Snapshot, observe

INFO_SPEC: Mapping[str, Any] = {**entry.SPEC, "database": {"type": "str"}}
SPEC: Mapping[str, Any] = {
    **INFO_SPEC,
    "state": {"type": "str", "choices": [READ_ONLY, READ_WRITE], "required": True},
}


@dataclass(frozen=True)
class Meant:
    """The database that is asked for, on its server."""

    server: Server
    database: str

    @classmethod
    def by(cls, params: Mapping[str, Any]) -> Meant:
        server = entry.reach(params)
        return cls(server, params["database"] or server.administrator.database)

    @property
    def subject(self) -> str:
        access = replace(self.server.administrator, database=self.database)
        return describe(replace(self.server, administrator=access))

    @property
    def target(self) -> str:
        """Another server's database of the same name is another target."""
        access, name = self.server.administrator, f"database {self.database}"
        if access.container:
            return f"{name} in container {access.container}"
        return (
            name if access.over_socket and access.port == PORT else f"{name} on {access.host}:{access.port}"
        )

    def observe(self) -> Snapshot:
        return observe(self.server, self.database)


def job(params: Mapping[str, Any]) -> Job[Snapshot]:
    meant = Meant.by(params)
    protection, way_in = Protection.of(meant.server), entry.identity_of(meant.server)
    request = Request(meant.target, params["state"], protection, way_in)
    return Job(
        observe=meant.observe,
        decide=partial(decide, subject=meant.subject, request=request),
        perform=performers(lambda _identity: meant.server),
    )


def look(params: Mapping[str, Any]) -> tuple[Meant, Snapshot]:
    """For the module that only looks."""
    meant = Meant.by(params)
    return meant, meant.observe()


def judge(seen: tuple[Meant, Snapshot]) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    meant, snapshot = seen
    application = meant.server.application
    return inform(snapshot, meant.subject, application.user if application else None)
