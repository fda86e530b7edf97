# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.text import (
    LONGEST,
    clean,
    clean_lines,
    duration,
    listing,
)


@given(st.text(alphabet=st.characters()))
def test_nothing_invisible_comes_through(text: str) -> None:
    for line in [clean(text), *clean_lines(text)]:
        assert not {unicodedata.category(c) for c in line} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("root\x1b[2J", "root\\x1b[2J"),
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\nb\rc", "a\\nb\\rc"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("bad\udcff", "bad\\udcff"),
        ("naïve 漢字 ✓", "naïve 漢字 ✓"),
        ("[bold red]x[/]", "[bold red]x[/]"),
    ],
)
def test_control_characters_are_shown_not_obeyed(given_text: str, shown: str) -> None:
    assert clean(given_text) == shown


def test_lines_keep_their_indentation() -> None:
    assert clean_lines("{\n  a: 1\r\n\n}") == ["{", "  a: 1", "}"]


def test_a_flood_is_cut() -> None:
    assert clean("x" * (LONGEST + 5)).endswith("... (5 more characters)")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7801, "2 h 10 min"),
    ],
)
def test_durations_as_a_person_says_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_one_name_more_than_the_limit_is_still_written_out() -> None:
    assert listing(["a", "b", "c"], 2) == "a, b, c"
    assert listing(["a", "b", "c", "d"], 2) == "a, b and 2 more"
