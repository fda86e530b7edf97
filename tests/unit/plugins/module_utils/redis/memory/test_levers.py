# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.levers import (
    literal_start,
    names_nothing,
    within,
)


@pytest.mark.parametrize(
    "pattern", ["*", "**", "?*", "*?*", "[a-z]*", "[^x]*", "a*", "*:", "[cache:]*", "", "[", "\\**"]
)
def test_a_pattern_that_names_nothing_is_known(pattern: str) -> None:
    assert names_nothing(pattern)


@pytest.mark.parametrize("pattern", ["cache:*", "*:thumb", "ab*", "page?:*", "\\*\\*lit"])
def test_a_pattern_that_names_something_is_taken(pattern: str) -> None:
    assert not names_nothing(pattern)


@pytest.mark.parametrize(
    ("pattern", "start"),
    [("cache:*", "cache:"), ("a\\*b*", "a*b"), ("*", ""), ("k[12]:*", "k"), ("plain", "plain")],
)
def test_what_every_key_begins_with(pattern: str, start: str) -> None:
    assert literal_start(pattern) == start


@pytest.mark.parametrize(
    ("pattern", "caches", "cache"),
    [
        ("cache:*", ["cache:*"], "cache:*"),
        ("cache:thumb:*", ["page:*", "cache:*"], "cache:*"),
        ("cache:1?", ["cache:*"], "cache:*"),
        ("cache*", ["cache:*"], None),
        ("*cache:*", ["cache:*"], None),
        ("c[a]che:*", ["cache:*"], None),
        ("cache\\:x*", ["cache:*"], "cache:*"),
        # Declared too wide, it vouches for nothing but itself.
        ("session:*", ["*"], None),
        # The star of this one is a character: it is a single key.
        ("cache:\\*session", ["cache:\\*"], None),
        ("\\[a\\]:x*", ["\\[a\\]:*"], "\\[a\\]:*"),
        ("a:1:tmp", ["a:*:tmp"], None),
        ("session:*", [], None),
    ],
)
def test_a_pattern_is_of_a_cache_only_when_that_is_certain(
    pattern: str, caches: list[str], cache: str | None
) -> None:
    assert within(pattern, caches) == cache
