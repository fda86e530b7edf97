# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what is known of an incident is such that somebody has to be told. Pure; doubt counts as yes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import parse_duration

from ..severity.reading import level_of, list_of, number_of, word_of
from ..severity.rules import LISTS, NUMBERS, WORDS

_KEYS = {"severities", "unresolved_for", "security", "fact", "at_least", "count", "any_of"}


@dataclass(frozen=True)
class Condition:
    """All that is given must hold: of `severities`, unresolved for so long, about `security`, and what the
    fact says: `at_least` so bad, so many of them (`count`), or `any_of` those."""

    severities: tuple[int, ...] = ()
    unresolved_for: timedelta = timedelta()
    security: bool = False
    fact: str | None = None
    at_least: Any = None
    count: int | None = None
    any_of: frozenset[str] = frozenset()

    @classmethod
    def of(cls, where: str, given: Any) -> Condition:
        """Raises `BadInput`."""
        if not isinstance(given, Mapping) or not given or set(given) - _KEYS:
            raise BadInput(where, "it cannot be read", f"Of {', '.join(sorted(_KEYS))} give what must hold.")
        fact: Any = given.get("fact")
        at_least = given.get("at_least")
        if fact is not None and fact not in (*NUMBERS, *WORDS, *LISTS):
            known = ", ".join([*NUMBERS, *WORDS, *LISTS])
            raise BadInput(f"{where}.fact", f"nothing is known of {fact!r}", f"It is one of {known}.")
        if fact in WORDS and at_least not in WORDS[fact]:
            raise BadInput(
                f"{where}.at_least", f"{at_least!r} is no word", f"One of {', '.join(WORDS[fact])}."
            )
        if fact in NUMBERS:
            at_least = number_of(f"{where}.at_least", at_least)
        any_of = given.get("any_of") or ()
        if isinstance(any_of, str) or not isinstance(any_of, Sequence):
            raise BadInput(f"{where}.any_of", "it is no list", "Write [postgres].")
        if fact in LISTS and not any_of and not isinstance(given.get("count"), int):
            cure = f"Say from how many {fact} on, or any_of which."
            raise BadInput(f"{where}.count", "a number is missing", cure)
        return cls(
            severities=severities_of(f"{where}.severities", given.get("severities") or ()),
            unresolved_for=timedelta(seconds=parse_duration(given.get("unresolved_for", 0))),
            security=bool(given.get("security")),
            fact=fact,
            at_least=at_least,
            count=given.get("count"),
            any_of=frozenset(map(str, any_of)),
        )

    def holds(
        self, severity: int, since: datetime, security: bool, facts: Mapping[str, Any], now: datetime
    ) -> bool:
        """`since` is when it began to be of this severity, `security` whether it is about that."""
        if (self.severities and severity not in self.severities) or (self.security and not security):
            return False
        return now - since >= self.unresolved_for and (self.fact is None or self._fact_holds(facts))

    def _fact_holds(self, facts: Mapping[str, Any]) -> bool:
        value = facts.get(str(self.fact))
        if value is None:
            return False
        if self.fact in LISTS:
            listed = set(map(str, list_of(value)))
            return len(listed) >= (self.count or 1) and (not self.any_of or bool(self.any_of & listed))
        if self.fact in WORDS:
            return at_least(str(self.fact), value, self.at_least)
        return number_of(str(self.fact), value) >= float(self.at_least)


def at_least(fact: str, value: Any, word: str) -> bool:
    """Whether a fact that is said in words is that bad. One that nobody understands is."""
    words = WORDS[fact]
    try:
        return words.index(word_of(fact, fact, value)) >= words.index(word)
    except BadInput:
        return True


def severities_of(where: str, given: Any) -> tuple[int, ...]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise BadInput(where, "it is no list", "Write [1, 2].")
    return tuple(level_of(where, each) for each in given)
