# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import (
    GIB,
    parse_duration,
    parse_size,
    share,
    speak_count,
    speak_duration,
    speak_list,
    speak_size,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), (90, 90), ("90s", 90), ("10m", 600), (" 24H ", 86400), ("7 d", 604800), ("2w", 1209600)],
)
def test_durations_are_read_in_the_units_that_people_type(text: str | int, expected: int) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4096", 4096),
        ("64k", 65536),
        ("512mb", 512 << 20),
        ("512MiB", 512 << 20),
        ("4g", 4 << 30),
        ("1T", 1 << 40),
        ("10b", 10),
    ],
)
def test_sizes_count_in_powers_of_1024(text: str, expected: int) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "m", "ten", "-5", "1.5h", "10y", "10 m m", "1e3", "٣m"])
def test_what_is_no_duration_is_refused_with_the_cure(text: str) -> None:
    with pytest.raises(BadInput, match="10m"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "mb", "ib", "4x", "-1k", "4gbb", "bb"])
def test_what_is_no_size_is_refused_as_it_was_typed(text: str) -> None:
    with pytest.raises(BadInput, match="512m") as caught:
        parse_size(text)
    assert repr(text) in str(caught.value)


@given(st.text())
def test_nothing_that_is_typed_raises_anything_but_bad_input(text: str) -> None:
    for parse in (parse_duration, parse_size):
        with contextlib.suppress(BadInput):
            assert parse(text) >= 0


@pytest.mark.parametrize(
    ("seconds", "spoken"),
    [(0, "0 s"), (-3, "0 s"), (45.4, "45 s"), (60, "1 min"), (90, "90 s"), (600, "10 min"), (3600, "1 h"),
     (86400, "24 h"), (604800, "7 d")],
)  # fmt: skip
def test_a_duration_is_spoken_in_the_unit_a_person_would_take(seconds: float, spoken: str) -> None:
    assert speak_duration(seconds) == spoken


@pytest.mark.parametrize(("number", "spoken"), [(0, "0 acts"), (1, "1 act"), (2, "2 acts")])
def test_one_of_a_thing_has_no_plural(number: int, spoken: str) -> None:
    assert speak_count(number, "act") == spoken


@pytest.mark.parametrize(
    ("size", "spoken"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 * GIB, "3.0 GiB"), (2**43, "8.0 TiB")],
)
def test_a_size_is_spoken_in_the_largest_unit_that_fits(size: float, spoken: str) -> None:
    assert speak_size(size) == spoken


def test_all_of_nothing_is_everything() -> None:
    assert (share(1, 3), share(0, 0)) == (33.3, 100.0)


def test_of_many_the_first_are_named_and_the_rest_counted() -> None:
    assert speak_list(["a", "b"], 2) == "a, b"
    assert speak_list(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert speak_list([], 2) == ""
