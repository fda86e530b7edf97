# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures some of the keys: SCAN, and for what it names MEMORY USAGE, TYPE, PTTL and OBJECT IDLETIME.

Keys lie in the order of a hash with a random seed, so that those which SCAN names first are a fair sample.
On a node of a cluster they lie by slots, which names with hash tags share; there RANDOMKEY is asked.

Nothing is written and no value read. Like every look at a key, this one lets the server drop a key that is
past due.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Sequence

from ...clients.redis import Redis, Word
from ...deadlines import Deadline
from ...errors import FirebreakError, Unreachable
from .model import Key, Sampling

# One command that others wait for, and one pipeline: a fraction of a millisecond each.
BATCH = 100
MATCH_COUNT = 1000
# So many keys of a small database are measured, however small it is beside the others.
FEW = 100
MEMORY, TYPE, PTTL, IDLE = "MEMORY USAGE", "TYPE", "PTTL", "OBJECT IDLETIME"


@dataclass(frozen=True)
class Drawn:
    """Of one database: `met` keys were looked at, with a pattern about so many; all if `complete`."""

    database: int
    total: int
    met: int
    complete: bool
    keys: tuple[Key, ...]


class Sampler:
    """`unseen` has, after `draw`, why something could not be told."""

    def __init__(
        self, connection: Redis, wish: Sampling, deadline: Deadline, scattered: bool, idle: bool
    ) -> None:
        self._connection, self._wish, self._deadline, self._scattered = connection, wish, deadline, scattered
        self._asked = [MEMORY, TYPE, PTTL, *([IDLE] if idle else [])]
        self._first, self._selected = True, 0
        self.unseen: list[str] = []

    def draw(self, totals: Mapping[int, int]) -> list[Drawn]:
        """`totals` has the number of keys by database. Raises `ServerError` when no key may be looked at."""
        whole = sum(totals.values())
        found: list[Drawn] = []
        left, spent = whole, 0
        for database, total in sorted(totals.items(), key=lambda item: item[1]):
            # The smallest first: what they do not use is left for the others.
            budget = max(min(total, FEW), round((self._wish.keys - spent) * total / max(1, left)))
            drawn = self._database(database, total, budget)
            found.append(drawn)
            left, spent = left - total, spent + len(drawn.keys)
        return found

    def _database(self, database: int, total: int, budget: int) -> Drawn:
        """What was measured when the time was over is kept."""
        drawn = Drawn(database, total, 0, False, ())
        try:
            if database != self._selected:
                self._connection.execute("SELECT", database)
                self._selected = database
            for names, met, complete in self._batches(total, budget):
                keys = drawn.keys
                for start in range(0, len(names), BATCH):
                    keys += tuple(self._measured(database, names[start : start + BATCH]))
                    if self._deadline.over:
                        complete = False
                        break
                drawn = Drawn(database, total, met, complete, keys)
                if self._deadline.over or len(keys) >= budget:
                    break
        except Unreachable:
            if not self._deadline.over:
                raise
        if self._deadline.over and not drawn.complete:
            self.unseen.append(
                f"the time was over with {len(drawn.keys)} of {total} keys of db{database} measured"
            )
        return drawn

    def _batches(self, total: int, budget: int) -> Iterator[tuple[list[str], int, bool]]:
        """Names, how many keys were met until now, and whether that is all of them."""
        if self._scattered and not self._wish.pattern and total > budget:
            yield from self._at_random()
            return
        match: tuple[Word, ...] = ("COUNT", BATCH)
        if self._wish.pattern:
            match = ("MATCH", self._wish.pattern, "COUNT", MATCH_COUNT)
        cursor, met = "0", 0
        while True:
            cursor, names = _page(self._connection.execute("SCAN", cursor, *match))
            met += MATCH_COUNT if self._wish.pattern else len(names)
            yield names, min(met, total), cursor == "0"
            if cursor == "0":
                return

    def _at_random(self) -> Iterator[tuple[list[str], int, bool]]:
        met = 0
        while True:
            names = [
                name for name in self._connection.pipeline([("RANDOMKEY",)] * BATCH) if isinstance(name, str)
            ]
            if not names:
                return
            met += len(names)
            yield names, met, False

    def _measured(self, database: int, names: Sequence[str]) -> list[Key]:
        if not names:
            return []
        answers = self._connection.pipeline(
            [_command(asked, name) for asked in self._asked for name in names]
        )
        columns = {
            asked: answers[place * len(names) : (place + 1) * len(names)]
            for place, asked in enumerate(self._asked)
        }
        self._give_up(columns)
        nothing: list[Any] = [None] * len(names)
        size, kind, left, idle = (columns.get(asked, nothing) for asked in (MEMORY, TYPE, PTTL, IDLE))
        return [
            _key(database, *values)
            for values in zip(names, size, kind, left, idle)
            # What has gone meanwhile is no key.
            if values[2] != "none" and values[3] != -2
        ]

    def _give_up(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """What this user may not ask, or this server does not know, is asked once only."""
        if not self._first:
            return
        self._first = False
        for asked, answers in columns.items():
            if all(isinstance(answer, FirebreakError) for answer in answers):
                self._asked.remove(asked)
                self.unseen.append(f"{asked} of keys: {answers[0].problem}")


def _page(answer: Any) -> tuple[str, list[str]]:
    """The next cursor and names. Raises `Unreachable`."""
    if isinstance(answer, list) and len(answer) == 2 and isinstance(answer[1], list):
        return str(answer[0]), [name for name in answer[1] if isinstance(name, str)]
    raise Unreachable("redis", "its answer to SCAN makes no sense", "See what answers there.")


def _command(asked: str, name: str) -> tuple[Word, ...]:
    return (*asked.split(), name, *(("SAMPLES", 5) if asked == MEMORY else ()))


def _key(database: int, name: str, size: Any, kind: Any, left: Any, idle: Any) -> Key:
    return Key(
        name=name,
        database=database,
        type=kind if isinstance(kind, str) else None,
        bytes=size if isinstance(size, int) else None,
        persistent=left < 0 if isinstance(left, int) else None,
        ttl_seconds=left / 1000 if isinstance(left, int) and left >= 0 else None,
        idle_seconds=idle if isinstance(idle, int) else None,
    )
