# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks.observe import observe

from .conftest import answer, waiting


class Server:
    """Answers with the rows given, the last one again and again."""

    def __init__(self, *rows: Mapping[str, Any]) -> None:
        self.rows, self.asked = list(rows), 0

    def row(self, query: str, params: Mapping[str, Any] | None = None, timeout: float = 0.0) -> Any:
        self.asked += 1
        return self.rows.pop(0) if len(self.rows) > 1 else self.rows[0]


def test_it_asks_again_when_a_blocker_ended_while_it_was_looked_up() -> None:
    gone = answer(waiting(2, 1))
    server: Any = Server({**gone, "concerned": gone["concerned"][1:]}, answer())
    assert observe(server, "s").waits == ()
    assert server.asked == 2


def test_it_asks_only_twice() -> None:
    gone = answer(waiting(2, 0))
    server: Any = Server(gone)
    assert observe(server, "s").waits[0].blockers == (0,)
    assert server.asked == 2


def test_sessions_that_are_not_shown_are_left_out_and_not_asked_for_again() -> None:
    row = answer(waiting(2, 1), sees_all=False)
    row["concerned"][0]["backend_start"] = None
    server: Any = Server(row)
    assert sorted(observe(server, "s").sessions) == [2]
    assert server.asked == 1
