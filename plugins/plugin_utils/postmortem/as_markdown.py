# SPDX-License-Identifier: GPL-3.0-or-later
"""The draft of a post-mortem, to be finished by people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ..rendering.text import markdown
from . import words
from .account import Account
from .words import SECTIONS, Section

GAP = f"**[{words.GAP}]**"
# What many readers of Markdown make links, mentions and formulas of, though it is no markup.
_LIVELY = re.compile(r"(?<=:)(?=//)|(?<=[wW]{3})(?=\.)|(?=[@$])")


def as_markdown(told: Account) -> str:
    parts = (_head(told), _story(told), _measured(told), _people(told))
    return "\n".join(line for part in parts for line in part) + "\n"


def _inert(value: object) -> str:
    """One line that means nothing but itself."""
    return _LIVELY.sub(r"\\", markdown(value))


def _head(told: Account) -> Iterator[str]:
    yield f"# Post-incident review: {_inert(words.title(told))}"
    yield ""
    if told.doubts:
        yield f"> **{words.DOUBT}**"
        yield from (f"> - {_inert(doubt)}" for doubt in told.doubts)
        yield ""
    if told.incident.security:
        yield from (f"> **{words.RESTRICTED}**", "")
    if not told.over:
        yield from (f"> **{words.UNFINISHED}**", "")
    yield f"A draft from the record. What only people know is marked {GAP}."
    yield ""
    yield from _fields(words.head(told))
    yield from ("", "## Summary", "")
    yield from (f"- {_inert(sentence)}" for sentence in words.summary(told))


def _story(told: Account) -> Iterator[str]:
    yield from ("", "## Phases and deadlines", "")
    phases = [words.phase_row(phase) for phase in told.phases]
    yield from _table(("Phase", "When (UTC)", "After", "Allowed", "Kept"), phases)
    yield from ("", "## Timeline", "")
    lines = [
        (words.clock(line.time), line.sort, line.host, words.line_text(line), line.actor)
        for line in told.lines
    ]
    yield from _table(("Time (UTC)", "What", "Host", "Event", "By"), lines)
    yield from ("", "## Impact", "")
    yield from _fields(words.impact(told))


def _measured(told: Account) -> Iterator[str]:
    yield from ("", "## What was wrong, before and after", "")
    if not told.findings:
        yield words.NOTHING_SEEN
    else:
        rows = [
            (
                one.host,
                one.level,
                one.subject,
                f"{one.summary}{f' (last: {one.last})' if one.last else ''}",
                words.clock(one.seen),
                f"{one.state} ({words.clock(one.looked)})",
            )
            for one in told.findings
        ]
        yield from _table(("Host", "Level", "Where", "Before", "First seen (UTC)", "After"), rows)
    yield from ("", "## What was done and undone", "")
    if not told.acts:
        yield words.NOTHING_DONE
    else:
        acts = [
            (words.clock(act.time), act.host, act.action, act.target, act.state, act.reason, act.actor)
            for act in told.acts
        ]
        yield from _table(("Time (UTC)", "Host", "Act", "On", "State", "Why", "By"), acts)
    if told.verdicts:
        yield from ("", "### Measured afterwards", "")
        verdicts = [(words.clock(one.time), one.host, one.playbook, one.verdict) for one in told.verdicts]
        yield from _table(("Time (UTC)", "Host", "Playbook", "Verdict"), verdicts)
    for host, tree in told.trees:
        yield from ("", f"### Who held up whom on {_inert(host)}", "")
        # Indented, not fenced: no query can end such a block.
        yield from (f"    {line}" for line in tree.splitlines())


def _people(told: Account) -> Iterator[str]:
    for section in SECTIONS:
        yield from _gap(section, told.said.get(section.told))


def _gap(section: Section, said: str | None) -> Iterator[str]:
    yield from ("", f"## {section.title}", "", _inert(said) if said else f"{GAP} {section.hint}")
    if section.columns:
        yield ""
        yield from _rows(section.columns, [[GAP, *("" for _column in section.columns[1:])]])


def _fields(rows: Sequence[tuple[str, str | None]]) -> Iterator[str]:
    known = [[_inert(name), GAP if value is None else _inert(value)] for name, value in rows]
    yield from _rows(("", ""), known)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield from _rows(head, [[_inert(cell) for cell in row] for row in rows])


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
