# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    Access,
    Failed,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import (
    FirebreakError,
    IdentityChanged,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks import act as subject
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions import act as sessions

WHO = {"pid": 4242, "backend_start": "2026-11-21T22:01:07+00:00"}
GID = {"gid": "pay-1", "since": "2026-11-21T21:00:00+00:00", "database": 'odd "shop"'}


class Connection:
    """Says whether it blocks, the last answer again and again, and keeps what was executed."""

    def __init__(self, *blocks: bool, there: bool = True, error: str = "") -> None:
        self.blocks, self.there, self.error = list(blocks), there, error
        self.executed: list[tuple[str, Any]] = []

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def row(self, query: str, params: Mapping[str, Any]) -> Mapping[str, bool]:
        if "there" in query:
            return {"there": self.there}
        return {"blocks": self.blocks.pop(0) if len(self.blocks) > 1 else self.blocks[0]}

    def execute(self, statement: str, params: Mapping[str, Any]) -> None:
        self.executed.append((statement, dict(params)))
        if self.error:
            raise Failed(Access(), "no", self.error)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done to sessions; no time passes but where it is slept."""
    calls: list[str] = []
    now = [0.0]

    def note(verb: str) -> Callable[..., None]:
        def act(*_given: Any, condition: sessions.Condition) -> None:
            assert condition is subject.BLOCKS
            calls.append(verb)

        return act

    monkeypatch.setattr(sessions, "terminate", note("terminate"))
    monkeypatch.setattr(sessions, "cancel", note("cancel"))
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return calls


def perform(action: str, connection: Connection, identity: Mapping[str, Any] | None = None) -> None:
    given: Any = connection
    subject.performers(given, Server(Access()))[action](identity or WHO)


def test_whether_it_blocks_is_part_of_the_statement_that_signals() -> None:
    assert "pg_stat_activity.pid = ANY (pg_blocking_pids(l.pid))" in subject.BLOCKS.sql
    assert "NOT EXISTS (SELECT FROM pg_locks l WHERE NOT l.granted AND l.pid = pg_stat_activity.pid)" in (
        subject.BLOCKS.sql
    )


@pytest.mark.parametrize("action", ["cancel", "terminate"])
def test_who_still_blocks_is_dealt_with_as_planned(done: list[str], action: str) -> None:
    perform(f"postgres.{action}", Connection(True))
    assert done == [action]


def test_a_cancel_that_frees_the_others_is_enough(done: list[str]) -> None:
    perform("postgres.cancel_or_terminate", Connection(True, True, False))
    assert done == ["cancel"]


def test_who_blocks_in_spite_of_a_cancel_is_ended(done: list[str]) -> None:
    perform("postgres.cancel_or_terminate", Connection(True))
    assert done == ["cancel", "terminate"]


@pytest.mark.parametrize("error", [IdentityChanged, FirebreakError])
def test_who_cannot_be_cancelled_and_blocks_is_ended(
    done: list[str], monkeypatch: pytest.MonkeyPatch, error: type[FirebreakError]
) -> None:
    def cancel(*_given: Any, **_condition: Any) -> None:
        raise error("pid 4242", "it is idle in transaction by now", "Look again.")

    monkeypatch.setattr(sessions, "cancel", cancel)
    perform("postgres.cancel_or_terminate", Connection(True))
    assert done == ["terminate"]


@pytest.mark.parametrize("cancelled", [True, False])
def test_who_lets_go_at_the_last_moment_is_done_if_it_was_cancelled(
    done: list[str], monkeypatch: pytest.MonkeyPatch, cancelled: bool
) -> None:
    def gone(*_given: Any, **_condition: Any) -> None:
        raise IdentityChanged("pid 4242", "it blocks nobody any more", "Look again.")

    monkeypatch.setattr(sessions, "terminate", gone)
    if cancelled:
        perform("postgres.cancel_or_terminate", Connection(True))
        return
    monkeypatch.setattr(sessions, "cancel", gone)
    with pytest.raises(IdentityChanged, match="blocks nobody"):
        perform("postgres.cancel_or_terminate", Connection(True))


def test_without_the_privilege_nothing_more_is_tried(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancel(*_given: Any, **_condition: Any) -> None:
        raise Failed(Access(), "must be a member of the role", "42501")

    monkeypatch.setattr(sessions, "cancel", cancel)
    with pytest.raises(Failed):
        perform("postgres.cancel_or_terminate", Connection(True))
    assert done == []


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The connection to give, then the databases that were entered."""
    databases: list[Any] = []

    def enter(_server: Server, _seconds: float, database: str) -> Any:
        databases.append(database)
        return databases[0]

    monkeypatch.setattr(subject, "enter", enter)
    return databases


@pytest.mark.parametrize("verb", ["ROLLBACK", "COMMIT"])
def test_a_prepared_transaction_is_resolved_in_its_own_database(entered: list[Any], verb: str) -> None:
    connection = Connection()
    entered.append(connection)
    perform(f"postgres.prepared.{verb.lower()}", connection, GID)
    assert connection.executed == [(f"{verb} PREPARED %(gid)s", {"gid": "pay-1"})]
    assert entered[1:] == ['odd "shop"']


def test_one_that_was_prepared_anew_under_the_same_name_is_left_alone(entered: list[Any]) -> None:
    connection = Connection(there=False)
    entered.append(connection)
    with pytest.raises(IdentityChanged):
        perform("postgres.prepared.rollback", connection, GID)
    assert connection.executed == []


@pytest.mark.parametrize(("code", "error"), [("42704", IdentityChanged), ("42501", Failed)])
def test_what_the_server_says_to_it(entered: list[Any], code: str, error: type[FirebreakError]) -> None:
    connection = Connection(error=code)
    entered.append(connection)
    with pytest.raises(error):
        perform("postgres.prepared.commit", connection, GID)
