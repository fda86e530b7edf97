# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.firebreak.incident.plugins.plugin_utils.recovery.watch import Watch


def after(looks: str, window: float = 60, interval: float = 10) -> tuple[Watch, float]:
    """`+` is a look that found it well, `-` one that did not; with the time of the last."""
    watch, now = Watch(window, 3), 0.0
    for number, look in enumerate(looks):
        now = number * interval
        watch = watch.look(now, look == "+", () if look == "+" else (f"reason {number}",))
    return watch, now


def recovered(looks: str, window: float = 60) -> bool:
    watch, now = after(looks, window)
    return watch.recovered(now)


def test_it_must_be_well_for_the_whole_window() -> None:
    assert not recovered("++++++")
    assert recovered("+++++++")


def test_a_failure_begins_it_anew() -> None:
    assert not recovered("+++++-++")
    assert recovered("+++++-+++++++")
    watch, _now = after("+++++-++")
    assert (watch.failures, watch.row, watch.last_reasons) == (1, 2, ("reason 5",))


def test_a_short_window_still_needs_its_looks() -> None:
    assert not recovered("++", window=0)
    assert recovered("+++", window=0)


def test_it_is_given_up_when_the_rest_of_the_time_is_too_short() -> None:
    watch, now = after("++-")
    assert not watch.too_late(now, 80.0)
    assert watch.too_late(now, 79.0)
    watch, now = after("+++")
    assert not watch.too_late(now, 60.0)
