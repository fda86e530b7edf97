# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks.inform import inform
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks.snapshot import Snapshot

from .conftest import ROOT, person, prepared, wait

Make = Callable[..., Snapshot]


def told(snapshot: Snapshot) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    data, findings = inform(snapshot)
    return json.loads(json.dumps(data)), [finding.as_dict() for finding in findings]


def test_the_tree_is_flat_in_the_order_it_is_read(make: Make) -> None:
    data, _findings = told(make())
    assert [(one["depth"], one["pid"], one["waiting_behind"]) for one in data["tree"]] == [
        (0, 100, 2),
        (1, 200, 1),
        (2, 300, 0),
    ]
    assert (data["waiting"], data["longest_seconds"], data["roots"]) == (2, 30.0, 1)


def test_a_root_wants_no_lock_and_a_waiter_says_which(make: Make) -> None:
    root, alter, _reader = told(make())[0]["tree"]
    assert (root["wanted"], root["waiting_seconds"], root["state"]) == (None, None, "idle in transaction")
    assert alter["wanted"]["mode"] == "AccessExclusiveLock"
    assert alter["wanted"]["relation"] == "orders"
    assert alter["blocked_by"] == [100]


def test_a_prepared_transaction_has_pid_0_its_name_owner_and_age(make: Make) -> None:
    snapshot = make(waits=(wait(200, -1),), prepared={-1: prepared("pay-1")})
    data, findings = told(snapshot)
    root = data["tree"][0]
    assert (root["pid"], root["gid"], root["user"], root["database"]) == (0, "pay-1", "xa", "shop")
    assert (root["state"], root["state_seconds"]) == ("prepared", 700.0)
    assert data["tree"][1]["blocked_by"] == [0]
    assert data["prepared"][0]["gid"] == "pay-1"
    blocked = next(finding for finding in findings if finding["id"] == "postgres.sessions.blocked")
    assert "a prepared transaction (pay-1, 1 behind it)" in blocked["summary"]
    assert "other" not in blocked["summary"]


def test_only_the_prepared_transaction_that_blocks_is_named_as_the_root(make: Make) -> None:
    snapshot = make(waits=(wait(200, -2),), prepared={-1: prepared("idle-1"), -2: prepared("pay-1")})
    summary = next(each["summary"] for each in told(snapshot)[1] if each["id"] == "postgres.sessions.blocked")
    assert "pay-1" in summary
    assert "idle-1" not in summary


def test_who_is_blocked_has_a_playbook(make: Make) -> None:
    (finding,) = told(make())[1]
    assert (finding["id"], finding["level"]) == ("postgres.sessions.blocked", "warning")
    assert finding["remedy"]["playbook"] == "fix_database_locks"
    assert (
        "2 sessions wait for locks, the longest for 30 s, behind pid 100 of web (api)" in finding["summary"]
    )


def test_the_playbook_for_an_old_prepared_transaction_is_given_its_name_and_no_leave(make: Make) -> None:
    snapshot = make(waits=(), prepared={-1: prepared("pay-1")})
    (finding,) = told(snapshot)[1]
    assert finding["id"] == "postgres.transaction.prepared"
    assert finding["remedy"] == {
        "playbook": "fix_database_locks",
        "inputs": {"gids": ["pay-1"]},
        "cures": True,
    }


def test_a_blocker_that_has_gone_is_still_a_root(make: Make) -> None:
    data, findings = told(make(sessions={200: person(200), 300: person(300)}))
    assert (data["tree"][0]["pid"], data["tree"][0]["state"]) == (ROOT, None)
    assert "gone by now" in findings[0]["summary"]


def test_a_deadlock_is_behind_each_other(make: Make) -> None:
    data, findings = told(make(waits=(wait(1, 2), wait(2, 1))))
    assert [one["circular"] for one in data["tree"]] == [True, False]
    assert findings[0]["summary"].endswith("behind each other")


def test_a_moment_of_waiting_is_no_finding(make: Make) -> None:
    assert told(make(waits=(wait(200, ROOT, seconds=1.5),)))[1] == []


def test_those_beyond_the_tree_count(make: Make) -> None:
    snapshot = make(waiting=9, beyond=(9.0, 8.0, 0.1, 9.0, 9.0, 9.0, 9.0))
    (finding,) = told(snapshot)[1]
    assert (finding["level"], finding["evidence"]["waiting"]) == ("critical", 9)


def test_an_administrator_who_is_not_shown_others_says_so(make: Make) -> None:
    assert told(make(sees_all=False))[1][0]["id"] == "postgres.sessions.unseen"
