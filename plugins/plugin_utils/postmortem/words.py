# SPDX-License-Identifier: GPL-3.0-or-later
"""What both documents say, in plain words; each escapes them for itself. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso, parse_iso
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import speak_count

from ..rendering.text import duration, listing
from ..severity.reading import spoken as fact_in_words
from ..severity.rules import NUMBERS
from .account import Account
from .clocks import Phase
from .lines import FAILURE, MESSAGE, Line, one_line

LONGEST_TITLE = 200
REVIEW_WITHIN = timedelta(hours=48)
COMMANDER = "incident_commander"
GAP = "To be filled in"
NOTHING_DONE = "Firebreak changed nothing."
NOTHING_SEEN = "Nothing critical and no warning was recorded of any host."
RESTRICTED = "This was a security incident: restricted to those who have to know."
UNFINISHED = "The incident was not over when this was written: it ends where the record did."
DOUBT = "The record of this incident is not what was recorded. Do not rely on this document:"


@dataclass(frozen=True)
class Section:
    """What only people can write. `columns` are those of a table that is left for them, `told` the name by
    which some of it may be in the record already."""

    title: str
    hint: str
    columns: tuple[str, ...] = ()
    told: str = ""


SECTIONS = (
    Section("Root cause", "Why could it happen, not only what happened?", told="root_cause"),
    Section("Resolution", "What put it right in the end, and how is that known?", told="resolution"),
    Section("What went well", "What helped, and should stay as it is?"),
    Section("What could be improved", "What cost time, and what was luck?"),
    Section("Action items", "Each with an owner and a date.", ("Action", "Owner", "Due", "Status")),
    Section("Preventive measures", "What keeps this kind of incident from coming back?"),
    Section("Procedures", "Which runbooks, contacts or severity rules have to change?"),
    Section("Review meeting", "Within 48 hours, with all responders and stakeholders. When, and who comes?"),
    Section("Distribution", "Engineering, leadership, affected customers (summary only), public (if major)."),
)
# Of the impact, what the runbooks ask for, and the fact that tells it.
IMPACT = (
    ("Users affected", "users_percent"),
    ("Revenue impact", "revenue_per_hour"),
    ("Data loss", "data_loss"),
    ("Data breach", "data_breach"),
)


def title(told: Account) -> str:
    said = one_line(told.incident.title) or told.incident.id
    return said if len(said) <= LONGEST_TITLE else f"{said[: LONGEST_TITLE - 1]}…"


def spoken(seconds: float | None) -> str:
    if seconds is None:
        return "not yet"
    days = int(seconds // 86400)
    said = duration(seconds) if days < 2 else f"{days} d {int(seconds % 86400 // 3600)} h"
    return said.removesuffix(" 00 s").removesuffix(" 00 min")


def clock(time: str) -> str:
    """As a person reads it; the milliseconds stay in the record."""
    return f"{time[:10]} {time[11:19]}"


def severity(told: Account) -> str:
    """By both scales."""
    name = str(told.incident.severity or "")
    if name.startswith("Sev") and name[3:].isdigit():
        return f"{name} (P{int(name[3:]) - 1})"
    return name or "not judged"


def head(told: Account) -> list[tuple[str, str | None]]:
    """None is a gap."""
    incident = told.incident
    ended = incident.times.get("resolved")
    roles = {name: person for name, person in incident.roles.items() if name != COMMANDER}
    return [
        ("Incident", incident.id),
        ("Severity", severity(told)),
        ("Detected", f"{clock(told.detected)} UTC"),
        ("Duration", spoken(told.duration) if ended else "not resolved yet"),
        ("State", f"{incident.phase}, as of {clock(told.end)} UTC"),
        ("Incident commander", incident.roles.get(COMMANDER)),
        *((name.replace("_", " ").capitalize(), person) for name, person in roles.items()),
        *([("Responders", ", ".join(told.responders))] if told.responders else []),
        (
            "Review due",
            f"{clock(iso(parse_iso(ended) + REVIEW_WITHIN))} UTC" if ended else "48 h after the end",
        ),
    ]


def summary(told: Account) -> Iterator[str]:
    """Sentences that only repeat what was recorded."""
    because = f", because {'; '.join(told.reasons)}" if told.reasons else ""
    yield f"{title(told)}: detected at {clock(told.detected)} UTC, rated {severity(told)}{because}."
    yield _course(told)
    hosts = sorted({one.host for one in told.findings})
    if hosts:
        yield (
            f"{_number(len(told.findings), 'thing')} found wrong on {listing(hosts)}: "
            f"{_counted(one.state for one in told.findings)}."
        )
    if told.acts:
        yield f"Acts: {_counted(act.state for act in told.acts)}."
    sent = [line for line in told.lines if line.sort == MESSAGE]
    late = sum(line.late for line in sent)
    if sent:
        yield f"{_number(len(sent), 'message')} sent{f', {late} of them too late' if late else ''}."
    failed = sum(line.sort == FAILURE for line in told.lines)
    if failed:
        yield f"{speak_count(failed, 'failure')} of acts, messages and runs, see the timeline."


def _counted(states: Iterable[str]) -> str:
    return ", ".join(f"{number} {state}" for state, number in Counter(states).items())


def _number(number: int, noun: str) -> str:
    return f"{speak_count(number, noun)} {'was' if number == 1 else 'were'}"


def _course(told: Account) -> str:
    begun = [phase for phase in told.phases if phase.name not in ("open",) and phase.time]
    missed = [phase.name for phase in told.phases if phase.late and not phase.time]
    parts = [
        f"{phase.name} after {spoken(phase.seconds)}{' (late)' if phase.late else ''}" for phase in begun
    ]
    parts += [f"never {name}, though it was due" for name in missed]
    return f"It was {', '.join(parts)}." if parts else "Nobody has acknowledged it."


def phase_row(phase: Phase) -> tuple[str, str, str, str, str]:
    when = clock(phase.time) if phase.time else ""
    allowed = "" if phase.allowed is None else "at once" if not phase.allowed else spoken(phase.allowed)
    kept = "" if phase.due is None else "late" if phase.late else "in time" if phase.time else "not due yet"
    return phase.name.capitalize(), when, spoken(phase.seconds), allowed, kept


def line_text(line: Line) -> str:
    return f"{line.text}{' (undone later)' if line.undone else ''}{' (late)' if line.late else ''}"


def impact(told: Account) -> list[tuple[str, str | None]]:
    """None is a gap. What nobody is sure of has to be found out."""
    rows: list[tuple[str, str | None]] = [
        (
            "Downtime",
            f"at most {spoken(told.duration)}, from detection to resolution" if told.duration else None,
        )
    ]
    for name, fact in IMPACT:
        value = told.incident.facts.get(fact)
        rows.append((name, None if value in (None, "unsure") else _fact(fact, value)))
    shown = {fact for _name, fact in IMPACT}
    for fact, value in told.incident.facts.items():
        if fact not in shown and fact != "findings":
            rows.append((_named(fact), None if value == "unsure" else _listed(value)))
    return rows


def _named(fact: str) -> str:
    known = NUMBERS.get(fact, fact)
    return known[:1].upper() + known[1:].replace("_", " ")


def _fact(name: str, value: object) -> str:
    try:
        return fact_in_words(name, value) if name in NUMBERS else str(value)
    except BadInput:
        # Altered; the rest is told all the same.
        return str(value)


def _listed(value: object) -> str:
    return listing([str(each) for each in value]) if isinstance(value, list) else str(value)


def gaps(told: Account) -> list[str]:
    """The names of what is left for people."""
    fields = [name for name, value in (*head(told), *impact(told)) if value is None]
    return [*fields, *(section.title for section in SECTIONS if section.told not in told.said)]
