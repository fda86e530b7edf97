# SPDX-License-Identifier: GPL-3.0-or-later
"""How bad an incident is, why, and what is due when. Pure.

Boundaries and doubt go up: a value on a boundary is over it, of a range the worse end counts, and what is
said in a way that no rule understands is refused rather than passed over.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.finding import CRITICAL, WARNING
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso

from .reading import LOWEST, list_of, number_of, spoken, word_of
from .rules import DEADLINES, LISTS, NUMBERS, RULES, WORDS

# What a finding of triage says of itself, where nothing else is known of the incident.
OF_FINDINGS: Mapping[str, int] = {CRITICAL: 2, WARNING: 3}


@dataclass(frozen=True)
class Severity:
    """`level` is 1 (the worst) to 4; `deadlines` are the times by which something is due, None where nothing
    is, and `updates_every` in seconds."""

    level: int
    reasons: tuple[str, ...]
    deadlines: Mapping[str, str | int | None]

    @property
    def names(self) -> tuple[str, str]:
        """What both scales call it."""
        return f"Sev{self.level}", f"P{self.level - 1}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "level": self.level,
            "names": list(self.names),
            "reasons": list(self.reasons),
            "deadlines": dict(self.deadlines),
        }


def judge(
    facts: Mapping[str, Any],
    detected: datetime,
    rules: Sequence[Mapping[str, Any]] = RULES,
    deadlines: Mapping[int, Mapping[str, int | None]] = DEADLINES,
) -> Severity:
    """From what is known of an incident. Raises `BadInput` that names the fact or the rule."""
    known = {name: _read(name, value) for name, value in facts.items() if value is not None}
    holding = [rule for rule in rules if rule["fact"] in known and _holds(rule, known[rule["fact"]])]
    level = min((int(rule["level"]) for rule in holding), default=LOWEST)
    level = min(level, _of_findings(known.get("findings", ())))
    reasons = tuple(_reason(rule, facts[rule["fact"]]) for rule in holding if rule["level"] == level)
    return rated(level, reasons or (_without(level),), detected, deadlines)


def rated(
    level: int,
    reasons: Sequence[str],
    detected: datetime,
    deadlines: Mapping[int, Mapping[str, int | None]] = DEADLINES,
) -> Severity:
    """Of a level that is known."""
    return Severity(level, tuple(reasons), _due(deadlines[level], detected))


def _read(name: str, value: Any) -> Any:
    where = f"fact {name}"
    if name in LISTS:
        return list_of(value)
    if name in NUMBERS:
        return number_of(where, value)
    if name not in WORDS:
        known = ", ".join([*NUMBERS, *WORDS, *LISTS])
        raise BadInput(f"fact {name!r}", "no rule knows it", f"It is one of {known}.")
    return word_of(where, name, value)


def _holds(rule: Mapping[str, Any], value: Any) -> bool:
    fact = rule["fact"]
    if "any_of" in rule:
        return bool(set(rule["any_of"]) & set(value))
    if "any" in rule:
        return bool(value)
    if "over" in rule:
        return bool(value > rule["over"])
    if fact in WORDS:
        return WORDS[fact].index(value) >= WORDS[fact].index(rule["at_least"])
    return bool(value >= rule["at_least"])


def _of_findings(findings: Collection[Mapping[str, Any]]) -> int:
    return min((OF_FINDINGS.get(finding.get("level", ""), LOWEST) for finding in findings), default=LOWEST)


def _reason(rule: Mapping[str, Any], said: Any) -> str:
    fact = rule["fact"]
    named = [each for each in list_of(said) if each in rule["any_of"]] if "any_of" in rule else said
    return f"{rule['because']} ({spoken(fact, named)})"


def _without(level: int) -> str:
    return "triage found it" if level < LOWEST else "nothing that is known makes it worse"


def _due(deadlines: Mapping[str, int | None], detected: datetime) -> Mapping[str, str | int | None]:
    due: dict[str, str | int | None] = {
        name: None if seconds is None else iso(detected + timedelta(seconds=seconds))
        for name, seconds in deadlines.items()
        if name != "updates_every"
    }
    return {**due, "updates_every": deadlines["updates_every"]}
