# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.plugin_utils.people.rotation import Rotation

PEOPLE = ["ann", "ben", "cem", "dora"]


def rotation(**given: Any) -> Rotation:
    told = {"anchor": "2026-01-05T09:00", "time_zone": "Europe/Berlin", "turn": "1w", "people": PEOPLE}
    return Rotation.of("firebreak_rotations.primary", {**told, **given})


def local(text: str, zone: str = "Europe/Berlin") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def test_the_first_has_the_turn_that_begins_at_the_anchor() -> None:
    assert rotation().on_call(local("2026-01-05T09:00")) == "ann"
    assert rotation().on_call(local("2026-01-12T08:59")) == "ann"
    assert rotation().on_call(local("2026-01-12T09:00")) == "ben"


def test_week_1_to_4_have_an_engineer_each_and_then_it_begins_anew() -> None:
    turns = [rotation().on_call(local("2026-01-06T12:00") + timedelta(weeks=week)) for week in range(9)]
    assert turns == [*PEOPLE, *PEOPLE, "ann"]


def test_a_year_of_53_weeks_does_not_break_the_order() -> None:
    # The first weeks of 2027 follow week 53 of 2026: by their numbers ann would have two turns in a row.
    begin = local("2026-12-14T10:00")
    turns = [rotation().on_call(begin + timedelta(weeks=week)) for week in range(6)]
    assert turns == ["ben", "cem", "dora", "ann", "ben", "cem"]


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        ("Europe/Berlin", "2026-03-23T09:00", "2026-03-30T09:00"),
        ("Europe/Berlin", "2026-10-19T09:00", "2026-10-26T09:00"),
        ("America/New_York", "2026-03-02T09:00", "2026-03-09T09:00"),
        ("America/New_York", "2026-10-26T09:00", "2026-11-02T09:00"),
    ],
)
def test_the_handover_is_at_the_same_hour_in_summer_and_in_winter(zone: str, before: str, after: str) -> None:
    turns = rotation(time_zone=zone)
    for moment in (local(before, zone), local(after, zone)):
        early = (moment.astimezone(UTC) - timedelta(seconds=1), moment.astimezone(UTC))
        assert turns.on_call(early[0]) != turns.on_call(early[1])
    handover = turns.next(local(before, zone))
    assert handover is not None
    assert handover.moment == local(after, zone)
    apart = local(after, zone).astimezone(UTC) - local(before, zone).astimezone(UTC)
    assert apart in (timedelta(hours=167), timedelta(hours=169))


def test_a_handover_within_the_hour_that_is_skipped_happens_once() -> None:
    turns = rotation(anchor="2026-03-28T02:30", turn="1d", people=["ann", "ben"])
    # 02:30 does not exist on the 29th: the clock goes from 02:00 to 03:00, which is 01:00 UTC.
    around = [datetime(2026, 3, 29, 0, 30, tzinfo=UTC) + timedelta(minutes=10 * n) for n in range(10)]
    seen = [turns.on_call(moment) for moment in around]
    assert sum(a != b for a, b in pairwise(seen)) == 1
    assert (seen[0], seen[-1]) == ("ann", "ben")


def test_a_handover_within_the_hour_that_comes_twice_happens_once() -> None:
    turns = rotation(anchor="2026-10-24T02:30", turn="1d", people=["ann", "ben"])
    around = [datetime(2026, 10, 24, 23, 50, tzinfo=UTC) + timedelta(minutes=10 * n) for n in range(18)]
    seen = [turns.on_call(moment) for moment in around]
    assert sum(a != b for a, b in pairwise(seen)) == 1
    assert turns.on_call(datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) == "ben"


def test_who_is_next_and_when() -> None:
    handover = rotation().next(local("2026-01-06T00:00"))
    assert handover is not None
    assert (handover.person, handover.moment) == ("ben", local("2026-01-12T09:00"))


def test_of_one_person_nobody_is_next() -> None:
    assert rotation(people=["ann"]).next(local("2026-01-06T00:00")) is None


def test_an_override_has_the_turn_and_gives_it_back() -> None:
    turns = rotation(overrides=[{"from": "2026-01-07T09:00", "until": "2026-01-09T09:00", "person": "eve"}])
    assert turns.on_call(local("2026-01-07T08:59")) == "ann"
    assert turns.on_call(local("2026-01-07T09:00")) == "eve"
    assert turns.on_call(local("2026-01-09T09:00")) == "ann"
    handover = turns.next(local("2026-01-08T00:00"))
    assert handover is not None
    assert (handover.person, handover.moment) == ("ann", local("2026-01-09T09:00"))


def test_an_override_may_be_in_utc() -> None:
    turns = rotation(
        overrides=[{"from": "2026-01-07T08:00:00Z", "until": "2026-01-07T09:00:00Z", "person": "eve"}]
    )
    assert turns.on_call(local("2026-01-07T09:30")) == "eve"


def test_overrides_that_overlap_are_refused_and_those_that_meet_are_not() -> None:
    first = {"from": "2026-01-07T09:00", "until": "2026-01-09T09:00", "person": "eve"}
    with pytest.raises(BadInput, match=r"those of eve and ben overlap at 2026-01-09 07:59 UTC"):
        rotation(
            overrides=[first, {"from": "2026-01-09T08:59", "until": "2026-01-10T00:00", "person": "ben"}]
        )
    rotation(overrides=[first, {"from": "2026-01-09T09:00", "until": "2026-01-10T00:00", "person": "ben"}])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"time_zone": "Europe/Berln"}, "there is no time zone 'Europe/Berln'"),
        ({"anchor": "monday"}, "'monday' is no date"),
        ({"anchor": "2026-01-05T09:00+01:00"}, "names a zone"),
        ({"people": []}, "nobody is in it"),
        ({"people": "ann"}, "nobody is in it"),
        ({"turn": "1h"}, "1h is too short"),
        ({"turn": "often"}, "it is not a duration"),
        ({"overrides": [{"from": "2026-01-07T09:00", "person": "eve"}]}, r"overrides\[0\]: it is incomplete"),
        (
            {"overrides": [{"from": "2026-01-09T09:00", "until": "2026-01-07T09:00", "person": "eve"}]},
            "it ends before it begins",
        ),
    ],
)
def test_what_cannot_be_meant_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        rotation(**given)


ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))
TURNS = st.sampled_from(["8h", "12h", "1d", "1w", "2w"])


@given(st.sampled_from(ZONES), TURNS, st.integers(1, 6), MOMENTS)
def test_next_is_the_first_moment_at_which_somebody_else_has_it(
    zone: str, turn: str, count: int, now: datetime
) -> None:
    turns = rotation(time_zone=zone, turn=turn, people=[f"p{number}" for number in range(count)])
    handover = turns.next(now)
    if count == 1:
        assert handover is None
        return
    assert handover is not None
    current = turns.on_call(now)
    step = (handover.moment - now) / 7
    assert all(turns.on_call(now + step * number) == current for number in range(7))
    assert turns.on_call(handover.moment - timedelta(seconds=1)) == current or step.total_seconds() < 1
    assert turns.on_call(handover.moment) == handover.person != current


@given(st.sampled_from(ZONES), TURNS, st.integers(2, 5), MOMENTS)
def test_everybody_has_as_many_turns_as_the_others(zone: str, turn: str, count: int, now: datetime) -> None:
    people = [f"p{number}" for number in range(count)]
    turns = rotation(time_zone=zone, turn=turn, people=people)
    order = []
    for _number in range(3 * count):
        handover = turns.next(now)
        assert handover is not None
        now = handover.moment
        order.append(handover.person)
    assert set(Counter(order).values()) == {3}
    assert [people[(people.index(person) + 1) % count] for person in order[:-1]] == order[1:]


@given(st.sampled_from(ZONES), TURNS, MOMENTS)
def test_a_handover_is_at_the_hour_of_the_anchor(zone: str, turn: str, now: datetime) -> None:
    turns = rotation(time_zone=zone, turn=turn)
    handover = turns.next(now)
    assert handover is not None
    clock = handover.moment.astimezone(ZoneInfo(zone))
    # But for those that fall into an hour that is skipped.
    assume(clock.replace(tzinfo=ZoneInfo(zone)).utcoffset() == (clock - timedelta(days=1)).utcoffset())
    hours = {(9 + 8 * n) % 24 for n in range(3)} if turn == "8h" else {9, 21} if turn == "12h" else {9}
    assert (clock.minute, clock.second) == (0, 0)
    assert clock.hour in hours


@given(st.sampled_from(ZONES), MOMENTS, st.integers(1, 400), st.integers(1, 400))
def test_whoever_overrides_has_it_and_outside_nothing_changes(
    zone: str, begin: datetime, hours: int, offset: int
) -> None:
    end = begin + timedelta(hours=hours)
    plain = rotation(time_zone=zone)
    turns = rotation(time_zone=zone, overrides=[{"from": begin, "until": end, "person": "eve"}])
    assert turns.on_call(begin) == turns.on_call(end - timedelta(microseconds=1)) == "eve"
    for outside in (begin - timedelta(hours=offset), end, end + timedelta(hours=offset)):
        assert turns.on_call(outside) == plain.on_call(outside)
