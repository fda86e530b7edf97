# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import postgres_kept, postgres_psql
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_kept import (
    KeptSession,
    connect_for_many,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    LOST,
    Access,
    Failed,
    Refused,
)

ACCESS = Access(user="web", database="shop", host="127.0.0.1", password="s3cret")
ROW = Completed(["psql"], 0, '{"n": 1}\n', "")
REFUSED = Completed(["psql"], 3, "", 'psql:<stdin>:2: ERROR:  42P01: relation "x" does not exist\n')
ENDED = Completed(
    ["psql"], 2, "", "psql:<stdin>:1: FATAL:  57P01: terminating connection due to administrator command\n"
)


class Psql:
    """Stands for the processes that are started, and what each answers in turn."""

    started: list[Mapping[str, str]]
    asked: list[str]
    answers: list[Completed]
    closed: int

    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        assert "s3cret" not in str(argv)
        Psql.started.append(env)

    def ask(self, text: str, last: str, timeout: float) -> Completed:
        assert text.endswith(f"SELECT '{last}';\n")
        Psql.asked.append(text)
        return Psql.answers.pop(0)

    def close(self) -> None:
        Psql.closed += 1


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> KeptSession:
    Psql.started, Psql.asked, Psql.answers, Psql.closed = [], [], [], 0
    monkeypatch.setattr(postgres_kept, "Conversation", Psql)
    monkeypatch.setattr(postgres_psql, "newest", lambda: "/usr/bin/psql")
    return KeptSession(ACCESS, lambda: 60.0)


def test_psql_is_started_once_for_many_statements(kept: KeptSession) -> None:
    Psql.answers = [ROW, ROW]
    assert [kept.row("SELECT 1 AS n"), kept.row("SELECT 1 AS n")] == [{"n": 1}, {"n": 1}]
    assert (len(Psql.started), Psql.started[0]["PGPASSWORD"]) == (1, "s3cret")
    assert not any("SET " in text or "\\q" in text for text in Psql.asked)
    kept.close()
    assert Psql.closed == 1


def test_other_limits_are_set_in_the_session_and_set_back(kept: KeptSession) -> None:
    Psql.answers = [ROW, ROW, ROW]
    kept.execute("VACUUM")
    kept.execute("VACUUM", timeout=30, lock_timeout=1.5)
    kept.execute("VACUUM")
    assert Psql.asked[1].startswith("SET statement_timeout TO '30000';\nSET lock_timeout TO '1500';\nVACUUM")
    assert Psql.asked[2].startswith("SET statement_timeout TO '5000';\nSET lock_timeout TO '2000';\nVACUUM")


def test_after_a_refused_statement_there_is_another_psql(kept: KeptSession) -> None:
    Psql.answers = [REFUSED, ROW]
    with pytest.raises(Failed, match='relation "x"'):
        kept.row("SELECT * FROM x")
    assert kept.row("SELECT 1 AS n") == {"n": 1}
    assert (len(Psql.started), Psql.closed) == (2, 1)


def test_a_session_that_was_ended_is_lost(kept: KeptSession) -> None:
    Psql.answers = [ROW, ENDED]
    kept.execute("VACUUM")
    with pytest.raises(Refused) as caught:
        kept.execute("VACUUM")
    assert caught.value.reason == LOST


def test_inside_a_container_it_is_started_for_each() -> None:
    session = connect_for_many(Access(container="db"), lambda: 5.0)
    assert isinstance(session, postgres_psql.PsqlSession)
    assert not isinstance(session, postgres_kept.KeptSession)
