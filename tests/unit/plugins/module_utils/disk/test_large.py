# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import random

from ansible_collections.firebreak.incident.plugins.module_utils.disk.large import Totals, largest


def totals(given: dict[str, int], most: int = 1000) -> Totals:
    """Of directories with what is in themselves; entries are the same numbers."""
    found = Totals(most)
    for path in sorted(given, key=lambda path: -len(path)):
        below = path.rstrip("/") + "/"
        total = sum(size for other, size in given.items() if other == path or other.startswith(below))
        found.add(path, total, total)
    return found


def paths(found: Totals, top: int = 20) -> list[tuple[str, int]]:
    return [(one.path, one.bytes) for one in largest(found, top, by_entries=False)]


def test_a_directory_that_merely_contains_others_is_not_listed() -> None:
    found = totals({"/": 0, "/var": 1, "/var/log": 4000, "/var/lib": 2, "/var/lib/docker": 6000, "/etc": 3})
    assert paths(found) == [("/var/lib/docker", 6000), ("/var/log", 4000)]


def test_what_is_spread_over_small_ones_is_told_of_the_one_they_are_in() -> None:
    given = {"/": 0, "/srv": 0, "/big": 5000, **{f"/srv/{number}": 10 for number in range(500)}}
    assert paths(totals(given)) == [("/big", 5000), ("/srv", 5000)]


def test_a_directory_is_listed_without_those_in_it_that_are_listed() -> None:
    found = totals({"/": 0, "/srv": 3000, "/srv/app": 7000})
    assert paths(found) == [("/srv/app", 7000), ("/srv", 3000)]
    [_app, srv] = largest(found, 20, by_entries=False)
    assert srv.total_bytes == 10_000


def test_nothing_is_told_twice_and_nothing_large_is_missed() -> None:
    chance = random.Random(5)
    for _round in range(50):
        given = {"/": chance.randrange(100)}
        for _directory in range(60):
            above = chance.choice(list(given)).rstrip("/")
            given[f"{above}/{len(given)}"] = int(chance.paretovariate(0.7))
        listed = paths(totals(given), top=500)
        whole = sum(given.values())
        assert sum(size for _path, size in listed) <= whole
        told = dict(listed)
        for path, size in given.items():
            if size > 0.01 * whole + 1:
                assert told[path] >= size


def test_only_the_largest_are_remembered_when_there_are_too_many() -> None:
    found = Totals(100)
    for number in range(5000):
        found.add(f"/srv/{number}", 8192 if number else 10_000_000, 2)
    found.add("/srv", 51_000_000, 10_001)
    assert len(found.found) <= 100
    assert paths(found) == [("/srv", 41_000_000), ("/srv/0", 10_000_000)]


def test_an_empty_tree_has_nothing_to_list() -> None:
    assert paths(Totals(10)) == []
