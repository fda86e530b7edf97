# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline as one inline SVG: phases as bands against their deadlines, the rest as marks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from ansible_collections.firebreak.incident.plugins.module_utils.moments import parse_iso

from ..rendering.text import clean
from . import lines as sorts
from . import words
from .account import Account
from .lines import Line
from .scale import Scale

WIDTH, LEFT, RIGHT = 1000.0, 92.0, 984.0
BAND, LANE = 30.0, 30.0
# Marks that are closer than this are drawn as one with their number.
NEAR = 13.0
LETTER = 6.2
LANES: Sequence[tuple[str, Sequence[str]]] = (
    ("People", (sorts.PHASE, sorts.DECISION, sorts.NOTED)),
    ("Messages", (sorts.MESSAGE,)),
    ("Runs", (sorts.RUN,)),
    ("Found", (sorts.FINDING, sorts.MEASURED)),
    ("Acts", (sorts.ACT, sorts.REFUSAL)),
    ("Failures", (sorts.FAILURE,)),
)
_SHAPES: Mapping[str, str] = {
    sorts.PHASE: "M-5-5h10v10h-10z",
    sorts.DECISION: "M0-6L6 0L0 6L-6 0z",
    sorts.NOTED: "M-4-4h8v8h-8z",
    sorts.MESSAGE: "M-6-4h12v8h-12z",
    sorts.RUN: "M-4-6L6 0L-4 6z",
    sorts.FINDING: "M0-6L6 5H-6z",
    sorts.MEASURED: "M-6 0L-2 4L6-5L5-6L-2 1L-5-1z",
    sorts.ACT: "M-5 0A5 5 0 1 1 5 0A5 5 0 1 1-5 0z",
    sorts.REFUSAL: "M-6-2.5h12v5h-12z",
    sorts.FAILURE: "M-5-3L-3-5L0-2L3-5L5-3L2 0L5 3L3 5L0 2L-3 5L-5 3L-2 0z",
}


@dataclass
class _Mark:
    x: float
    lines: list[Line]


def drawing(told: Account) -> str:
    """Nothing in it comes from an event unescaped; titles are shown where a pointer rests."""
    end = told.end
    due = [(phase.due, phase.name, phase.late) for phase in told.phases if phase.due and phase.due <= end]
    moments = [told.detected, end, *(line.time for line in told.lines), *(time for time, *_rest in due)]
    scale = Scale.over([_seconds(moment) for moment in moments], LEFT, RIGHT)
    used = [lane for lane in LANES if any(line.sort in lane[1] for line in told.lines)]
    labels = list(_deadlines(scale, due))
    top = 14.0 * (1 + max((row for *_rest, row in labels), default=-1)) + 8
    foot = top + BAND + 10 + LANE * len(used)
    parts = [
        *_grid(scale, top, foot),
        *_bands(told, scale, top),
        *(part for number, lane in enumerate(used) for part in _lane(told, scale, top, number, lane)),
        *_due(labels, top, foot),
    ]
    said = f"Timeline with {len(told.lines)} events; the table below has them all"
    return (
        f'<svg class="timeline" viewBox="0 0 {WIDTH:.0f} {foot + 26:.0f}" role="img" '
        f'aria-label="{said}">{"".join(parts)}</svg>'
    )


def legend(told: Account) -> str:
    """The shapes that the drawing uses."""
    used = [sort for sort in _SHAPES if any(line.sort == sort for line in told.lines)]
    names = {sorts.MEASURED: "measured again", sorts.NOTED: "note or update", sorts.REFUSAL: "refused act"}
    shown = [(sort, names.get(sort, sort)) for sort in used]
    undone = [(f"{sorts.ACT} undone", "undone act")] if any(line.undone for line in told.lines) else []
    late = [(f"{sorts.MESSAGE} late", "late message")] if any(line.late for line in told.lines) else []
    return "".join(
        f'<span><svg viewBox="-8 -8 16 16" width="14" height="14"><path class="mark {kind}" '
        f'd="{_SHAPES[kind.partition(" ")[0]]}"/></svg> {name}</span>'
        for kind, name in [*shown, *undone, *late]
    )


def _box(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def _seconds(time: str) -> float:
    return parse_iso(time).timestamp()


def _grid(scale: Scale, top: float, foot: float) -> Iterator[str]:
    for tick in scale.ticks():
        yield f'<path class="grid" d="M{tick.x:.1f} {top:.1f}V{foot + 4:.1f}"/>'
        x = min(tick.x, RIGHT - len(tick.label) * LETTER / 2)
        yield f'<text class="tick" x="{x:.1f}" y="{foot + 18:.1f}">{tick.label}</text>'
    for begin, end in scale.breaks:
        left, right = scale.x(begin), scale.x(end)
        yield _box("pause", left, top + BAND, right - left, foot - top - BAND)
        took, middle = words.spoken(end - begin), (left + right) / 2
        yield f'<text class="tick" x="{middle:.1f}" y="{top + BAND + 12:.1f}">{took}</text>'


def _bands(told: Account, scale: Scale, top: float) -> Iterator[str]:
    yield f'<text class="lane" x="{LEFT - 10}" y="{top + BAND / 2 + 4:.1f}">Phase</text>'
    lines = [scale.x(_seconds(phase.due)) for phase in told.phases if phase.due]
    for band in told.bands:
        left, right = scale.x(_seconds(band.begin)), scale.x(_seconds(band.end))
        took = words.spoken(_seconds(band.end) - _seconds(band.begin))
        yield f"<g><title>{band.phase}: {took}, from {words.clock(band.begin)} UTC</title>"
        yield _box(f"band {band.phase}", left, top, max(right - left, 1.5), BAND)
        # The label lies where no deadline crosses it.
        edges = [left, *sorted(x for x in lines if left < x < right), right]
        width, middle = max((end - begin, (begin + end) / 2) for begin, end in pairwise(edges))
        for label in (f"{band.phase}, {took}", band.phase):
            if len(label) * LETTER + 8 < width:
                yield f'<text class="phase" x="{middle:.1f}" y="{top + BAND / 2 + 4:.1f}">{label}</text>'
                break
        yield "</g>"


def _lane(
    told: Account, scale: Scale, top: float, number: int, lane: tuple[str, Sequence[str]]
) -> Iterator[str]:
    name, kinds = lane
    y = top + BAND + 10 + LANE * number + LANE / 2
    yield f'<path class="line" d="M{LEFT} {y:.1f}H{RIGHT}"/>'
    yield f'<text class="lane" x="{LEFT - 10}" y="{y + 4:.1f}">{name}</text>'
    for mark in _marks([line for line in told.lines if line.sort in kinds], scale):
        worst = max(mark.lines, key=lambda line: (line.late, line.sort in (sorts.REFUSAL, sorts.FINDING)))
        more = (
            f"{' late' if worst.late else ''}{' undone' if all(line.undone for line in mark.lines) else ''}"
        )
        yield f'<g transform="translate({mark.x:.1f} {y:.1f})"><title>{_title(mark.lines)}</title>'
        yield f'<path class="mark {worst.sort}{more}" d="{_SHAPES[worst.sort]}"/>'
        if len(mark.lines) > 1:
            yield f'<text class="count" y="-8">{len(mark.lines)}</text>'
        yield "</g>"


def _marks(lines: Sequence[Line], scale: Scale) -> list[_Mark]:
    marks: list[_Mark] = []
    for line in lines:
        x = scale.x(_seconds(line.time))
        if marks and x - marks[-1].x < NEAR:
            marks[-1].lines.append(line)
        else:
            marks.append(_Mark(x, [line]))
    return marks


def _title(lines: Sequence[Line]) -> str:
    shown = [f"{words.clock(line.time)} {line.host} {words.line_text(line)}" for line in lines[:8]]
    shown += [f"and {len(lines) - 8} more"] if len(lines) > 8 else []
    return escape("\n".join(clean(line)[:200] for line in shown))


def _deadlines(
    scale: Scale, due: Sequence[tuple[str, str, bool]]
) -> Iterator[tuple[float, str, bool, str, int]]:
    """Where, what, whether missed, on which side of its line the label is, and in which row above."""
    rows: list[float] = []
    for time in sorted({time for time, *_rest in due}):
        names = [name for each, name, _late in due if each == time]
        late = any(missed for each, _name, missed in due if each == time)
        x, label = scale.x(_seconds(time)), f"due: {', '.join(names)}"
        width = len(label) * LETTER + 8
        side = "end" if x + width > RIGHT else "start"
        left = x - width if side == "end" else x
        row = next((number for number, taken in enumerate(rows) if taken < left), len(rows))
        rows[row : row + 1] = [left + width]
        yield x, label, late, side, row


def _due(labels: Sequence[tuple[float, str, bool, str, int]], top: float, foot: float) -> Iterator[str]:
    for x, label, late, side, row in labels:
        y = top - 8 - 14 * row
        kind = "due missed" if late else "due"
        yield f'<path class="{kind}" d="M{x:.1f} {y - 9:.1f}V{foot:.1f}"/>'
        shift = -4 if side == "end" else 4
        yield f'<text class="{kind}" text-anchor="{side}" x="{x + shift:.1f}" y="{y:.1f}">{label}</text>'
