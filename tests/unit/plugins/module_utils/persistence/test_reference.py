# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.firebreak.incident.plugins.module_utils.persistence.reference import reference_of

NOW = 1_800_000_000.0
WEEK = 7 * 86400


def test_on_an_old_system_the_window_alone_decides() -> None:
    found = reference_of([NOW - 9 * WEEK], [NOW - 3600, NOW - 60], NOW, WEEK)
    assert found.since == NOW - WEEK
    assert not found.young


def test_on_a_young_system_new_is_what_came_after_its_set_up() -> None:
    born = NOW - 1800
    found = reference_of([born], [born + 4, born + 11, born + 600], NOW, WEEK)
    assert found.since == found.settled
    assert born + 11 < found.since < born + 12
    assert found.young


def test_one_touched_sign_does_not_move_the_birth() -> None:
    born = NOW - 9 * WEEK
    assert reference_of([born, born + 1, born + 2, NOW - 5], [], NOW, WEEK).since == NOW - WEEK


def test_a_later_package_operation_is_not_the_end_of_the_set_up() -> None:
    born = NOW - 86400
    upgrade = [NOW - 300 + second for second in range(30)]
    found = reference_of([born], [born + 5, *upgrade], NOW, WEEK)
    assert found.since < born + 6


def test_no_chain_of_changes_lasts_longer_than_an_hour() -> None:
    born = NOW - 86400
    assert reference_of([born], [born + step for step in range(0, 80000, 9)], NOW, WEEK).since < born + 3601


def test_without_a_sign_of_birth_the_window_decides() -> None:
    found = reference_of([], [NOW - 5], NOW, 3600)
    assert (found.since, found.born, found.young) == (NOW - 3600, None, False)
