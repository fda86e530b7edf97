# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules and the clocks of a site, in the shape of rules.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import parse_duration

from .rules import DEADLINES, LISTS, NUMBERS, RULES, WORDS

RULES_VARIABLE, DEADLINES_VARIABLE = "firebreak_severity_rules", "firebreak_severity_deadlines"
VARIABLES = (RULES_VARIABLE, DEADLINES_VARIABLE)
_TESTS = ("at_least", "over", "any_of", "any")


@dataclass(frozen=True)
class Scale:
    """`rules` of a site are instead of ours; of the deadlines those that it gives."""

    rules: Sequence[Mapping[str, Any]] = RULES
    deadlines: Mapping[int, Mapping[str, int | None]] = field(default_factory=lambda: DEADLINES)

    @classmethod
    def of(cls, variables: Mapping[str, Any]) -> Scale:
        """Raises `BadInput` that names the variable and the rule."""
        rules, deadlines = variables.get(RULES_VARIABLE), variables.get(DEADLINES_VARIABLE)
        return cls(
            RULES if rules is None else _rules(rules), DEADLINES if not deadlines else _deadlines(deadlines)
        )


def _rules(given: Any) -> Sequence[Mapping[str, Any]]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise BadInput(RULES_VARIABLE, "it is no list", "Write one dictionary for each rule.")
    return [_rule(f"{RULES_VARIABLE}[{number}]", rule) for number, rule in enumerate(given)]


def _rule(where: str, rule: Any) -> Mapping[str, Any]:
    if not isinstance(rule, Mapping) or set(rule) - {"level", "fact", "because", *_TESTS}:
        raise BadInput(where, "it cannot be read", "Give level, fact, because and at_least, over or any_of.")
    fact, level = rule.get("fact"), rule.get("level")
    if level not in DEADLINES:
        raise BadInput(f"{where}.level", f"{level!r} is no level", "Write 1 (the worst) to 4.")
    if fact not in (*NUMBERS, *WORDS, *LISTS):
        known = ", ".join([*NUMBERS, *WORDS, *LISTS])
        raise BadInput(f"{where}.fact", f"nothing is known of {fact!r}", f"It is one of {known}.")
    (test, *others) = [name for name in _TESTS if name in rule] or [""]
    if others or not _fits(fact, test, rule.get(test)):
        raise BadInput(where, f"it cannot be tested on {fact}", _cure(fact))
    return {"because": f"{fact} is such", **rule}


def _fits(fact: str, test: str, value: Any) -> bool:
    if fact in LISTS:
        return test == "any" or (test == "any_of" and isinstance(value, Sequence))
    if fact in WORDS:
        return test == "at_least" and value in WORDS[fact]
    return test in ("at_least", "over") and isinstance(value, int | float)


def _cure(fact: str) -> str:
    if fact in LISTS:
        return "Give any_of, a list, or any: true."
    if fact in WORDS:
        return f"Give at_least, one of {', '.join(WORDS[fact])}."
    return "Give at_least or over, a number."


def _deadlines(given: Any) -> Mapping[int, Mapping[str, int | None]]:
    if not isinstance(given, Mapping):
        raise BadInput(DEADLINES_VARIABLE, "it is no dictionary", "Write {1: {respond: 15m}}.")
    # JSON knows no keys that are numbers.
    own = {str(level): times for level, times in given.items()}
    unknown = set(own) - {str(level) for level in DEADLINES}
    if unknown:
        raise BadInput(DEADLINES_VARIABLE, f"{unknown.pop()!r} is no level", "Write 1 (the worst) to 4.")
    return {level: {**ours, **_times(level, own.get(str(level)))} for level, ours in DEADLINES.items()}


def _times(level: int, given: Any) -> dict[str, int | None]:
    where, names = f"{DEADLINES_VARIABLE}[{level}]", ", ".join(DEADLINES[1])
    if given is None:
        return {}
    if not isinstance(given, Mapping) or set(given) - set(DEADLINES[1]):
        raise BadInput(where, "it cannot be read", f"Its keys are {names}.")
    try:
        return {name: None if time is None else parse_duration(time) for name, time in given.items()}
    except BadInput as error:
        raise BadInput(where, str(error), "Write null where nothing is due.") from error
