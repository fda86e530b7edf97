# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    ROWS,
    Access,
    Session,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server as EntryServer
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions import observe
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.protection import (
    Protection,
)


class Server(Session):
    def __init__(self, row: dict[str, Any]) -> None:
        super().__init__(Access(), lambda: 9.0)
        self._row, self.asked = row, ""

    def row(self, query: str, *_given: Any, **_more: Any) -> dict[str, Any]:
        self.asked += query
        return self._row

    def close(self) -> None: ...

    def _lines(self, *_given: Any) -> list[str]:
        raise NotImplementedError


def test_one_statement_gives_every_session(facts: dict[str, Any]) -> None:
    rows = [{"pid": n, "backend_start": "2026-01-01T00:00:00+00:00"} for n in (1, 2)]
    server = Server({**facts, "sessions": rows, "total": 5})
    seen = observe.sessions(server, "postgresql shop on db1", Protection())
    assert ([one.pid for one in seen.sessions], seen.more) == ([1, 2], 3)
    assert seen.facts == facts
    assert server.asked.count(f"LIMIT {ROWS}") == 1


def test_a_role_that_is_shown_its_own_sessions_only_changes_nothing(facts: dict[str, Any]) -> None:
    hidden = {"pid": 1, "backend_start": None, "query": "<insufficient privilege>"}
    server = Server({**facts, "sees_all": False, "sessions": [hidden], "total": 1})
    with pytest.raises(Unreachable, match="GRANT pg_monitor, pg_signal_backend TO postgres"):
        observe.sessions(server, "postgresql shop on db1", Protection())


def test_a_session_that_is_hidden_is_counted_and_not_listed(
    facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = {"pid": 1, "backend_start": None, "query": "<insufficient privilege>"}
    server = Server({**facts, "sees_all": False, "sessions": [hidden], "total": 1})
    monkeypatch.setattr(observe, "reach", lambda _params: EntryServer(Access()))
    monkeypatch.setattr(observe, "enter", lambda *_given: server)
    seen = observe.everything({})
    assert (seen.sessions, seen.more) == ((), 1)


def test_every_percent_sign_is_doubled() -> None:
    for look in (observe.XMIN, observe.COUNTS):
        for text in (*look.columns.values(), *look.tables.values()):
            assert "%" not in text.replace("%%", "")
