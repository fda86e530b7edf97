# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    Access,
    Failed,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.corruption.observe import (
    read_through,
)


class Server:
    """With amcheck in a schema of its own; `answers` are by oid what a check says or raises."""

    version = 150006

    def __init__(self, answers: dict[int, Any], schema: str | None = 'odd "schema"') -> None:
        self._answers, self._schema = answers, schema
        self.wanted: dict[str, Any] = {}
        self.checks: list[str] = []

    def row(self, query: str, params: Any = None, timeout: float = 0) -> dict[str, Any]:
        if "pg_extension" in query:
            return {"schema": self._schema, "available": True}
        self.checks.append(query)
        answer = self._answers[params["oid"]]
        if isinstance(answer, str):
            raise Failed(Access(), "the message", answer)
        return {"n": answer, "said": "xmin is wrong"}

    def rows(self, _query: str, params: dict[str, Any], **_given: Any) -> list[dict[str, Any]]:
        self.wanted = params
        return [{"oid": oid, "name": f"r{oid}", "is_index": oid % 2 == 1} for oid in self._answers]


def test_damage_is_told_from_what_could_not_be_read() -> None:
    server = Server({1: "XX002", 2: 3, 3: "57014", 4: 0, 5: 0, 6: "XX001", 7: "42501"})
    reading = read_through(server, 10, 5)  # type: ignore[arg-type]
    assert reading.damaged == {
        "r1": "the message",
        "r2": "xmin is wrong (3 such places)",
        "r6": "the message",
    }
    assert reading.unread == {"r3": "the message", "r7": "the message"}
    assert (reading.total, reading.read) == (7, 5)
    assert server.checks[0].startswith('SELECT "odd ""schema"""."bt_index_check"')


def test_without_the_extension_nothing_is_read() -> None:
    reading = read_through(Server({1: 0}, None), 10, 5)  # type: ignore[arg-type]
    assert (reading.amcheck, reading.available, reading.read) == (False, True, 0)


def test_what_the_time_does_not_suffice_for_is_unread() -> None:
    reading = read_through(Server({1: 0, 2: 0}), 0, 5)  # type: ignore[arg-type]
    assert reading.read == 0 and set(reading.unread or {}) == {"r1", "r2"}


def test_older_releases_read_indexes_only() -> None:
    server = Server({})
    server.version = 130010
    read_through(server, 10, 5)  # type: ignore[arg-type]
    assert server.wanted["tables"] is False
