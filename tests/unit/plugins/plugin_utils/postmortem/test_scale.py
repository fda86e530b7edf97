# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from itertools import pairwise

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.postmortem.scale import Scale

DAY = 86400.0


def test_a_moment_lies_where_its_share_of_the_time_is() -> None:
    scale = Scale.over([0, 100, 50], 0, 200)
    assert [scale.x(moment) for moment in (0, 25, 50, 100)] == [0, 50, 100, 200]


def test_what_lies_outside_is_at_the_edge() -> None:
    scale = Scale.over([0, 100], 0, 200)
    assert [scale.x(-5), scale.x(500)] == [0, 200]


def test_a_long_pause_is_drawn_short_and_the_rest_stays_true() -> None:
    scale = Scale.over([0, 600, 1200, 1800, 1800 + 3 * DAY], 0, 1000)
    assert scale.breaks == ((1800, 1800 + 3 * DAY),)
    assert [round(scale.x(moment)) for moment in (600, 1200, 1800)] == [293, 587, 880]


def test_of_few_events_none_is_drawn_short() -> None:
    assert Scale.over([0, 60, DAY], 0, 1000).breaks == ()


@pytest.mark.parametrize("moments", [[5.0], [5.0, 5.0], [0, 0.001], [0, 400 * DAY]])
def test_any_length_has_ticks_that_do_not_cover_each_other(moments: list[float]) -> None:
    scale = Scale.over(moments, 0, 900)
    places = [tick.x for tick in scale.ticks()]
    assert places and len(places) < 20
    assert all(after - before >= 60 for before, after in pairwise(places))


def test_the_date_is_said_first_and_when_it_changes() -> None:
    scale = Scale.over([23 * 3600, 23 * 3600 + 7200], 0, 300)
    labels = [tick.label for tick in scale.ticks()]
    assert labels[0] == "01 Jan 23:00"
    assert "02 Jan 00:00" in labels
