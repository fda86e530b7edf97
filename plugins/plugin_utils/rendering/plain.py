# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain view, for logs and pipes: one event a line, no colour, no padding, nothing to wait for."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import speak_count

from . import model
from .command import Launcher
from .model import Begun, Closing, Header, Step
from .report import verdict_word
from .text import clean, duration, listing


class Plain:
    """A `View` without a terminal."""

    def header(self, header: Header) -> str:
        mode = ", check mode" if header.check_mode else ""
        hosts = (
            f"{speak_count(len(header.hosts), 'host')} ({listing(header.hosts)})"
            if header.hosts
            else "no hosts"
        )
        return f"firebreak {clean(header.playbook)}: {hosts}, started {iso(header.started)}{mode}"

    def begun(self, begun: Begun) -> str:
        incident = f", incident {clean(begun.incident)}" if begun.incident else ""
        return f"run {clean(begun.run)}{incident}: {begun.mode}"

    def play(self, name: str) -> str:
        return f"play: {clean(name)}"

    def step(self, step: Step, launcher: Launcher, everything: bool) -> str:
        tally = "" if step.tally == step.status else step.tally
        after = ", ".join(filter(None, [tally, duration(step.seconds)]))
        lines = [
            f"{step.status}: {clean(step.title)} ({after})",
            *_acts(step, everything),
            *(
                f"verdict: {listing(hosts)}: {verdict_word(verdict)}"
                for hosts, verdict in model.verdicts(step)
            ),
            *_findings(step, launcher),
            *_failures(step),
            *_texts(step),
        ]
        return "\n".join(lines)

    def closing(self, closing: Closing) -> str:
        lines = [
            "; ".join(filter(None, [f"host {clean(row.host)}: {row.word}", row.progress, clean(row.text)]))
            for row in closing.rows
        ]
        lines += [f"common: {clean(sentence)}" for sentence in closing.common]
        lines += [f"next: {command}" for command in closing.next]
        end = "interrupted" if closing.interrupted else "finished"
        mode = ", check mode: nothing was changed" if closing.check_mode else ""
        return "\n".join([*lines, f"{end} after {duration(closing.seconds)}{mode}"])

    def notice(self, text: str) -> str:
        return clean(text)


def _acts(step: Step, everything: bool) -> Iterator[str]:
    groups, left_out = model.acts(step, everything)
    for group in groups:
        act = group.act
        consequence = f" ({group.consequence})" if group.consequence else ""
        yield (
            f"{act.status}: {listing(group.hosts)}: {clean(act.action)} {group.targets_phrase(everything)}: "
            f"{clean(act.reason)}{consequence}"
        )
    if left_out:
        yield f"and {speak_count(left_out, 'more act')}; --diff shows every one"


def _findings(step: Step, launcher: Launcher) -> Iterator[str]:
    for hosts, finding in model.findings(step):
        line = (
            f"{finding.level}: {listing(hosts)}: {clean(finding.subject)}: {clean(finding.summary)} "
            f"[{clean(finding.id)}]"
        )
        command = launcher.remedy(finding.remedy, hosts)
        yield f"{line}; remedy: {command}" if command else line


def _failures(step: Step) -> Iterator[str]:
    for hosts, (status, label, failure) in model.failures(step):
        item = f" [{label}]" if label else ""
        stop = "" if failure.sentence.endswith((".", "!", "?")) or not failure.cure else "."
        yield f"{status}: {listing(hosts)}{item}: {failure.sentence}{stop} {failure.cure}".rstrip()


def _texts(step: Step) -> Iterator[str]:
    for hosts, notes in model.texts(step, lambda outcome: outcome.notes):
        yield from (f"note: {listing(hosts)}: {note}" for note in notes)
    for hosts, warnings in model.texts(step, lambda outcome: outcome.warnings):
        yield from (f"ansible warns: {listing(hosts)}: {warning}" for warning in warnings)
    for hosts, diff in model.texts(step, lambda outcome: outcome.diff):
        yield f"diff: {listing(hosts)}:"
        yield from diff
    for hosts, dump in model.texts(step, lambda outcome: outcome.dump):
        yield f"result: {listing(hosts)}:"
        yield from dump
