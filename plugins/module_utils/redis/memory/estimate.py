# SPDX-License-Identifier: GPL-3.0-or-later
"""From the keys that were measured to all of them. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import median
from typing import Iterable, Sequence

from .model import Key, Pattern, Sample
from .patterns import matcher, patterns_of
from .sample import Drawn

# Of a normal distribution, 19 values out of 20.
SIGMAS = 1.96
BIGGEST = 5


def estimate(drawn: Sequence[Drawn], caches: Sequence[str], seconds: float) -> Sample:
    """`seconds` is how long the drawing took."""
    weighted = [(key, _weight(one)) for one in drawn for key in one.keys]
    whole, squares = _sums(weighted)
    groups: defaultdict[tuple[int, str], list[tuple[Key, float]]] = defaultdict(list)
    for one in drawn:
        for key, pattern in zip(one.keys, patterns_of([key.name for key in one.keys])):
            groups[one.database, pattern].append((key, _weight(one)))
    complete = all(one.complete for one in drawn)
    patterns = [
        _pattern(database, glob, members, whole, squares, complete)
        for (database, glob), members in groups.items()
    ]
    return Sample(
        keys=len(weighted),
        total=sum(one.total for one in drawn),
        matching=round(sum(weight for _key, weight in weighted)),
        bytes=round(whole) if _measured(weighted) else None,
        complete=complete,
        seconds=seconds,
        databases={one.database: one.total for one in drawn},
        patterns=tuple(sorted(patterns, key=lambda one: (-(one.bytes or 0), -one.keys, one.pattern))),
        caches=tuple(_caches(weighted, caches, whole, squares, complete)),
        biggest=tuple(sorted((key for key, _weight in weighted), key=_size, reverse=True)[:BIGGEST]),
    )


def _weight(one: Drawn) -> float:
    """Each key that was measured stands for so many."""
    return 1.0 if one.complete or not one.met else max(1.0, one.total / one.met)


def _sums(weighted: Iterable[tuple[Key, float]]) -> tuple[float, float]:
    """The bytes, and the squares of the bytes, each with its weight."""
    whole = squares = 0.0
    for key, weight in weighted:
        size = weight * (key.bytes or 0)
        whole += size
        squares += size * size
    return whole, squares


def _measured(weighted: Sequence[tuple[Key, float]]) -> bool:
    return not weighted or any(key.bytes is not None for key, _weight in weighted)


def _pattern(
    database: int,
    glob: str,
    members: Sequence[tuple[Key, float]],
    whole: float,
    squares: float,
    complete: bool,
) -> Pattern:
    size, own_squares = _sums(members)
    share = size / whole if whole else 0.0
    # Of a ratio: what each key deviates from the share, squared and summed.
    deviation = own_squares * (1 - share) ** 2 + (squares - own_squares) * share**2
    margin = 0.0 if complete or not whole else SIGMAS * max(0.0, deviation) ** 0.5 / whole
    keys = [key for key, _weight in members]
    told = [key for key in keys if key.persistent is not None]
    ttls = [key.ttl_seconds for key in keys if key.ttl_seconds is not None]
    idle = [key.idle_seconds for key in keys if key.idle_seconds is not None]
    return Pattern(
        database=database,
        pattern=glob,
        sampled=len(keys),
        keys=round(sum(weight for _key, weight in members)),
        bytes=round(size) if _measured(members) else None,
        share=round(100 * share, 1),
        margin=round(100 * margin, 1),
        without_ttl=round(100 * sum(bool(key.persistent) for key in told) / len(told), 1) if told else None,
        persistent_bytes=round(_sums(member for member in members if member[0].persistent)[0]),
        ttl_seconds=round(max(ttls)) if ttls else None,
        idle_seconds=round(median(idle)) if idle else None,
        types=dict(Counter(key.type or "unknown" for key in keys).most_common()),
        biggest=max(keys, key=_size),
    )


def _caches(
    weighted: Sequence[tuple[Key, float]],
    caches: Sequence[str],
    whole: float,
    squares: float,
    complete: bool,
) -> Iterable[Pattern]:
    for glob in caches:
        matches = matcher(glob)
        by_database: defaultdict[int, list[tuple[Key, float]]] = defaultdict(list)
        for key, weight in weighted:
            if matches(key.name):
                by_database[key.database].append((key, weight))
        for database, members in by_database.items():
            yield _pattern(database, glob, members, whole, squares, complete)


def _size(key: Key) -> int:
    return key.bytes or 0
