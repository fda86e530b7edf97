# SPDX-License-Identifier: GPL-3.0-or-later
"""The post-mortem as one page that needs nothing but itself: no script, no picture, no font."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from ..rendering.text import clean
from . import words
from .account import Account
from .drawing import drawing, legend
from .looks import GONE, THERE
from .style import STYLE
from .words import SECTIONS, Section

# A browser then loads and runs nothing, whatever a mistake in this file would let through.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
GAP = f"<mark>{words.GAP}</mark>"
# Words whose colour says how bad they are.
_PLAIN = (
    "failure",
    "critical",
    "warning",
    "done",
    "refused",
    "failed",
    "undone",
    "improved",
    "unchanged",
    "worse",
)
_TAGS = {word: word for word in (*_PLAIN, "late")}
_TAGS |= {THERE: "failed", GONE: "done", "in time": "done", "resolved": "done"}

_SHOWN = ("time", "long", "name")
_TIME, _BY = ("Time (UTC)", "time"), ("By", "name")
_PHASES = (("Phase", ""), ("When (UTC)", "time"), ("After", ""), ("Allowed", ""), ("Kept", "tag"))
_LINES = (_TIME, ("What", "tag"), ("Host", ""), ("Event", "long"), _BY)
_ACTS = (_TIME, ("Host", ""), ("Act", ""), ("On", "name"), ("State", "tag"), ("Why", "long"), _BY)
_VERDICTS = (_TIME, ("Host", ""), ("Playbook", ""), ("Verdict", "tag"))
_FINDINGS = (
    ("Level", "tag"),
    ("Where", "name"),
    ("Before", "long"),
    ("First seen (UTC)", "time"),
    ("After", "tag"),
    ("Looked at (UTC)", "time"),
)


def as_html(told: Account) -> str:
    title = _said(f"Post-incident review: {words.title(told)}")
    body = [*_head(told, title), *_story(told), *_measured(told), *_people(told)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _said(value: object) -> str:
    """One line in which every character is visible and none is markup."""
    return escape(clean(value))


def _head(told: Account, title: str) -> Iterator[str]:
    yield f"<h1>{title}</h1>"
    if told.doubts:
        doubts = "".join(f"<li>{_said(doubt)}</li>" for doubt in told.doubts)
        yield f'<div class="alarm"><strong>{words.DOUBT}</strong><ul>{doubts}</ul></div>'
    if told.incident.security:
        yield f'<div class="alarm"><strong>{words.RESTRICTED}</strong></div>'
    if not told.over:
        yield f'<div class="alarm"><strong>{words.UNFINISHED}</strong></div>'
    yield f'<p class="soft">A draft from the record. What only people know is marked {GAP}.</p>'
    yield _fields(words.head(told))
    yield "<h2>Summary</h2>"
    yield "".join(f"<p>{_said(sentence)}</p>" for sentence in words.summary(told))


def _story(told: Account) -> Iterator[str]:
    yield "<h2>Timeline</h2>"
    yield f'<div class="drawn">{drawing(told)}</div>\n<div class="legend">{legend(told)}</div>'
    yield "<h2>Phases and deadlines</h2>"
    phases = [words.phase_row(phase) for phase in told.phases]
    yield _table(_PHASES, phases)
    yield "<h2>Impact</h2>"
    yield _fields(words.impact(told))
    yield "<h2>Timeline, event by event</h2>"
    lines = [
        (words.clock(line.time), line.sort, line.host, words.line_text(line), line.actor)
        for line in told.lines
    ]
    yield _table(_LINES, lines)


def _measured(told: Account) -> Iterator[str]:
    yield "<h2>What was wrong, before and after</h2>"
    for host in dict.fromkeys(one.host for one in told.findings):
        rows = [
            (
                one.level,
                one.subject,
                f"{one.summary}{f' (last: {one.last})' if one.last else ''}",
                words.clock(one.seen),
                one.state,
                words.clock(one.looked),
            )
            for one in told.findings
            if one.host == host
        ]
        yield f"<h3>{_said(host)}</h3>"
        yield _table(_FINDINGS, rows)
    if not told.findings:
        yield f"<p>{words.NOTHING_SEEN}</p>"
    yield "<h2>What was done and undone</h2>"
    acts = [
        (words.clock(act.time), act.host, act.action, act.target, act.state, act.reason, act.actor)
        for act in told.acts
    ]
    yield _table(_ACTS, acts) if acts else f"<p>{words.NOTHING_DONE}</p>"
    if told.verdicts:
        yield "<h3>Measured afterwards</h3>"
        verdicts = [(words.clock(one.time), one.host, one.playbook, one.verdict) for one in told.verdicts]
        yield _table(_VERDICTS, verdicts)
    for host, tree in told.trees:
        yield f"<h3>Who held up whom on {_said(host)}</h3>\n<pre>{escape(tree)}</pre>"


def _people(told: Account) -> Iterator[str]:
    for section in SECTIONS:
        said = told.said.get(section.told)
        yield f"<h2>{section.title}</h2>\n<p>{_said(said)}</p>" if said else _gap(section)


def _gap(section: Section) -> str:
    said = f'<h2>{section.title}</h2>\n<div class="gap"><strong>{words.GAP}.</strong> {section.hint}</div>'
    if not section.columns:
        return said
    head = "".join(f"<th>{name}</th>" for name in section.columns)
    row = f"<tr>{'<td>&nbsp;</td>' * len(section.columns)}</tr>"
    return f"{said}\n<table><thead><tr>{head}</tr></thead><tbody>{row * 3}</tbody></table>"


def _fields(rows: Sequence[tuple[str, str | None]]) -> str:
    told = (
        f"<div><dt>{_said(name)}</dt><dd>{GAP if value is None else _said(value)}</dd></div>"
        for name, value in rows
    )
    return f'<dl class="fields">{"".join(told)}</dl>'


def _table(head: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]]) -> str:
    """Each column with its name and how its cells are shown: one of style.py's, or `tag`."""
    names = "".join(f"<th>{name}</th>" for name, _kind in head)
    lines = (
        "".join(_cell(cell, kind) for cell, (_name, kind) in zip(row, head, strict=True)) for row in rows
    )
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide"><table><thead><tr>{names}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def _cell(text: str, kind: str) -> str:
    if kind == "tag" and text in _TAGS:
        return f'<td><span class="tag {_TAGS[text]}">{_said(text)}</span></td>'
    return f'<td class="{kind}">{_said(text)}</td>' if kind in _SHOWN else f"<td>{_said(text)}</td>"
