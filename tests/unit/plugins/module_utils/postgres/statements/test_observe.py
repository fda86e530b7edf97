# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres import Access, Refused
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    NONE,
    Failed,
    Session,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.statements.observe import (
    EXTENSION,
    HERE,
    SEARCHED,
    Extension,
    Snapshot,
    observe,
    statements_query,
    without_secrets,
)

SERVER = Server(Access(database="shop"))
BASE = {"query", "calls", "rows", "shared_blks_hit", "shared_blks_read", "temp_blks_written"}


@pytest.mark.parametrize(
    ("columns", "asked", "not_asked"),
    [
        (
            {"total_time", "mean_time", "max_time", "blk_read_time"},
            "total_time AS total_ms",
            "total_exec_time",
        ),
        ({"total_exec_time", "blk_read_time"}, "blk_read_time AS read_ms", "shared_blk_read_time"),
        ({"total_exec_time", "shared_blk_read_time"}, "shared_blk_read_time AS read_ms", " blk_read_time"),
        ({"total_exec_time", "toplevel"}, "toplevel AS toplevel", "true AS toplevel"),
        ({"total_exec_time"}, "true AS toplevel", "toplevel AS toplevel,"),
        ({"total_exec_time"}, "NULL::float8::float8 AS wal_bytes", "wal_bytes::float8"),
    ],
)
def test_only_columns_that_are_there_are_asked_for(columns: set[str], asked: str, not_asked: str) -> None:
    text = statements_query(Extension("x", "public", "1", frozenset(BASE | columns), False), "total")
    assert asked in text
    assert not_asked not in text.replace(
        "true AS toplevel", "" if asked == "true AS toplevel" else "true AS toplevel"
    )
    assert "pg_stat_statements_info" not in text


def test_a_schema_of_any_name_is_quoted() -> None:
    text = statements_query(Extension("x", 'St "1" 5%', "1.10", frozenset(BASE), True), "calls")
    assert '"St ""1"" 5%%"."pg_stat_statements"' in text
    assert '"St ""1"" 5%%"."pg_stat_statements_info"' in text
    assert "ORDER BY s.calls DESC" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ALTER ROLE web PASSWORD 's3''cret' VALID UNTIL 'x'", "ALTER ROLE web PASSWORD *** VALID UNTIL 'x'"),
        ("create user a encrypted password E'abc", "create user a encrypted password ***"),
        ("CREATE SUBSCRIPTION s CONNECTION 'host=a password=b user=c'", "CREATE SUBSCRIPTION s CONNECTION "
         "'host=a password=*** user=c'"),
        ("SELECT dblink('postgresql://me:pw@h/db')", "SELECT dblink('postgresql://***@h/db')"),
        ("SELECT password FROM users WHERE name = 'x'", "SELECT password FROM users WHERE name = 'x'"),
    ],
)  # fmt: skip
def test_passwords_are_not_shown(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


class Database(Session):
    """Answers HERE, EXTENSION, what runs and what was collected."""

    def __init__(
        self, name: str, created: bool, here: Mapping[str, Any], error: Failed | None = None
    ) -> None:
        super().__init__(Access(database=name), lambda: 1.0)
        self._created, self._here, self._error = created, here, error

    def rows(
        self, query: str, params: Mapping[str, Any] = NONE, timeout: float = 5.0, limit: int = 10_000
    ) -> list[Mapping[str, Any]]:
        if query == HERE:
            return [self._here]
        if query == EXTENSION:
            columns = [*BASE, "total_exec_time"]
            return [
                {"version": "1.10", "schema": "public", "columns": columns, "info": False}
            ] * self._created
        if "pg_stat_activity" in query:
            return [{"query": "ALTER ROLE a PASSWORD 'x'"}]
        if self._error:
            raise self._error
        return [{"statements": [{"query": None}], "seconds": 1.0}]

    def close(self) -> None:
        pass

    def _lines(
        self, statement: str, params: Mapping[str, Any], timeout: float, lock_timeout: float
    ) -> list[str]:
        raise AssertionError(statement)


def look(
    created_in: str | None, others: list[str], preloaded: bool = True, error: Failed | None = None
) -> Snapshot:
    here = {"database": "shop", "others": others, "preloaded": preloaded}

    def enter(server: Server, seconds: float, database: str | None) -> Session:
        if database == "locked":
            raise Refused(Access(database="locked"), "no", "No.")
        name = database or "shop"
        return Database(name, name == created_in, here, error)

    return observe(SERVER, enter, 30, 10, "total")


def test_the_extension_of_another_database_serves() -> None:
    seen = look("stats", ["locked", "stats", "never"])
    assert seen.extension is not None and seen.extension.database == "stats"
    assert seen.collected is not None
    assert seen.searched == ["shop", "stats"]


def test_no_more_than_so_many_databases_are_searched() -> None:
    seen = look(None, [f"d{number}" for number in range(SEARCHED + 5)])
    assert (seen.extension, len(seen.searched), seen.unsearched) == (None, SEARCHED + 1, 5)


def test_the_view_is_not_touched_while_the_library_is_not_loaded() -> None:
    error = Failed(Access(), "must be loaded via shared_preload_libraries", "55000")
    assert look("shop", [], preloaded=False, error=error).unread is None
    assert look("shop", [], error=error).unread is not None


def test_what_runs_is_shown_without_its_secrets() -> None:
    assert look("shop", []).running[0]["query"] == "ALTER ROLE a PASSWORD ***"
