# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a moment lies in a drawing. Long times in which nothing happened are drawn short. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

# A pause that would take a larger share of the width than this is drawn so broad.
BROADEST, BROAD = 0.6, 0.12
_STEPS = (1, 5, 10, 30, 60, 300, 600, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 2592000)
# Between the labels of two ticks.
_ROOM = 64.0


@dataclass(frozen=True)
class Tick:
    x: float
    label: str


@dataclass(frozen=True)
class Scale:
    """`points` are seconds since the epoch, `places` where they lie, `breaks` the pauses that are drawn short
    as pairs of points."""

    points: tuple[float, ...]
    places: tuple[float, ...]
    breaks: tuple[tuple[float, float], ...]
    per_second: float

    @classmethod
    def over(cls, moments: Sequence[float], left: float, right: float) -> Scale:
        """At least one moment, in any order."""
        points = sorted(set(moments))
        gaps = [after - before for before, after in pairwise(points)]
        short = _short(gaps)
        kept = sum(gap for number, gap in enumerate(gaps) if number not in short)
        width = right - left
        per_second = width * (1 - BROAD * len(short)) / kept if kept else 0.0
        places = [left]
        for number, gap in enumerate(gaps):
            places.append(places[-1] + (width * BROAD if number in short else gap * per_second))
        breaks = tuple((points[number], points[number + 1]) for number in sorted(short))
        return cls(tuple(points), tuple(places), breaks, per_second)

    def x(self, moment: float) -> float:
        number = max(0, min(bisect_right(self.points, moment) - 1, len(self.points) - 2))
        if len(self.points) < 2:
            return self.places[0]
        begin, end = self.points[number : number + 2]
        share = min(1.0, max(0.0, (moment - begin) / (end - begin)))
        return self.places[number] + share * (self.places[number + 1] - self.places[number])

    def ticks(self) -> Iterator[Tick]:
        """At round times, and where a pause ends; the date wherever it is another one."""
        step = next((each for each in _STEPS if each * self.per_second >= _ROOM), _STEPS[-1])
        wanted = {self.points[0], *(end for _begin, end in self.breaks)}
        for begin, end in self._pieces():
            first = -(-begin // step) * step
            wanted.update(first + step * count for count in range(int(max(-1, (end - first) // step)) + 1))
        sure = {self.points[0], *(end for _begin, end in self.breaks)}
        places = [self.x(moment) for moment in sorted(sure)]
        date, taken = "", -_ROOM
        for moment in sorted(wanted):
            x = self.x(moment)
            near = moment not in sure and any(abs(x - place) < _ROOM for place in places)
            if near or x - taken < _ROOM:
                continue
            taken, told = x, datetime.fromtimestamp(moment, UTC)
            form = "%H:%M" if step >= 60 or moment in sure else "%H:%M:%S"
            label = told.strftime(form if f"{told:%d %b}" == date else f"%d %b {form}")
            date = f"{told:%d %b}"
            yield Tick(x, label)

    def _pieces(self) -> Iterator[tuple[float, float]]:
        begin = self.points[0]
        for pause_begin, pause_end in self.breaks:
            yield begin, pause_begin
            begin = pause_end
        yield begin, self.points[-1]


def _short(gaps: Sequence[float]) -> set[int]:
    """The numbers of the pauses that leave too little room for the rest. Some of the drawing stays true."""
    short: set[int] = set()
    for number in sorted(range(len(gaps)), key=lambda each: -gaps[each])[:3]:
        kept = sum(gap for other, gap in enumerate(gaps) if other not in short)
        if len(gaps) - len(short) > 3 and gaps[number] > BROADEST * kept:
            short.add(number)
    return short
