# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened, as values: the plain and the coloured view show the same ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from ansible_collections.firebreak.incident.plugins.module_utils.finding import LEVELS, Finding
from ansible_collections.firebreak.incident.plugins.module_utils.plan import DONE, PLANNED, REFUSED, Act
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import speak_count

from .contract import Report
from .failure import Failure
from .text import clean, listing

OK, CHANGED, SKIPPED = "ok", "changed", "skipped"
# A rescued failure is dealt with by the play itself, an ignored one was expected by its author.
FAILED, UNREACHABLE, RESCUED, IGNORED = "failed", "unreachable", "rescued", "ignored"
STATUSES = (UNREACHABLE, FAILED, RESCUED, IGNORED, CHANGED, OK, SKIPPED)
MOST_TARGETS = 5
MOST_ACTS = 12

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Header:
    playbook: str
    started: datetime
    hosts: Sequence[str]
    check_mode: bool


@dataclass(frozen=True)
class Begun:
    """What the first step of a playbook says about the run."""

    run: str
    incident: str | None
    changes: bool
    check_mode: bool
    max_risk: str | None

    @property
    def mode(self) -> str:
        if not self.changes:
            return "looks, changes nothing"
        if self.check_mode:
            return "check mode: shows the plan, changes nothing"
        return "makes changes" + (f", up to {self.max_risk}" if self.max_risk else "")


@dataclass(frozen=True)
class Outcome:
    """How one step ended on one host.

    `failures` has one entry for the task or one for each failed item of a loop, with the item's label;
    `notes` are messages of a step that went well, `dump` is the raw result where verbosity asks for it.
    """

    host: str
    status: str
    reports: Sequence[Report] = ()
    failures: Sequence[tuple[str, Failure]] = ()
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()
    diff: Sequence[str] = ()
    dump: Sequence[str] = ()


@dataclass
class Step:
    """A task, on all its hosts. Times are monotonic seconds; `via` is where it ran when not on the host."""

    name: str
    started: float
    hosts_in_play: int
    named: bool = True
    handler: bool = False
    once: bool = False
    check_mode: bool = False
    via: str = ""
    attempt: str = ""
    interactive: bool = False
    ended: float = 0.0
    running: set[str] = field(default_factory=set)
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return max(0.0, self.ended - self.started)

    @property
    def title(self) -> str:
        return f"{self.name}{f' (on {self.via})' if self.via else ''}{' (handler)' if self.handler else ''}"

    @property
    def live(self) -> str:
        """What is going on: the name, how far it is, and who is awaited."""
        waiting = f"waiting for {listing(sorted(self.running), 3)}"
        if self.hosts_in_play == 1 or self.once:
            about = ""
        elif self.outcomes:
            together = speak_count(len(self.outcomes) + len(self.running), "host")
            about = f"{len(self.outcomes)} of {together}, {waiting}"
        else:
            about = speak_count(len(self.running), "host")
        return "  ".join(filter(None, [self.title, about, self.attempt]))

    @property
    def status(self) -> str:
        """The worst of all hosts; changed when a host was changed."""
        return min((outcome.status for outcome in self.outcomes), key=STATUSES.index, default=OK)

    @property
    def tally(self) -> str:
        """`5 hosts`, or `3 ok, 1 changed, 1 failed` when they differ; nothing when there is only one."""
        counts = Counter(outcome.status for outcome in self.outcomes)
        if self.once or self.hosts_in_play == 1:
            return "" if counts.keys() <= {OK} else self._word(self.status)
        hosts = self.outcomes[0].host if len(self.outcomes) == 1 else speak_count(len(self.outcomes), "host")
        if counts.keys() == {OK}:
            return hosts
        if len(counts) == 1:
            return f"{hosts} {self._word(self.status)}"
        return ", ".join(
            f"{counts[status]} {self._word(status)}" for status in reversed(STATUSES) if counts[status]
        )

    def _word(self, status: str) -> str:
        return "would change" if status == CHANGED and self.check_mode else status

    @property
    def has_news(self) -> bool:
        """Whether there is more to say than that it went well."""
        return any(
            outcome.status not in (OK, SKIPPED)
            or any(report.findings or report.acts for report in outcome.reports)
            or outcome.notes
            or outcome.warnings
            for outcome in self.outcomes
        )

    @property
    def names_hosts(self) -> bool:
        return self.hosts_in_play > 1


@dataclass(frozen=True)
class ActGroup:
    """Acts that say the same about several targets, and on several hosts."""

    hosts: list[str]
    act: Act
    targets: tuple[str, ...]

    def says_the_same(self, other: ActGroup) -> bool:
        return (
            self.targets == other.targets
            and self.act.action == other.act.action
            and self.act.status == other.act.status
            and self.act.risk == other.act.risk
            and self.act.reason == other.act.reason
        )

    @property
    def consequence(self) -> str:
        """What an act costs and how it is taken back; nothing for one that will not be done."""
        if self.act.status not in (PLANNED, DONE):
            return ""
        return f"undo: {clean(self.act.undo.action)}" if self.act.undo else self.act.risk

    def targets_phrase(self, everything: bool) -> str:
        if everything or len(self.targets) <= MOST_TARGETS + 1:
            return ", ".join(map(clean, self.targets))
        return listing(self.targets, MOST_TARGETS)


def findings(step: Step) -> list[tuple[list[str], Finding]]:
    """The worst first; one that several hosts share word for word comes once, with all of them.

    The hosts stand beside it, so ` on <host>` is taken off the end of the subject.
    """
    located = [
        (outcome.host, replace(finding, subject=finding.subject.removesuffix(f" on {outcome.host}")))
        for outcome in step.outcomes
        for report in outcome.reports
        for finding in report.findings
    ]
    groups = _grouped(located, lambda f: (f.id, f.level, f.subject, f.summary, repr(f.remedy)))
    return sorted(groups, key=lambda group: LEVELS.index(group[1].level))


def acts(step: Step, everything: bool) -> tuple[list[ActGroup], int]:
    """The acts in their order and the number of those left out; what was refused is never left out."""
    groups: list[ActGroup] = []
    for outcome in step.outcomes:
        merged: dict[Hashable, list[Act]] = {}
        for report in outcome.reports:
            for act in report.acts:
                merged.setdefault((act.action, act.status, act.risk, act.reason), []).append(act)
        for same in merged.values():
            group = ActGroup([outcome.host], same[0], tuple(act.target for act in same))
            twin = next((other for other in groups if other.says_the_same(group)), None)
            if twin is None:
                groups.append(group)
            else:
                twin.hosts.append(outcome.host)
    if everything or len(groups) <= MOST_ACTS + 1:
        return groups, 0
    shown = [group for index, group in enumerate(groups) if index < MOST_ACTS or group.act.status == REFUSED]
    return shown, sum(len(group.targets) * len(group.hosts) for group in groups if group not in shown)


def verdicts(step: Step) -> list[tuple[list[str], str]]:
    located = [
        (outcome.host, report.verdict)
        for outcome in step.outcomes
        for report in outcome.reports
        if report.verdict
    ]
    return _grouped(located, lambda verdict: verdict)


def failures(step: Step) -> list[tuple[list[str], tuple[str, str, Failure]]]:
    """Hosts, then status, the item of the loop (or nothing) and what is wrong."""
    located = [
        (outcome.host, (outcome.status, label, failure))
        for outcome in step.outcomes
        for label, failure in outcome.failures
    ]
    return _grouped(located, lambda entry: entry)


def texts(step: Step, choose: Callable[[Outcome], Sequence[str]]) -> list[tuple[list[str], tuple[str, ...]]]:
    """Warnings, notes or diffs; hosts with the same words share them."""
    located = [(outcome.host, tuple(choose(outcome))) for outcome in step.outcomes if choose(outcome)]
    return _grouped(located, lambda entry: entry)


def _grouped(
    located: Iterable[tuple[str, Entry]], key: Callable[[Entry], Hashable]
) -> list[tuple[list[str], Entry]]:
    groups: dict[Hashable, tuple[list[str], Entry]] = {}
    for host, entry in located:
        hosts = groups.setdefault(key(entry), ([], entry))[0]
        if host not in hosts:
            hosts.append(host)
    return list(groups.values())


@dataclass(frozen=True)
class Row:
    """One host in the closing table: its state as key and word, what was done, what is the worst."""

    host: str
    state: str
    word: str
    progress: str
    text: str


@dataclass(frozen=True)
class Closing:
    rows: Sequence[Row]
    common: Sequence[str]
    next: Sequence[str]
    seconds: float
    check_mode: bool
    interrupted: bool = False
