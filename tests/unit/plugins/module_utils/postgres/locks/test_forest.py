# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks.forest import Node, grow


def drawn(blockers: Mapping[int, Sequence[int]], seconds: Mapping[int, float] | None = None) -> list[str]:
    """`1(3)` over `  2(1)`: key and number behind, indented by depth."""
    waits = seconds or {key: 1000.0 - key for key in blockers}
    return [f"{'  ' * node.depth}{node.key}({node.behind})" for node in grow(blockers, waits)]


def find(nodes: Sequence[Node], key: int) -> Node:
    return next(node for node in nodes if node.key == key)


def test_nobody_waits() -> None:
    assert drawn({}) == []
    assert drawn({5: []}) == []


def test_readers_stand_below_the_change_that_waits_for_the_root() -> None:
    assert drawn({2: [1], 3: [2], 4: [2]}) == ["1(3)", "  2(2)", "    3(0)", "    4(0)"]


def test_a_queue_is_a_chain_although_everybody_ahead_blocks() -> None:
    queue = {key: list(range(1, key)) for key in range(2, 6)}
    assert drawn(queue) == ["1(4)", "  2(3)", "    3(2)", "      4(1)", "        5(0)"]


def test_the_nearest_is_found_through_one_who_blocks_nobody_else_here() -> None:
    # 4 waits for 1 and 3; 3 waits for 2, which waits for 1.
    assert drawn({2: [1], 3: [2], 4: [1, 3]}) == ["1(3)", "  2(2)", "    3(1)", "      4(0)"]


def test_behind_two_roots_it_stands_below_the_one_that_blocks_more_and_names_both() -> None:
    nodes = grow({3: [1, 2], 4: [2]}, {3: 9.0, 4: 8.0})
    assert [(node.key, node.depth) for node in nodes] == [(2, 0), (3, 1), (4, 1), (1, 0)]
    assert find(nodes, 3).blocked_by == (2, 1)
    assert [find(nodes, key).behind for key in (1, 2)] == [1, 2]


def test_the_longest_wait_behind_a_root_counts_through_others() -> None:
    nodes = grow({2: [1], 3: [2]}, {2: 4.0, 3: 60.0})
    assert [node.longest for node in nodes] == [60.0, 60.0, 0.0]


def test_the_root_with_the_most_behind_it_comes_first_and_below_it_who_waits_longest() -> None:
    nodes = grow({11: [1], 21: [2], 22: [2], 23: [2]}, {11: 99.0, 21: 1.0, 22: 3.0, 23: 2.0})
    assert [node.key for node in nodes] == [2, 22, 23, 21, 1, 11]


def test_a_deadlock_is_cut_at_the_one_that_waits_longest() -> None:
    nodes = grow({1: [2], 2: [1]}, {1: 5.0, 2: 9.0})
    assert [(node.key, node.depth, node.circular, node.behind) for node in nodes] == [
        (2, 0, True, 1),
        (1, 1, False, 1),
    ]


def test_who_waits_behind_a_deadlock_hangs_below_it() -> None:
    nodes = grow({1: [2], 2: [1], 3: [1, 2], 4: [3]}, {1: 9.0, 2: 8.0, 3: 99.0, 4: 1.0})
    assert [node.key for node in nodes] == [1, 2, 3, 4] or [node.key for node in nodes] == [1, 3, 4, 2]
    assert [node.key for node in nodes if node.circular] == [1]


def test_one_who_blocks_itself_is_cut_too() -> None:
    assert drawn({1: [1], 2: [1]}) == ["1(1)", "  2(0)"]


def test_everybody_comes_once_whoever_waits_for_whom() -> None:
    every = [(waiter, blocker) for waiter in range(4) for blocker in range(4)]
    for pairs in itertools.combinations(every, 4):
        blockers: dict[int, list[int]] = {}
        for waiter, blocker in pairs:
            blockers.setdefault(waiter, []).append(blocker)
        nodes = grow(blockers, dict.fromkeys(blockers, 1.0))
        assert sorted(node.key for node in nodes) == sorted({key for pair in pairs for key in pair})
        assert all(node.depth or node.circular or node.key not in blockers for node in nodes), pairs


def test_a_queue_of_five_hundred_is_no_matter() -> None:
    nodes = grow(
        {key: list(range(key)) for key in range(1, 501)}, {key: 600.0 - key for key in range(1, 501)}
    )
    assert [node.depth for node in nodes] == list(range(501))
    assert nodes[0].behind == 500
