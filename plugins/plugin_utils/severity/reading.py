# SPDX-License-Identifier: GPL-3.0-or-later
"""What people type of an incident: numbers, ranges, words, levels. Pure; one reader for all who ask.

Read generously, for it is typed in a hurry; what could mean two things is refused with both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput

from .rules import LISTS, NUMBERS, WORDS

UNSURE = "unsure"
LOWEST = 4
_ONE = r"\$?\s*([0-9][0-9,]*(?:\.[0-9]+)?)\s*(k?)\s*(?:%|s)?"
_RANGE = re.compile(rf"{_ONE}(?:\s*(?:-|to)\s*{_ONE})?", re.IGNORECASE)
_GROUPED = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_LEVEL = re.compile(r"(sev(?:erity)?[\s-]*|p)?([0-9])", re.IGNORECASE)
# What both scales call their levels.
_NAMES = {"critical": 1, "high": 2, "medium": 3, "low": 4}
_SPOKEN: Mapping[str, str] = {
    "users_percent": "{} % of the users",
    "error_percent": "{} % of the requests",
    "latency_seconds": "{} s",
    "revenue_per_hour": "${} an hour",
    "revenue_total": "${} so far",
}
# A plain yes or no is understood only of what may be denied.
_DENIALS = ("no", "none")


def facts_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """As they are recorded: numbers, ranges as in `10-60`, words of the rules. Raises `BadInput`."""
    return {str(name): _fact(str(name), value) for name, value in given.items()}


def number_of(where: str, value: Any) -> float:
    """Of a range the worse end. Raises `BadInput`."""
    return max(_ends(where, value))


def word_of(where: str, fact: str, value: Any) -> str:
    """The word of the rules; of what nobody is sure of the worst. Raises `BadInput`."""
    words = WORDS[fact]
    if isinstance(value, bool) and words[0] in _DENIALS:
        return words[-1] if value else words[0]
    text = str(value).strip().lower()
    if text == UNSURE:
        return words[-1]
    if text not in words:
        raise BadInput(where, f"{str(value)!r} is none of {', '.join(words)}", f"Or say {UNSURE}.")
    return text


def list_of(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def level_of(where: str, given: Any) -> int:
    """1 is the worst: from `1`, `Sev1`, `P0` or `critical`. Raises `BadInput`."""
    text = str(given).strip().lower()
    match = _LEVEL.fullmatch(text)
    level = int(match.group(2)) + (match.group(1) or "").startswith("p") if match else _NAMES.get(text, 0)
    if not 1 <= level <= LOWEST:
        raise BadInput(where, f"{given!r} is no severity", "Write Sev1 to Sev4, P0 to P3, or 1 to 4.")
    return level


def spoken(fact: str, value: Any) -> str:
    """For a sentence: `12 % of the requests`, `payment, chat`, `data breach: suspected`."""
    if fact in LISTS:
        return ", ".join(map(str, list_of(value)))
    ends = _ends(fact, value) if fact in NUMBERS else ()
    if not ends or math.inf in ends:
        return f"{fact.replace('_', ' ')}: {value}"
    return _SPOKEN[fact].format("-".join(f"{end:,.10g}" for end in ends))


def _fact(name: str, value: Any) -> Any:
    if name in LISTS:
        return list_of(value)
    where = f"fact {name}"
    if name in WORDS:
        unsure = str(value).strip().lower() == UNSURE
        return UNSURE if unsure else word_of(where, name, value)
    if name not in NUMBERS:
        known = ", ".join([*NUMBERS, *WORDS, *LISTS])
        raise BadInput(f"fact {name!r}", "no rule knows it", f"It is one of {known}.")
    ends = _ends(where, value)
    if math.inf in ends:
        return UNSURE
    told = [int(end) if end.is_integer() else end for end in ends]
    return told[0] if len(told) == 1 else "-".join(map(str, told))


def _ends(where: str, value: Any) -> tuple[float, ...]:
    """The number, or both ends of the range."""
    text = str(value).strip()
    if text.lower() == UNSURE:
        return (math.inf,)
    match = _RANGE.fullmatch(text)
    if match is None:
        cure = f"Write 12, 12%, $12,000, a range as in 10-60, or {UNSURE}."
        raise BadInput(where, f"{value!r} is no number", cure)
    first, thousand, second, thousands = match.groups()
    ends = [_number(where, first, thousand)]
    if second:
        ends.append(_number(where, second, thousands))
    return tuple(ends)


def _number(where: str, digits: str, thousand: str) -> float:
    if "," in digits and not _GROUPED.fullmatch(digits):
        cure = f"Write {digits.replace(',', '.', 1)} with a point; thousands are 12,000 or 12000."
        raise BadInput(where, f"the comma in {digits!r} can mean two things", cure)
    return float(digits.replace(",", "")) * (1000 if thousand else 1)
