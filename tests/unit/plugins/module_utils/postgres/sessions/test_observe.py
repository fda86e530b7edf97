# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    ROWS,
    Access,
    Session,
)
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


def test_every_percent_sign_is_doubled() -> None:
    for look in (observe.XMIN, observe.COUNTS):
        for text in (*look.columns.values(), *look.tables.values()):
            assert "%" not in text.replace("%%", "")
