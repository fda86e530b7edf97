# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import random

from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.estimate import estimate
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.model import Key
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.sample import Drawn


def key(name: str, size: int | None = 100, ttl: float | None = None, database: int = 0) -> Key:
    return Key(name, database, "string", size, ttl is None, ttl, 30)


def test_everything_measured_is_no_estimate() -> None:
    keys = (key("session:1", 300, 60), key("session:2", 500), key("config", 200))
    sample = estimate([Drawn(0, 3, 3, True, keys)], ["session:*"], 0.1)
    assert (sample.keys, sample.matching, sample.bytes, sample.complete) == (3, 3, 1000, True)
    first = sample.patterns[0]
    assert (first.pattern, first.keys, first.bytes) == ("session:*", 2, 800)
    assert (first.share, first.margin) == (80.0, 0.0)
    assert (first.without_ttl, first.persistent_bytes, first.ttl_seconds) == (50.0, 500, 60)
    assert first.biggest.name == "session:2"
    assert [(cache.pattern, cache.bytes) for cache in sample.caches] == [("session:*", 800)]


def test_each_key_stands_for_those_of_its_own_database() -> None:
    one = Drawn(0, 1000, 10, False, tuple(key(f"a:{n}") for n in range(10)))
    two = Drawn(1, 5, 5, True, tuple(key(f"b:{n}", database=1) for n in range(5)))
    sample = estimate([one, two], [], 0.1)
    assert {pattern.pattern: pattern.keys for pattern in sample.patterns} == {"a:*": 1000, "b:*": 5}
    assert (sample.bytes, sample.total, sample.complete) == (100_500, 1005, False)


def test_with_a_pattern_what_was_looked_through_is_the_measure() -> None:
    drawn = Drawn(0, 10_000, 2_000, False, tuple(key(f"cache:{n}") for n in range(100)))
    sample = estimate([drawn], [], 0.1)
    assert (sample.matching, sample.bytes) == (500, 50_000)


def test_sizes_that_were_not_told_are_not_guessed() -> None:
    sample = estimate([Drawn(0, 2, 2, True, (key("a:1", None), key("b:1", None)))], [], 0.1)
    assert sample.bytes is None
    assert {pattern.bytes for pattern in sample.patterns} == {None}


def test_nothing_there_is_nothing() -> None:
    sample = estimate([], ["cache:*"], 0.0)
    assert (sample.keys, sample.bytes, sample.complete) == (0, 0, True)
    assert (sample.patterns, sample.caches) == ((), ())


def test_the_margin_holds_in_nearly_all_samples() -> None:
    """Of 20,000 keys, 30 % with 10 times the size: in 200 samples the margin is too small a few times."""
    chance = random.Random(5)
    everything = [
        key(f"big:{number}", chance.randint(500, 3000))
        if number % 10 < 3
        else key(f"small:{number}", chance.randint(50, 300))
        for number in range(20_000)
    ]
    whole = sum(each.bytes or 0 for each in everything)
    truth = 100 * sum(each.bytes or 0 for each in everything if each.name.startswith("big")) / whole
    missed = 0
    for _run in range(200):
        drawn = Drawn(0, 20_000, 300, False, tuple(chance.sample(everything, 300)))
        big = next(one for one in estimate([drawn], [], 0).patterns if one.pattern == "big:*")
        missed += abs(big.share - truth) > big.margin + 0.05
    assert missed <= 20
