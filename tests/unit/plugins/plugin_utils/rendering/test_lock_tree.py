# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.lock_tree import draw


def node(depth: int, pid: int, **given: Any) -> dict[str, Any]:
    wanted = {
        "kind": "relation",
        "mode": "ShareLock",
        "relation": "orders",
        "database": "shop",
        "object": None,
    }
    known: dict[str, Any] = {
        "depth": depth,
        "pid": pid,
        "gid": None,
        "user": "web",
        "application": "api",
        "client": None,
        "backend_type": "client backend",
        "state": "active" if depth else "idle in transaction",
        "state_seconds": 840.0,
        "wanted": wanted if depth else None,
        "waiting_seconds": 30.0 if depth else None,
        "waiting_behind": 0,
        "blocked_by": [],
        "circular": False,
        "query": None,
    }
    return {**known, **given}


def test_a_tree_in_lines() -> None:
    tree = [
        node(0, 1, waiting_behind=4, query="SELECT 1"),
        node(1, 2, waiting_behind=2),
        node(2, 3),
        node(2, 4),
        node(1, 5, user="etl", application=""),
        node(0, 6, waiting_behind=1),
        node(1, 7),
    ]
    assert draw(tree).split("\n") == [
        "pid 1 web (api) idle in transaction 14 min, 4 behind: SELECT 1",
        "├─ pid 2 web (api) waits 30 s for ShareLock on orders, 2 behind",
        "│  ├─ pid 3 web (api) waits 30 s for ShareLock on orders",
        "│  └─ pid 4 web (api) waits 30 s for ShareLock on orders",
        "└─ pid 5 etl waits 30 s for ShareLock on orders",
        "pid 6 web (api) idle in transaction 14 min, 1 behind",
        "└─ pid 7 web (api) waits 30 s for ShareLock on orders",
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"pid": 0, "gid": "pay\n1", "state": "prepared"},
            "prepared transaction pay\\n1 of web prepared 14 min",
        ),
        (
            {"pid": 0, "user": None, "application": None, "backend_type": None, "state": None},
            "a prepared transaction has ended or is not",
        ),
        (
            {"user": None, "application": None, "state": None},
            "pid 9 client backend has ended or is not shown",
        ),
        ({"application": None, "client": "10.0.0.9"}, "pid 9 web (10.0.0.9) idle in transaction"),
        ({"state_seconds": None}, "pid 9 web (api) idle in transaction"),
    ],
)
def test_a_root_in_words(given: dict[str, Any], said: str) -> None:
    assert draw([{**node(0, 9), **given}]).startswith(said)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"kind": "tuple"}, "for a row of orders"),
        ({"kind": "transactionid", "object": "771"}, "for a row of orders"),
        ({"kind": "transactionid", "relation": None, "object": "771"}, "for its transaction to end"),
        ({"kind": "virtualxid", "relation": None}, "for its transaction to end"),
        ({"kind": "advisory", "relation": None, "object": "42"}, "for advisory lock 42"),
        ({"kind": "extend"}, "for room in orders"),
        ({"relation": "16667"}, "for ShareLock on relation 16667 of shop"),
        ({"kind": "frozenid", "relation": None}, "for ShareLock on frozenid ?"),
        ({"relation": '"a{b}%s"'}, 'for ShareLock on "a{b}%s"'),
    ],
)
def test_what_is_waited_for_in_words(wanted: dict[str, Any], said: str) -> None:
    waiter = node(1, 9)
    line = draw([node(0, 1), {**waiter, "wanted": {**waiter["wanted"], **wanted}}]).split("\n")[1]
    assert line.endswith(said)


def test_other_blockers_and_circles_are_said() -> None:
    line = draw([node(0, 1, circular=True), node(1, 2, blocked_by=[1, 7, 0])]).split("\n")[1]
    assert line.endswith("also behind pid 7, a prepared transaction")
    assert "in a circle, waits" in draw([{**node(1, 2), "depth": 0, "circular": True}])


def test_nothing_from_the_server_moves_the_cursor() -> None:
    evil = "\x1b[2J\r\n\u202eok"
    drawn = draw(
        [
            node(0, 1, user=evil, application=evil, query=evil),
            node(1, 2, wanted={**node(1, 2)["wanted"], "relation": evil}),
        ]
    )
    assert len(drawn.split("\n")) == 2
    assert drawn.replace("\n", "").isprintable()


@pytest.mark.parametrize("width", [40, 60, 100])
def test_lines_are_not_wider_than_asked(width: int) -> None:
    tree = [node(0, 1, query="x" * 500), node(1, 2, query="表" * 500), node(2, 3, query="e\u0301" * 90)]
    for line in draw(tree, width).split("\n"):
        assert sum(2 if character == "表" else character != "\u0301" for character in line) <= width
    assert draw(tree, width).partition("\n")[0].endswith("…")


def test_of_many_behind_one_the_first_are_shown_and_the_others_counted() -> None:
    tree = [
        node(0, 1, waiting_behind=301),
        *(node(1, pid) for pid in range(2, 302)),
        node(1, 400, waiting_behind=1),
    ]
    lines = draw([*tree, node(2, 401)]).split("\n")
    assert len(lines) == 14
    assert lines[-2].startswith("├─ pid 13 ")
    assert lines[-1] == "└─ and 290 more sessions"


def test_thirteen_are_shown_whole() -> None:
    assert "more" not in draw([node(0, 1), *(node(1, pid) for pid in range(2, 15))])


def test_of_a_long_queue_the_first_are_shown_and_the_others_counted() -> None:
    queue = [node(depth, depth, waiting_behind=300 - depth) for depth in range(301)]
    lines = draw(queue).split("\n")
    assert len(lines) == 9
    assert lines[-1].strip() == "└─ and 293 more sessions"
