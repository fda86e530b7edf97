# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what is known of an incident is such that somebody has to be told. Pure; doubt counts as yes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import parse_duration

from ..severity.judge import UNSURE
from ..severity.rules import LISTS, NUMBERS, WORDS

_RANGE = re.compile(r"\s*\$?(\d+(?:\.\d+)?)\s*(?:-\s*(\d+(?:\.\d+)?)\s*)?%?\s*")
_KEYS = {"severities", "unresolved_for", "fact", "at_least", "count"}


@dataclass(frozen=True)
class Condition:
    """All that is given must hold: of `severities`, unresolved for so long, and what the fact says."""

    severities: tuple[int, ...] = ()
    unresolved_for: timedelta = timedelta()
    fact: str | None = None
    at_least: Any = None
    count: int | None = None

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
        if fact in LISTS and not isinstance(given.get("count"), int):
            raise BadInput(f"{where}.count", "a number is missing", f"Say from how many {fact} on.")
        return cls(
            severities=severities_of(f"{where}.severities", given.get("severities") or ()),
            unresolved_for=timedelta(seconds=parse_duration(given.get("unresolved_for", 0))),
            fact=fact,
            at_least=at_least,
            count=given.get("count"),
        )

    def holds(self, severity: int, since: datetime, facts: Mapping[str, Any], now: datetime) -> bool:
        """`since` is when it began to be of this severity."""
        if self.severities and severity not in self.severities:
            return False
        return now - since >= self.unresolved_for and (self.fact is None or self._fact_holds(facts))

    def _fact_holds(self, facts: Mapping[str, Any]) -> bool:
        value = facts.get(str(self.fact))
        if value is None:
            return False
        if self.fact in LISTS:
            listed = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
            return len(set(map(str, listed))) >= (self.count or 1)
        if self.fact in WORDS:
            return at_least(str(self.fact), value, self.at_least)
        return number_of(str(self.fact), value) >= float(self.at_least)


def at_least(fact: str, value: Any, word: str) -> bool:
    """Whether a fact that is said in words is that bad. One that nobody understands is."""
    words = WORDS[fact]
    said = (words[-1] if value else words[0]) if isinstance(value, bool) else str(value)
    return said not in words or words.index(said) >= words.index(word)


def number_of(where: str, value: Any) -> float:
    """Of a range the worse end. Raises `BadInput`."""
    if value == UNSURE:
        return math.inf
    match = _RANGE.fullmatch(str(value).replace(",", ""))
    if match is None:
        raise BadInput(where, f"{value!r} is no number", f"Write 12, a range as in 10-60, or {UNSURE}.")
    return max(float(number) for number in match.groups() if number)


def severities_of(where: str, given: Any) -> tuple[int, ...]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise BadInput(where, "it is no list", "Write [1, 2].")
    return tuple(level_of(where, each) for each in given)


def level_of(where: str, given: Any) -> int:
    """1 is the worst: from `1`, `Sev1` or `P0`. Raises `BadInput`."""
    match = re.fullmatch(r"(?i)(sev(?:erity)?\s*|p)?(\d)", str(given).strip())
    level = int(match.group(2)) + (match.group(1) or "").lower().startswith("p") if match else 0
    if not 1 <= level <= 4:
        raise BadInput(where, f"{given!r} is no severity", "Write Sev1 to Sev4, P0 to P3, or 1 to 4.")
    return level
