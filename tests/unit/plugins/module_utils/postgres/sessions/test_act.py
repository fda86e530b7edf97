# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import Access
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    Session as Connection,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import (
    FirebreakError,
    IdentityChanged,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.act import (
    Condition,
    cancel,
    terminate,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.session import Session

Make = Callable[..., Session]
SIGNALLED = {
    "state": "idle",
    "query_start": "2026-11-21T22:05:00+00:00",
    "same": True,
    "meant": True,
    "done": True,
}


class Server(Connection):
    """Answers a signal with `found` and what is asked afterwards with `gone`, one after the other."""

    def __init__(self, found: Mapping[str, Any] | None, *gone: bool) -> None:
        super().__init__(Access(), lambda: 9.0)
        self.found, self.gone = found, list(gone)
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def rows(self, query: str, params: Any = None, *_more: Any, **_given: Any) -> list[Mapping[str, Any]]:
        self.asked.append((query, params))
        if "AS same" in query:
            return [self.found] if self.found else []
        return [{"done": self.gone.pop(0) if self.gone else False}]

    def close(self) -> None: ...

    def _lines(self, *_given: Any) -> list[str]:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only moves when somebody sleeps."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "monotonic", lambda: sum(slept))
    return slept


def test_the_statement_that_signals_is_the_one_that_checks(session: Make) -> None:
    server = Server(SIGNALLED, True)
    terminate(server, session().identity(True))
    query, params = server.asked[0]
    assert "CASE WHEN same AND meant THEN pg_terminate_backend(pid) END" in query
    assert "backend_start = %(backend_start)s" in query
    assert {name: params[name] for name in ("pid", "state", "state_change")} == {
        "pid": 4242,
        "state": "idle",
        "state_change": "2026-11-21T22:05:07.5+00:00",
    }


def test_it_is_done_when_it_has_gone_and_not_before(session: Make, pauses: list[float]) -> None:
    server = Server(SIGNALLED, False, False, True)
    terminate(server, session().identity(False))
    assert (len(server.asked), len(pauses)) == (4, 2)


def test_what_does_not_go_is_a_failure_after_the_time_that_was_given(
    session: Make, pauses: list[float]
) -> None:
    with pytest.raises(FirebreakError, match="still there after 2 s") as caught:
        terminate(Server(SIGNALLED), session().identity(False), seconds=2)
    assert not isinstance(caught.value, IdentityChanged)
    assert 2 <= sum(pauses) < 2.5


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (None, "has ended meanwhile"),
        ({**SIGNALLED, "state": "active", "same": False, "done": None}, "it is active by now"),
        ({**SIGNALLED, "same": False, "done": None}, "it has worked since"),
    ],
)
def test_another_session_or_another_state_is_left_alone(
    session: Make, found: Mapping[str, Any] | None, says: str
) -> None:
    with pytest.raises(IdentityChanged, match=says):
        terminate(Server(found), session().identity(True))


@pytest.mark.parametrize("act", [terminate, cancel])
def test_what_must_be_true_besides_is_asked_in_the_statement_that_signals(
    session: Make, act: Callable[..., None]
) -> None:
    server = Server({**SIGNALLED, "state": "active", "meant": False, "done": None})
    with pytest.raises(IdentityChanged, match="it has let go"):
        act(server, session(state="active").identity(False), condition=Condition("pid = 7", "it has let go"))
    ((query, _params),) = server.asked
    assert "(pid = 7) AS meant" in query and "CASE WHEN same AND meant THEN" in query


def test_only_what_runs_is_cancelled(session: Make) -> None:
    server = Server({**SIGNALLED, "state": "idle in transaction", "same": False, "done": None})
    with pytest.raises(IdentityChanged, match="idle in transaction by now"):
        cancel(server, session(state="idle in transaction").identity(False))
    assert server.asked[0][1]["state"] == "active"


def test_a_cancelled_query_is_waited_for(session: Make) -> None:
    server = Server({**SIGNALLED, "state": "active"}, False, True)
    cancel(server, session(state="active").identity(True))
    assert "pg_cancel_backend(pid)" in server.asked[0][0]
    assert server.asked[-1][1]["began"] == SIGNALLED["query_start"]
    with pytest.raises(FirebreakError, match="still runs"):
        cancel(Server({**SIGNALLED, "state": "active"}), session().identity(False), seconds=1)
