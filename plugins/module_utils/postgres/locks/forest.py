# SPDX-License-Identifier: GPL-3.0-or-later
"""From who blocks whom to a tree: roots first, everybody below the one who lets go last before it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Mapping, Sequence


@dataclass(frozen=True)
class Node:
    """One of those who wait or are waited for, by its key.

    `blocked_by` are its nearest blockers: those that another one of them waits for are left to that one. It
    stands below the first. `behind` counts who waits for it, also through others; `longest` is the longest of
    their waits, in seconds. `circular`: it waits for itself in the end, and the circle is cut here.
    """

    key: int
    depth: int
    blocked_by: tuple[int, ...]
    behind: int
    longest: float
    circular: bool = False


def grow(blockers: Mapping[int, Sequence[int]], seconds: Mapping[int, float]) -> list[Node]:
    """Whom each waiter waits for and for how long, as a tree in the order it is read.

    Everybody comes once. A circle is cut at the one that waits longest.
    """
    order = _Order({waiter: found for waiter, found in blockers.items() if found}, seconds)
    return [
        Node(key, depth, order.nearest.get(key, ()), order.behind(key), order.longest.get(key, 0.0), circular)
        for key, depth, circular in order.walk()
    ]


class _Order:
    """Sets of keys are bits of one number: a queue of 300 has 45,000 pairs."""

    def __init__(self, blocked: Mapping[int, Sequence[int]], seconds: Mapping[int, float]) -> None:
        self._seconds = seconds
        waiting = sorted(blocked, key=lambda key: (-seconds[key], key))
        everybody = dict.fromkeys([*waiting, *(key for found in blocked.values() for key in found)])
        self._keys = tuple(everybody)
        self._bit = {key: 1 << place for place, key in enumerate(everybody)}
        self._ahead = self._closure({waiter: blocked[waiter] for waiter in waiting})
        self._behind = dict.fromkeys(everybody, 0)
        self.longest: dict[int, float] = {}
        for waiter in waiting:
            for key in self._members(self._ahead[waiter] & ~self._bit[waiter]):
                self._behind[key] |= self._bit[waiter]
                self.longest.setdefault(key, seconds[waiter])
        self.nearest = {waiter: self._nearest(blocked[waiter]) for waiter in waiting}
        self._roots = sorted(everybody.keys() - blocked.keys(), key=self._first)
        self._children: dict[int, list[int]] = {}
        for waiter in waiting:
            self._children.setdefault(self.nearest[waiter][0], []).append(waiter)

    def behind(self, key: int) -> int:
        return bin(self._behind[key]).count("1")

    def walk(self) -> Iterator[tuple[int, int, bool]]:
        """Key, depth and whether a circle was cut there; without recursion, for queues are long."""
        left = dict.fromkeys(self.nearest)
        roots = [(key, False) for key in reversed(self._roots)]
        while roots or left:
            root, circular = roots.pop() if roots else (self._cut(max(left, key=self._waited)), True)
            stack = [(root, 0)]
            while stack:
                key, depth = stack.pop()
                left.pop(key, None)
                yield key, depth, circular and depth == 0
                stack += [(one, depth + 1) for one in reversed(self._children.get(key, ())) if one in left]

    def _closure(self, blocked: Mapping[int, Sequence[int]]) -> dict[int, int]:
        """For each waiter everybody who must let go before it; itself too when it waits in a circle."""
        ahead = {waiter: sum(self._bit[key] for key in set(found)) for waiter, found in blocked.items()}
        # Who waits longest comes first, so that this settles after a turn or two.
        settled = False
        while not settled:
            settled = True
            for waiter, found in blocked.items():
                before = union = ahead[waiter]
                for key in found:
                    union |= ahead.get(key, 0)
                ahead[waiter] = union
                settled = settled and union == before
        return ahead

    def _members(self, bits: int) -> Iterator[int]:
        while bits:
            lowest = bits & -bits
            yield self._keys[lowest.bit_length() - 1]
            bits ^= lowest

    def _nearest(self, found: Sequence[int]) -> tuple[int, ...]:
        """Without those that one of the others waits for, unless they wait for that one too."""
        passed = 0
        for key in found:
            passed |= self._ahead.get(key, 0) & ~self._behind[key] & ~self._bit[key]
        return tuple(sorted((key for key in found if not passed & self._bit[key]), key=self._first))

    def _first(self, key: int) -> tuple[int, float, int]:
        return (-self.behind(key), -self.longest.get(key, 0.0), key)

    def _cut(self, start: int) -> int:
        """The one that waits longest in the circle that leads from `start` upwards."""
        path: dict[int, None] = {}
        key = start
        while key not in path:
            path[key] = None
            key = self.nearest[key][0]
        circle = list(path)[list(path).index(key) :]
        return max(circle, key=self._waited)

    def _waited(self, key: int) -> float:
        return self._seconds[key]
