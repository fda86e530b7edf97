# SPDX-License-Identifier: GPL-3.0-or-later
"""A summary as text for a job's output, and as Markdown for a file."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import speak_count

from ..summary import STATES, HostState, Run, Summary
from .text import clean, markdown

STATE_WORDS = {"clear": "nothing found", "unseen": "not looked at"}
VERDICT_WORDS = {"not_needed": "not needed"}


def state_word(state: HostState) -> str:
    """A host without findings is called by its verdict, when there is one."""
    if state.state == "clear" and state.verdicts:
        return verdict_word(state.verdicts[-1])
    return STATE_WORDS.get(state.state, state.state)


def verdict_word(verdict: str) -> str:
    return VERDICT_WORDS.get(verdict, clean(verdict))


def acts_phrase(state: HostState) -> str:
    """`2 done, 1 refused`."""
    statuses = ("planned", "done", "refused", "failed")
    return ", ".join(f"{state.acts[status]} {status}" for status in statuses if state.acts.get(status))


def progress(state: HostState) -> str:
    """What was done about it: verdicts, unless they are the state's word already, and acts."""
    verdicts = [verdict_word(verdict) for verdict in state.verdicts]
    said = [word for word in verdicts if word != state_word(state)]
    return "; ".join(filter(None, [", ".join(said), acts_phrase(state)]))


def headline(summary: Summary) -> str:
    """`5 hosts: 1 unreachable, 2 critical, 2 nothing found`."""
    worst_first = sorted(summary.hosts.values(), key=lambda state: STATES.index(state.state))
    words = Counter(map(state_word, worst_first))
    return (
        f"{speak_count(len(summary.hosts), 'host')}: {', '.join(f'{n} {word}' for word, n in words.items())}"
    )


def as_text(summary: Summary) -> str:
    """Plain lines, so that whatever shows the message of a task shows all of it."""
    lines = [headline(summary), ""]
    for host, state in summary.hosts.items():
        done = progress(state)
        lines.append(
            f"{clean(host)}: {state_word(state)}"
            + (f": {clean(state.message)}" if state.message else "")
            + (f" ({done})" if done else "")
        )
    if summary.findings:
        lines += ["", "What is wrong, the worst first:"]
        lines += [
            f"{each.finding.level} {clean(each.host)}: "
            f"{clean(each.finding.subject)}: {clean(each.finding.summary)}"
            for each in summary.findings
        ]
    if summary.common:
        lines += ["", "On several hosts:", *map(clean, summary.common)]
    if summary.next:
        lines += ["", "What to type next:", *summary.next]
    return "\n".join(lines)


def as_markdown(summary: Summary, run: Run, now: datetime) -> str:
    title = f"{run.playbook or 'Run'}: {headline(summary)}"
    mode = ", check mode: nothing was changed" if run.check_mode else ""
    lines = [f"# {markdown(title)}", "", f"{iso(now)}, run {markdown(run.id or 'unknown')}{mode}", ""]
    lines += ["| Host | State | Done | Worst |", "|---|---|---|---|"]
    for host, state in summary.hosts.items():
        cells = (host, state_word(state), progress(state), state.message)
        lines.append(f"| {' | '.join(markdown(cell) for cell in cells)} |")
    if summary.findings:
        lines += ["", "## What is wrong", ""]
        lines += [
            f"- **{each.finding.level}** {markdown(each.host)}, {markdown(each.finding.subject)}: "
            f"{markdown(each.finding.summary)} ({markdown(each.finding.id)})"
            for each in summary.findings
        ]
    if summary.common:
        lines += ["", "## On several hosts", "", *(f"- {markdown(sentence)}" for sentence in summary.common)]
    if summary.next:
        # Indented, not fenced: no input can end such a block.
        lines += ["", "## What to type next", "", *(f"    {command}" for command in summary.next)]
    return "\n".join(lines) + "\n"
