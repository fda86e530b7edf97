# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable

from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.session import Session

Make = Callable[..., Session]


def test_idle_is_measured_since_it_became_so(session: Make) -> None:
    assert session(state_seconds=1.1, query_seconds=6.1).age == 1.1


def test_work_is_measured_since_its_query_began(session: Make) -> None:
    assert session(state="active", state_seconds=1.1, query_seconds=6.1).age == 6.1


def test_a_session_is_more_than_its_pid(session: Make) -> None:
    one = session()
    assert one.identity(False) == {"pid": 4242, "backend_start": "2026-11-21T22:01:07.123456+00:00"}
    assert one.identity(True) == {
        **one.identity(False),
        "state": "idle",
        "state_change": "2026-11-21T22:05:07.5+00:00",
    }
    assert one.target == "pid 4242 (started 2026-11-21T22:01:07.123456+00:00)"


def test_what_else_a_row_holds_is_left_out() -> None:
    one = Session.of({"pid": 7, "backend_start": "2026-01-01T00:00:00+00:00", "query": None, "blocked": 3})
    assert (one.pid, one.query, one.user, one.age) == (7, "", None, 0.0)
