# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that may be written to, with sessions; and a server that does what it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres import (
    Access,
    Failed,
    Refused,
    Session,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import DATABASE
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions import session as sessions
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.write_access.observe import (
    MARK,
    NAME,
    Present,
    Proof,
    Setting,
    Snapshot,
)

SINCE = "2026-11-22T10:00:00.000000Z"
EARLY, LATE = "2026-11-22T09:59:59.999999Z", "2026-11-22T10:00:00.000001Z"


def present(pid: int, began: str = EARLY, **given: Any) -> Present:
    row = {
        "pid": pid,
        "backend_start": began,
        "user": "web",
        "application": "shop",
        "backend_type": "client backend",
        "state": "idle",
        "superuser": False,
        "replication": False,
        **given,
    }
    return Present(sessions.Session.of(row), began)


@pytest.fixture
def writable() -> Snapshot:
    return Snapshot(
        database="shop",
        oid=16384,
        system="7710868432813102296",
        in_recovery=False,
        now="2026-11-22T10:01:00.500000Z",
        default="off",
        settings=(),
        mark=None,
        present=(present(1), present(2)),
        proof=Proof("web", application=True, read_only=False, refused=False),
    )


@pytest.fixture
def closed(writable: Snapshot) -> Snapshot:
    return replace(
        writable,
        settings=(Setting(True, None, "on"),),
        mark=SINCE,
        present=(present(3, LATE), present(4, LATE)),
        proof=Proof("web", application=True, read_only=True, refused=True),
    )


@dataclass
class FakeServer:
    """What it was told, in order, and the settings and sessions that came of it."""

    settings: dict[str, str] = field(default_factory=dict)
    present: Sequence[Mapping[str, Any]] = ()
    oid: int | None = 16384
    name: str | None = 'We"b; %s'
    refuses: str | None = None
    superuser: bool = True
    fails: str | None = None
    now: str = SINCE
    told: list[str] = field(default_factory=list)
    entered: list[str] = field(default_factory=list)

    def connect(self, access: Access, _remaining: Callable[[], float]) -> Session:
        return _FakeSession(access, self)


class _FakeSession(Session):
    def __init__(self, access: Access, server: FakeServer) -> None:
        super().__init__(access, lambda: 1.0)
        self._server, self._version = server, 150020

    def close(self) -> None:
        """Nothing lasts."""

    def rows(self, query: str, params: Any = None, timeout: float = 5, limit: int = 0) -> list[Any]:
        server = self._server
        server.entered.append(self.access.database)
        if server.refuses == self.access.database:
            raise Refused(self.access, "it does not exist", "", DATABASE)
        if "datname FROM pg_database WHERE oid = %(oid)s" in query:
            found = {"system": "7710868432813102296", "name": server.name}
            return [{**found, "taken": server.oid is not None}]
        if "pg_control_system" in query:
            return [
                {
                    "system": "7710868432813102296",
                    "superuser": server.superuser,
                    "in_recovery": False,
                    "now": server.now,
                    "oid": server.oid,
                    "databases": ["postgres", "shop"],
                    "settings": [
                        {"here": True, "role": None, "name": name, "value": value, "enters": None}
                        for name, value in server.settings.items()
                    ],
                    "sessions": list(server.present),
                }
            ]
        if "pg_file_settings" in query:
            return [{"value": "off"}]
        if "transaction_read_only" in query:
            return [{"read_only": server.settings.get(NAME) == "on"}]
        return [{"now": server.now}]

    def execute(
        self, statement: str, params: Any = None, timeout: float = 5, lock_timeout: float = 2
    ) -> None:
        server = self._server
        if statement.startswith("DELETE"):
            if server.settings.get(NAME) == "on":
                raise Failed(self.access, "cannot execute DELETE in a read-only transaction", "25006")
            raise Failed(self.access, "permission denied for table pg_description", "42501")
        if server.fails and server.fails in statement:
            raise Failed(self.access, "permission denied", "42501")
        assert self.access.writes, "a session that begins read-only cannot set anything"
        server.told.append(statement + (f" <- {params['value']}" if params else ""))
        name = NAME if NAME in statement else MARK
        if " RESET " in statement:
            server.settings.pop(name, None)
        else:
            server.settings[name] = params["value"]

    def _lines(self, *_given: Any) -> list[str]:
        raise AssertionError("not asked this way")
