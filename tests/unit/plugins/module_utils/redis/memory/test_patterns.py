# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.patterns import (
    matcher,
    pattern_of,
    patterns_of,
)

NAMES = [
    ("session:8f3a9c0d1e2b4f5a", "session:*"),
    ("session:9b2f6a34-8c1d-4e5f-a6b7-0123456789ab", "session:*"),
    ("session:9b2f6a34-8c1d-4e5f-a6b7-0123456789ab:data", "session:*:data"),
    ("sess:QmFzZTY0IHRva2VuIGhlcmUh", "sess:*"),
    ("sess:aBcDeFgHiJkLmNoPqRsTuVwX", "sess:*"),
    ("user:42:cart", "user:*:cart"),
    ("user:42:order:7", "user:*:order:*"),
    ("user_12345", "user_*"),
    ("user12345", "user*"),
    ("v1:user:5", "v1:user:*"),
    ("{user:1000}.following", "{user:*}.following"),
    ("stats:2026-11-21", "stats:*"),
    ("stats:2026-11-21:hits", "stats:*:hits"),
    ("rate:10.0.0.17", "rate:*"),
    ("rate:fd77:fb::11", "rate:fd*:fb::*"),
    ("app/img/00ff00ff.png", "app/img/*.png"),
    ("bull:mail:wait", "bull:mail:wait"),
    ("config", "config"),
    ("", "*"),
    ("12345", "*"),
    (":", ":"),
    ("deadbeef", "deadbeef"),
    ("deadbeef1", "*"),
    ("a*b[c]?:7", "a\\*b\\[c\\]\\?:*"),
    ("back\\slash:7", "back\\\\slash:*"),
    ("bin:\udcff\udc80", "bin:*"),
    ("line\nbreak:x", "*:x"),
    ("grüße:7", "grüße:*"),
    ("x" * 60, "*"),
    ("cache:" + "y" * 5000, "cache:*"),
]


@pytest.mark.parametrize(("name", "pattern"), NAMES)
def test_what_names_one_of_its_kind_varies(name: str, pattern: str) -> None:
    assert pattern_of(name) == pattern


@pytest.mark.parametrize("name", [name for name, _pattern in NAMES])
def test_a_key_matches_its_own_pattern(name: str) -> None:
    assert matcher(pattern_of(name))(name)


def test_a_word_of_which_there_are_many_varies() -> None:
    words = ["".join(chr(97 + (number // 26**place) % 26) for place in range(3)) for number in range(500)]
    found = patterns_of([f"profile:{word}:name" for word in words] + ["config:theme"] * 3)
    assert set(found) == {"profile:*:name", "config:theme"}


def test_a_few_words_stay_apart() -> None:
    names = [f"queue:{word}:{number}" for word in ("mail", "push", "sms") for number in range(50)]
    assert set(patterns_of(names)) == {"queue:mail:*", "queue:push:*", "queue:sms:*"}


def test_one_frequent_word_stays_among_many_rare_ones() -> None:
    words = [f"{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(60)]
    found = patterns_of([f"{word}:x" for word in words] + ["session:x"] * 200)
    assert set(found) == {"*:x", "session:x"}


def test_every_key_matches_the_pattern_that_it_is_counted_under() -> None:
    names = [name for name, _pattern in NAMES]
    names += [f"w{chr(97 + number % 26)}{chr(97 + number // 26)}:k" for number in range(90)]
    for name, pattern in zip(names, patterns_of(names), strict=True):
        assert matcher(pattern)(name), (name, pattern)


@pytest.mark.parametrize(
    ("glob", "name", "matches"),
    [
        ("*", "", True),
        ("session:*", "session:1", True),
        ("session:*", "other:session:1", False),
        ("s?ssion", "session", True),
        ("s?ssion", "sssion", False),
        ("a*b*c", "a-b-b-c", True),
        ("ab*bc", "abc", False),
        ("*ab*ab", "ab-a", False),
        ("**a**", "bab", True),
        ("*[]*", "a", False),
        ("*:a*:b*:c*:d*:e", ":a:b:c:d" * 20_000, False),
        ("[ab]1", "b1", True),
        ("[^ab]1", "b1", False),
        ("[^ab]1", "c1", True),
        ("[a-c]", "b", True),
        ("[c-a]", "b", True),
        ("[a-c]", "d", False),
        ("[]", "]", False),
        ("[a", "a", True),
        ("[\\]]", "]", True),
        ("a\\*", "a*", True),
        ("a\\*", "ab", False),
        ("\\", "\\", True),
        ("a.c", "abc", False),
        ("*\n*", "a\nb", True),
        ("bin:?", "bin:\udcff", True),
        # A letter of two bytes is two characters to a server.
        ("??", "ü", True),
        ("?", "ü", False),
    ],
)
def test_globs_match_as_in_a_server(glob: str, name: str, matches: bool) -> None:
    assert matcher(glob)(name) is matches
