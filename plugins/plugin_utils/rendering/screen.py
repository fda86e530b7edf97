# SPDX-License-Identifier: GPL-3.0-or-later
"""The view for a terminal: the same events, laid out for eyes at 3 in the morning.

Every function returns whole lines as rich texts, wrapped to the width but for commands, which must stay
in one piece to be copied. Only the terminal's own sixteen colours are used, so that any theme works; and
no colour says anything that a word does not say too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from ansible_collections.firebreak.incident.plugins.module_utils.quantities import speak_count

from . import model
from .command import Launcher
from .model import Begun, Closing, Header, Step
from .report import verdict_word
from .text import clean, duration, listing

try:
    from rich.cells import cell_len
    from rich.console import Console
    from rich.text import Text
except ImportError:
    # Missing, or too old: the callback asks before it comes here.
    HAS_RICH = False
else:
    HAS_RICH = True

WIDEST = 110
INDENT = 4
LABEL = 11
BODY = INDENT + LABEL + 2
STATE = 15

FAINT, STRONG = "dim", "bold"
STYLES = {
    "critical": "bold red",
    "warning": "bold yellow",
    "notice": "bold cyan",
    "planned": "cyan",
    "done": "green",
    "refused": "magenta",
    "failed": "bold red",
    "unreachable": "bold red",
    "unseen": "bold yellow",
    "rescued": "yellow",
    "ignored": "yellow",
    "resolved": "bold green",
    "improved": "bold yellow",
    "unchanged": "bold red",
    "worse": "bold red",
    "not_needed": "green",
    "clear": "green",
    "changed": "green",
    "ok": "green",
    "skipped": FAINT,
}
MARKS = {
    "ok": "✓",
    "changed": "●",
    "failed": "✗",
    "unreachable": "✗",
    "rescued": "↺",
    "ignored": "!",
    "skipped": "·",
}
# The kernel's own console has no glyphs for these.
ASCII_MARKS = {
    "ok": "+",
    "changed": "*",
    "failed": "x",
    "unreachable": "x",
    "rescued": "r",
    "ignored": "!",
    "skipped": "-",
}


@cache
def _wrapper() -> Console:
    return Console(width=WIDEST, color_system=None)


@dataclass(frozen=True)
class Screen:
    """A terminal `width` columns wide."""

    width: int
    ascii_only: bool = False

    @property
    def columns(self) -> int:
        return max(40, min(self.width, WIDEST) - 1)

    def header(self, header: Header) -> list[Text]:
        title = Text().append("firebreak ", style=FAINT).append(clean(header.playbook), style=STRONG)
        if header.check_mode:
            title.append("  check mode", style="bold cyan")
        about = f"{header.started:%Y-%m-%d %H:%M:%S} UTC  {speak_count(len(header.hosts), 'host')}"
        if header.hosts:
            about += f": {listing(header.hosts)}"
        return [Text(), *self._block(title, 2), *self._block(Text(about, style=FAINT), 2)]

    def begun(self, begun: Begun) -> list[Text]:
        incident = f"  incident {clean(begun.incident)}" if begun.incident else ""
        line = Text().append(f"run {clean(begun.run)}{incident}  ", style=FAINT)
        line.append(begun.mode, style=STRONG if begun.changes and not begun.check_mode else FAINT)
        return [*self._block(line, 2), Text()]

    def play(self, name: str) -> list[Text]:
        return [Text(), *self._block(Text(clean(name), style=STRONG), 2)]

    def step(self, step: Step, launcher: Launcher, everything: bool = False) -> list[Text]:
        details = [
            *self._acts(step, everything),
            *self._verdicts(step),
            *self._findings(step, launcher),
            *self._failures(step),
            *self._texts(step),
        ]
        return [*self._step_line(step), *details, *([Text()] if details else [])]

    def closing(self, closing: Closing) -> list[Text]:
        """A line for each host and each thing in common: the whole sentences stand above."""
        lines = [Text(), self._rule()]
        names = max((cell_len(clean(row.host)) for row in closing.rows), default=0)
        names = min(names, self.columns // 3)
        for row in closing.rows:
            host = Text(clean(row.host), style=STRONG)
            host.truncate(names, overflow="ellipsis", pad=True)
            line = Text("  ").append_text(host).append("  ").append(row.word, style=STYLES.get(row.state, ""))
            line.pad_right(max(2, 2 + names + 2 + STATE - line.cell_len))
            line.append(row.progress + "  " if row.progress else "").append(clean(row.text), style=FAINT)
            lines.append(self._cut(line))
        if closing.common:
            lines.append(Text())
            lines += [self._cut(Text("  " + clean(sentence))) for sentence in closing.common]
        if closing.next:
            lines += [Text(), Text("  next", style=FAINT)]
            lines += [self._command(command, 2) for command in closing.next]
        return [*lines, Text(), *self._block(self._end(closing), 2), Text()]

    def notice(self, text: str) -> list[Text]:
        return self._block(Text(clean(text), style="bold yellow"), 2)

    def live(self, text: str, seconds: float, tick: int) -> str:
        """The one line that says what is going on, as wide as fits."""
        frames = "|/-\\" if self.ascii_only else "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
        right = duration(seconds)
        line = Text(clean(text))
        line.truncate(self.columns - 6 - len(right), overflow="ellipsis")
        return f"  {frames[tick % len(frames)]} {line.plain}  {right}"

    def _end(self, closing: Closing) -> Text:
        end = Text(
            f"{'interrupted' if closing.interrupted else 'finished'} after {duration(closing.seconds)}",
            style="bold yellow" if closing.interrupted else FAINT,
        )
        if closing.check_mode:
            end.append("  check mode: nothing was changed")
        return end

    def _step_line(self, step: Step) -> list[Text]:
        marks = ASCII_MARKS if self.ascii_only else MARKS
        left = Text("  ").append(marks[step.status], style=STYLES[step.status]).append(" ")
        name = Text(clean(step.title), style=FAINT if step.status == "skipped" else "")
        tally_style = FAINT if step.status in ("ok", "skipped") else STYLES[step.status]
        right = Text().append(step.tally, style=tally_style)
        right.append(f"{duration(step.seconds):>9}", style=FAINT)
        lines = self._block(name, INDENT, left, self.columns - right.cell_len - 2)
        lines[0].pad_right(max(2, self.columns - lines[0].cell_len - right.cell_len))
        lines[0].append_text(right)
        return lines

    def _acts(self, step: Step, everything: bool) -> list[Text]:
        groups, left_out = model.acts(step, everything)
        lines: list[Text] = []
        for group in groups:
            act = group.act
            what = self._where(step, group.hosts)
            what.append(f"{clean(act.action)} ", style=FAINT)
            what.append(group.targets_phrase(everything), style=STRONG)
            lines += self._labelled(act.status, act.status, what)
            why = Text(clean(act.reason))
            why.append(f"  {group.consequence}" if group.consequence else "", style=FAINT)
            lines += self._block(why, BODY)
        if left_out:
            lines += self._block(
                Text(f"and {speak_count(left_out, 'more act')}; --diff shows every one", FAINT), BODY
            )
        return lines

    def _verdicts(self, step: Step) -> list[Text]:
        lines: list[Text] = []
        for hosts, verdict in model.verdicts(step):
            where = Text(listing(hosts), style=STRONG) if step.names_hosts else Text("measured again", FAINT)
            if verdict in ("planned", "not_needed") and not step.names_hosts:
                where = Text("nothing was changed", FAINT)
            lines += self._labelled(verdict_word(verdict), verdict, where)
        return lines

    def _findings(self, step: Step, launcher: Launcher) -> list[Text]:
        lines: list[Text] = []
        for hosts, finding in model.findings(step):
            subject = clean(finding.subject)
            head = self._where(step, hosts).append(subject, style=STRONG)
            lines += self._labelled(finding.level, finding.level, head)
            lines += self._block(Text(clean(finding.summary)), BODY)
            if command := launcher.remedy(finding.remedy, hosts):
                lines.append(self._command(command, BODY))
        return lines

    def _failures(self, step: Step) -> list[Text]:
        lines: list[Text] = []
        for hosts, (status, label, failure) in model.failures(step):
            where = self._where(step, hosts)
            if label:
                where.append(f"{clean(label)}: ", style=FAINT)
            first, *others = failure.lines
            lines += self._labelled(status, status, where.append(first))
            for line in others:
                lines += self._block(Text(line), BODY)
            if status == model.RESCUED:
                lines += self._block(Text("the playbook deals with it in its rescue steps", FAINT), BODY)
            elif failure.cure:
                lines += self._block(Text(failure.cure, STRONG), BODY)
        return lines

    def _texts(self, step: Step) -> list[Text]:
        lines: list[Text] = []
        for hosts, notes in model.texts(step, lambda outcome: outcome.notes):
            for note in notes:
                lines += self._block(self._where(step, hosts).append(note), INDENT)
        for hosts, warnings in model.texts(step, lambda outcome: outcome.warnings):
            for warning in warnings:
                lines += self._labelled("ansible", "warning", self._where(step, hosts).append(warning))
        for hosts, diff in model.texts(step, lambda outcome: outcome.diff):
            if step.names_hosts:
                lines += self._block(Text(listing(hosts), STRONG), INDENT)
            lines += [Text(" " * INDENT).append(line, style=_diff_style(line)) for line in diff]
        for hosts, dump in model.texts(step, lambda outcome: outcome.dump):
            lines += self._block(Text(listing(hosts), STRONG), INDENT)
            lines += [Text(" " * INDENT).append(line, style=FAINT) for line in dump]
        return lines

    def _where(self, step: Step, hosts: Sequence[str]) -> Text:
        """The hosts as a prefix, unless there is only one in the play."""
        return Text().append(f"{listing(hosts)}  ", STRONG) if step.names_hosts else Text()

    def _labelled(self, label: str, style: str, body: Text) -> list[Text]:
        left = Text(" " * INDENT).append(label, style=STYLES.get(style, ""))
        left.pad_right(max(1, BODY - left.cell_len))
        return self._block(body, BODY, left)

    def _block(self, body: Text, indent: int, left: Text | None = None, columns: int = 0) -> list[Text]:
        """`body` wrapped with a hanging indent; `left` stands before its first line."""
        width = max(20, (columns or self.columns) - indent)
        wrapped = list(body.wrap(_wrapper(), width)) or [Text()]
        for line in wrapped:
            line.rstrip()
        margin = Text(" " * indent)
        return [(left or margin) + wrapped[0], *(margin + line for line in wrapped[1:])]

    def _command(self, command: str, indent: int) -> Text:
        """Never wrapped, so that it can be copied; moved to the left where that keeps it on one line."""
        indent = max(2, min(indent, self.columns - len(command)))
        return Text(" " * indent).append(command, style="bold")

    def _cut(self, line: Text) -> Text:
        line.rstrip()
        line.truncate(self.columns, overflow="ellipsis")
        return line

    def _rule(self) -> Text:
        return Text("  " + ("-" if self.ascii_only else "─") * (self.columns - 2), style=FAINT)


def _diff_style(line: str) -> str:
    if line.startswith("+"):
        return "green"
    if line.startswith("-"):
        return "red"
    return FAINT
