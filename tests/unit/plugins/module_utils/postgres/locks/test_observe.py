# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks import observe as subject
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks.observe import (
    Snapshot,
    conflict,
    observe,
)


class Server:
    """Answers with the rows given, the last one again and again."""

    def __init__(self, *rows: Mapping[str, Any]) -> None:
        self.rows, self.asked = list(rows), 0

    def row(self, query: str, params: Mapping[str, Any] | None = None, timeout: float = 0.0) -> Any:
        self.asked += 1
        return self.rows.pop(0) if len(self.rows) > 1 else self.rows[0]


def waiting(pid: int, *blockers: int, **given: Any) -> dict[str, Any]:
    lock = {"kind": "relation", "mode": "ShareLock", "relation": "t", "database": "shop", "object": None}
    return {"pid": pid, "seconds": 4.0, "blockers": list(blockers), **lock, **given}


def answer(*waits: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    known = {one["pid"] for one in waits} | {pid for one in waits for pid in one["blockers"] if pid}
    return {
        "waiting": len(waits),
        "beyond": [],
        "waits": list(waits),
        "sessions": [{"pid": pid, "backend_start": "2026-11-21T22:01:07+00:00"} for pid in sorted(known)],
        "prepared": [],
        "held": [],
        "sees_all": True,
        **given,
    }


def gid(name: str) -> dict[str, Any]:
    since = "2026-11-21T21:00:00+00:00"
    return {"gid": name, "since": since, "user": "xa", "database": "shop", "transactions": 3, "seconds": 9.0}


def seen(*rows: Mapping[str, Any]) -> Snapshot:
    server: Any = Server(*rows)
    return observe(server, "postgresql shop")


def test_who_waits_and_for_whom() -> None:
    snapshot = seen(answer(waiting(2, 1), waiting(3, 1, 2)))
    assert [(wait.pid, wait.blockers) for wait in snapshot.waits] == [(2, (1,)), (3, (1, 2))]
    assert sorted(snapshot.sessions) == [1, 2, 3]


def test_who_has_got_its_lock_meanwhile_does_not_wait() -> None:
    snapshot = seen(answer(waiting(2, 1), waiting(3), waiting=7))
    assert (snapshot.waiting, len(snapshot.waits)) == (6, 1)


def test_a_prepared_transaction_is_found_by_what_it_holds_and_what_is_wanted() -> None:
    row = answer(
        waiting(2, 0, 1),
        prepared=[gid("a"), gid("b"), gid("c")],
        held=[
            {"pid": 2, "gid": "b", "wanted": "ShareLock", "held": "RowExclusiveLock"},
            # Both may read; this is not what it waits for.
            {"pid": 2, "gid": "c", "wanted": "ShareLock", "held": "AccessShareLock"},
        ],
    )
    snapshot = seen(row)
    blockers = snapshot.waits[0].blockers
    assert 0 not in blockers
    assert [snapshot.prepared[key].gid for key in blockers if key < 0] == ["b"]


def test_two_prepared_transactions_in_the_way_are_two_blockers() -> None:
    held = [{"pid": 2, "gid": name, "wanted": "ExclusiveLock", "held": "ShareLock"} for name in "ab"]
    snapshot = seen(answer(waiting(2, 0), prepared=[gid("a"), gid("b")], held=held))
    assert [snapshot.prepared[key].gid for key in snapshot.waits[0].blockers] == ["a", "b"]


def test_it_asks_again_when_a_blocker_ended_while_it_was_looked_up() -> None:
    gone = answer(waiting(2, 1))
    server: Any = Server({**gone, "sessions": gone["sessions"][1:]}, answer())
    assert observe(server, "s").waits == ()
    assert server.asked == 2


def test_it_asks_only_twice() -> None:
    gone = answer(waiting(2, 0))
    server: Any = Server(gone)
    assert observe(server, "s").waits[0].blockers == (0,)
    assert server.asked == 2


def test_sessions_that_are_not_shown_are_left_out() -> None:
    row = answer(waiting(2, 1), sees_all=False)
    row["sessions"][0]["backend_start"] = None
    server: Any = Server(row)
    assert sorted(observe(server, "s").sessions) == [2]
    assert server.asked == 1


@pytest.mark.parametrize(
    ("wanted", "held", "expected"),
    [
        ("AccessShareLock", "AccessExclusiveLock", True),
        ("AccessShareLock", "ExclusiveLock", False),
        ("RowExclusiveLock", "RowExclusiveLock", False),
        ("RowExclusiveLock", "ShareLock", True),
        ("ShareUpdateExclusiveLock", "ShareUpdateExclusiveLock", True),
        ("ShareLock", "ShareLock", False),
        ("AccessExclusiveLock", "AccessShareLock", True),
        ("SIReadLock", "AccessShareLock", True),
    ],
)
def test_modes_conflict_as_the_manual_says(wanted: str, held: str, expected: bool) -> None:
    assert conflict(wanted, held) is expected


def test_conflicts_hold_both_ways() -> None:
    for one in subject._MODES:
        for other in subject._MODES:
            assert conflict(one, other) is conflict(other, one)
