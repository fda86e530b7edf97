# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for psycopg2 whose socket is a pipe, so that the waiting is real."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import postgres, postgres_library
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_library import (
    LibrarySession,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_psql import PsqlSession
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    FULL,
    LOST,
    SILENT,
    Access,
    Failed,
    Refused,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

ACCESS = Access(user="web", database="shop", host="127.0.0.1", password="s3cret")


class Error(Exception):
    def __init__(self, said: str, pgcode: str | None = None) -> None:
        super().__init__(said)
        self.pgcode, self.diag = pgcode, SimpleNamespace(message_primary=said)


class Fake:
    """psycopg2, its connection and its cursor in one."""

    POLL_OK, POLL_READ, POLL_WRITE = 0, 1, 2
    Error = Error

    def __init__(self, fd: int) -> None:
        self.extensions = self
        self._fd = fd
        self.closed = False
        self.statements: list[tuple[str, Any]] = []
        self.waits: list[int] = []
        self.rows: list[tuple[str]] = []
        self.errors: list[Error] = []
        self.given: dict[str, Any] = {}
        self.description: Any = None

    def connect(self, **given: Any) -> Fake:
        self.given = given
        return self

    def cursor(self) -> Fake:
        return self

    def execute(self, statement: str, params: Any) -> None:
        self.statements.append((statement, params))
        for error in self.errors:
            raise error
        self.description = True

    def fetchmany(self, size: int) -> list[tuple[str]]:
        batch, self.rows = self.rows[:size], self.rows[size:]
        return batch

    def poll(self) -> int:
        return self.waits.pop(0) if self.waits else self.POLL_OK

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def fake() -> Iterator[Fake]:
    reader, writer = os.pipe()
    yield Fake(reader)
    os.close(reader)
    os.close(writer)


def test_it_connects_with_every_limit(fake: Fake) -> None:
    LibrarySession(ACCESS, lambda: 5.0, fake)
    assert (fake.given["host"], fake.given["password"], fake.given["async_"]) == ("127.0.0.1", "s3cret", 1)
    assert "-c statement_timeout=5000 -c lock_timeout=2000 -c timezone=UTC" in fake.given["options"]


def test_a_server_that_never_answers_costs_no_more_than_what_is_left(fake: Fake) -> None:
    fake.waits = [Fake.POLL_READ]
    with pytest.raises(Refused) as caught:
        LibrarySession(ACCESS, lambda: 0.05, fake)
    assert (caught.value.reason, fake.closed) == (SILENT, True)


def test_rows_are_read_to_the_end(fake: Fake) -> None:
    session = LibrarySession(ACCESS, lambda: 5.0, fake)
    fake.rows = [(json.dumps({"n": number}),) for number in range(1201)]
    assert [row["n"] for row in session.rows("SELECT 1")] == list(range(1201))


def test_too_many_bytes_are_no_answer(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_library, "OUTPUT_BUDGET", 10)
    session = LibrarySession(ACCESS, lambda: 5.0, fake)
    fake.rows = [('{"text": "0123456789"}',)]
    with pytest.raises(Unreachable, match="more than 10 bytes"):
        session.rows("SELECT 1")


def test_limits_of_one_statement_are_set_before_it_and_only_when_they_differ(fake: Fake) -> None:
    session = LibrarySession(ACCESS, lambda: 600.0, fake)
    session.execute("REINDEX INDEX CONCURRENTLY i", timeout=300, lock_timeout=1)
    session.execute("REINDEX INDEX CONCURRENTLY j", timeout=300, lock_timeout=1)
    assert [statement for statement, _params in fake.statements] == [
        "SET statement_timeout = 300000",
        "SET lock_timeout = 1000",
        "REINDEX INDEX CONCURRENTLY i",
        "REINDEX INDEX CONCURRENTLY j",
    ]


def test_parameters_are_left_to_the_library(fake: Fake) -> None:
    LibrarySession(ACCESS, lambda: 5.0, fake).execute("ALTER ROLE x PASSWORD %(p)s", {"p": "a'b"})
    assert fake.statements == [("ALTER ROLE x PASSWORD %(p)s", {"p": "a'b"})]


def test_a_refused_statement_carries_its_code(fake: Fake) -> None:
    session = LibrarySession(ACCESS, lambda: 5.0, fake)
    fake.errors = [Error("canceling statement due to lock timeout", "55P03")]
    with pytest.raises(Failed) as caught:
        session.execute("ALTER TABLE x")
    assert caught.value.code == "55P03"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Error("server closed the connection unexpectedly"), LOST),
        (Error("terminating connection due to administrator command", "57P01"), LOST),
        (Error("FATAL:  sorry, too many clients already"), FULL),
    ],
)
def test_a_lost_session_is_told_from_a_refused_statement(fake: Fake, error: Error, reason: str) -> None:
    session = LibrarySession(ACCESS, lambda: 5.0, fake)
    fake.errors = [error]
    with pytest.raises(Refused) as caught:
        session.execute("SELECT 1")
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("access", "importable", "expected"),
    [
        (ACCESS, True, LibrarySession),
        (ACCESS, False, PsqlSession),
        (Access(user="daemon"), True, PsqlSession),
        (Access(container="db"), True, PsqlSession),
    ],
)
def test_the_library_is_taken_where_it_can_be(
    fake: Fake, access: Access, importable: bool, expected: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = fake if importable else None
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(postgres, "library", lambda: found)
    monkeypatch.setattr(postgres_library, "library", lambda: found)
    assert postgres.connect(access, lambda: 5.0).__class__ is expected
