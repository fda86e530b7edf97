# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks import snapshot as module
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks.snapshot import (
    Snapshot,
    conflict,
    read,
)

from .conftest import answer, waiting


def gid(name: str) -> dict[str, Any]:
    since = "2026-11-21T21:00:00+00:00"
    return {"gid": name, "since": since, "user": "xa", "database": "shop", "transactions": 3, "seconds": 9.0}


def seen(row: Mapping[str, Any]) -> Snapshot:
    return read(row, "postgresql shop")


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
    for one in module._MODES:
        for other in module._MODES:
            assert conflict(one, other) is conflict(other, one)
