# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose keys an eviction policy would throw out. Pure."""

from __future__ import annotations

from typing import Sequence

from ...quantities import speak_count, speak_list
from .levers import within
from .model import Memory, Pattern, Sample

VOLATILE = "volatile"


def not_only_caches(memory: Memory, policy: str, caches: Sequence[str]) -> str | None:
    """Why this policy would throw out what nobody makes anew, or nothing at all."""
    sample, volatile = memory.sample, policy.startswith(VOLATILE)
    if volatile and not any(found["expires"] for found in memory.info.databases().values()):
        return (
            f"no key has a TTL, so that {policy} finds nothing to throw out and writes are refused as before"
        )
    if sample is None:
        return "the keys could not be looked at, so nobody knows what would be thrown out"
    unmet = [] if sample.complete else _unmet(sample)
    if unmet:
        return f"no key of {speak_list(unmet, 3)} was looked at, so nobody knows what would be thrown out"
    # A share of 100 % is rounded; the longest TTL is there as soon as one key has any.
    affected = [
        each
        for each in sample.patterns
        if not volatile or each.without_ttl is None or each.ttl_seconds is not None
    ]
    others = [each for each in affected if within(each.pattern, caches) is None]
    if others:
        return (
            f"it would throw out keys that are no declared cache: "
            f"{speak_list([_shown(other) for other in others], 3)} (in a sample of {sample.keys} of "
            f"{sample.total} keys); declare caches in firebreak_redis"
        )
    return None


def proved(memory: Memory) -> bool:
    """Whether every key was looked at: a few sessions among millions of others are in no sample."""
    return memory.sample is not None and memory.sample.complete


def ground(memory: Memory, caches: Sequence[str]) -> str:
    """What speaks for it."""
    sample, declared = memory.sample, speak_list(caches, 3)
    if sample is None or sample.complete:
        return f"only keys of the declared caches can be thrown out: {declared}"
    return (
        f"of {speak_count(sample.keys, 'key')} that were looked at all are of the declared caches "
        f"{declared}, and of the {sample.total} there are, others may be lost as well"
    )


def _unmet(sample: Sample) -> list[str]:
    """Databases with keys of which none was measured."""
    met = {each.database for each in sample.patterns}
    return [f"db{number}" for number, keys in sample.databases.items() if keys and number not in met]


def _shown(pattern: Pattern) -> str:
    return f"{pattern.pattern} ({pattern.keys} keys)"
