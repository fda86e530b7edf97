# SPDX-License-Identifier: GPL-3.0-or-later
"""Which directories a reader wants to hear of: where the bytes are, not what contains that. Pure."""

from __future__ import annotations

from typing import Iterator

from .model import Directory

# Below this share of everything a directory belongs to the one it is in.
LISTED_SHARE = 0.01


class Totals:
    """Bytes and entries of directories with all that is below: of the largest, when there are too many.

    A directory is added after all that are in it.
    """

    def __init__(self, most: int) -> None:
        self._most, self._bytes, self._entries = most, 0, 0
        self.found: dict[str, tuple[int, int]] = {}

    def add(self, path: str, size: int, entries: int) -> None:
        if size < self._bytes and entries < self._entries:
            return
        self.found[path] = (size, entries)
        while len(self.found) > self._most:
            self._bytes, self._entries = max(4096, 2 * self._bytes), max(8, 2 * self._entries)
            self.found = {
                path: total
                for path, total in self.found.items()
                if total[0] >= self._bytes or total[1] >= self._entries
            }


def largest(totals: Totals, top: int, by_entries: bool) -> Iterator[Directory]:
    """The first few; what is told of one is not told of those that it is in."""
    column = int(by_entries)
    # Roots are not inside of others, so their sum is everything.
    whole = sum(total[column] for path, total in totals.found.items() if _parent(path, totals) is None)
    least = max(1, int(whole * LISTED_SHARE))
    rest = {path: list(total) for path, total in totals.found.items()}
    listed = []
    # What is deeper comes first: then each has lost what is told of those in it.
    for path in sorted(totals.found, key=lambda path: -path.count("/") if path != "/" else 1):
        if rest[path][column] < least:
            continue
        listed.append(path)
        taken, above = tuple(rest[path]), _parent(path, totals)
        while above is not None:
            rest[above][0] -= taken[0]
            rest[above][1] -= taken[1]
            above = _parent(above, totals)
    listed.sort(key=lambda path: (-rest[path][column], path))
    for path in listed[:top]:
        yield Directory(path, rest[path][0], rest[path][1], *totals.found[path])


def _parent(path: str, totals: Totals) -> str | None:
    """The nearest directory above it that is known."""
    while path not in ("", "/"):
        path = path.rpartition("/")[0] or "/"
        if path in totals.found:
            return path
    return None
