# SPDX-License-Identifier: GPL-3.0-or-later
"""What a whole run says about every host of the play, and what to type next.

The action plugin `summary` and the callback both end with this. A host that could not be seen is never
said to be well.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.finding import (
    LEVELS,
    NOTICE,
    Finding,
    Remedy,
)
from ansible_collections.firebreak.incident.plugins.module_utils.plan import DONE, PLANNED, Act

from .rendering.command import Launcher
from .rendering.contract import Report
from .rendering.contract import reports as read_reports
from .rendering.failure import failed, unreachable
from .rendering.text import listing

UNREACHABLE, BROKEN, UNSEEN, CLEAR = "unreachable", "failed", "unseen", "clear"
# The worst first: not to know is worse than a known critical finding.
STATES = (UNREACHABLE, BROKEN, UNSEEN, *LEVELS, CLEAR)
_NOT_BETTER = frozenset({"improved", "unchanged", "worse"})
_TRIAGE, _UNDO = "triage", "undo"


@dataclass(frozen=True)
class Run:
    """The run that is being summed up; `inputs` are those that a person gave."""

    id: str | None = None
    playbook: str | None = None
    check_mode: bool = False
    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """What was learned of one host. `lost` is `unreachable` or `failed`, with the message."""

    reports: Sequence[Report] = ()
    lost: str | None = None
    message: str = ""


@dataclass(frozen=True)
class HostState:
    """`state` is one of STATES, `level` that of the worst finding, `acts` counts by status."""

    state: str
    level: str | None
    message: str
    verdicts: tuple[str, ...]
    acts: Mapping[str, int]


@dataclass(frozen=True)
class Located:
    host: str
    finding: Finding


@dataclass(frozen=True)
class Summary:
    findings: tuple[Located, ...]
    common: tuple[str, ...]
    hosts: Mapping[str, HostState]
    next: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "findings": [{"host": each.host, **each.finding.as_dict()} for each in self.findings],
            "common": list(self.common),
            "hosts": {
                host: {**asdict(state), "verdicts": list(state.verdicts)}
                for host, state in self.hosts.items()
            },
            "next": list(self.next),
        }


def see(results: Sequence[Mapping[str, Any]], still_in_play: bool) -> Seen:
    """One host from its registered results, in the order of the steps."""
    reports = tuple(report for result in results for report in read_reports(result))
    for result in results:
        if result.get("unreachable"):
            return Seen(reports, UNREACHABLE, unreachable(result).sentence)
        if result.get("failed"):
            return Seen(reports, BROKEN, failed(result).sentence)
    if not still_in_play:
        return Seen(reports, BROKEN, "an earlier step failed on it or did not reach it")
    return Seen(reports)


def summarise(seen: Mapping[str, Seen], run: Run, launcher: Launcher) -> Summary:
    """`seen` has every host of the play, in its order."""
    standing = {host: _standing(each.reports, run.playbook) for host, each in seen.items()}
    findings = [Located(host, finding) for host, found in standing.items() for finding in found]
    findings.sort(key=lambda each: LEVELS.index(each.finding.level))
    return Summary(
        findings=tuple(findings),
        common=tuple(_common(findings, len(seen))),
        hosts={host: _state(each, standing[host]) for host, each in seen.items()},
        next=tuple(_next(seen, findings, run, launcher)),
    )


def _standing(reports: Sequence[Report], playbook: str | None) -> list[Finding]:
    """The findings that still hold.

    The same finding seen again replaces the earlier one. A module that changes something measures again
    what its playbook cures, so what an earlier look said about that is out of date.
    """
    standing: dict[tuple[str, str], Finding] = {}
    for report in reports:
        if report.verdict is not None:
            standing = {
                key: finding
                for key, finding in standing.items()
                if finding.remedy is None or finding.remedy.playbook != playbook or not finding.remedy.cures
            }
        for finding in report.findings:
            standing[finding.id, finding.subject] = finding
    return sorted(standing.values(), key=lambda finding: LEVELS.index(finding.level))


def _state(seen: Seen, standing: Sequence[Finding]) -> HostState:
    level = standing[0].level if standing else None
    if seen.lost is not None:
        state, message = seen.lost, seen.message
    elif not seen.reports:
        state, message = UNSEEN, "no step looked at it"
    else:
        state = level or CLEAR
        message = standing[0].summary if standing else ""
    acts = Counter(act.status for report in seen.reports for act in report.acts)
    verdicts = dict.fromkeys(report.verdict for report in seen.reports if report.verdict)
    return HostState(state, level, message, tuple(verdicts), dict(acts))


def _common(findings: Sequence[Located], total: int) -> Iterable[str]:
    """One sentence for each thing that is wrong on more than one host; notices are nothing wrong."""
    by_id: dict[str, list[Located]] = {}
    for each in findings:
        if each.finding.level == NOTICE:
            continue
        by_id.setdefault(each.finding.id, []).append(each)
    for finding_id, group in by_id.items():
        hosts = list(dict.fromkeys(each.host for each in group))
        if len(hosts) < 2:
            continue
        summaries = {each.finding.summary for each in group}
        what = summaries.pop() if len(summaries) == 1 else finding_id
        yield f"{len(hosts)} of {total} hosts ({listing(hosts)}): {what}"


def _next(
    seen: Mapping[str, Seen], findings: Sequence[Located], run: Run, launcher: Launcher
) -> Iterable[str]:
    """What to type, the most urgent first, each command once."""
    lines: dict[str, None] = {}
    planned = _hosts_with(seen, lambda act: act.status == PLANNED)
    if run.check_mode and run.playbook and planned:
        lines[launcher.command(run.playbook, planned, run.inputs)] = None
    not_better = [host for host, each in seen.items() if any(r.verdict in _NOT_BETTER for r in each.reports)]
    for remedy, hosts in _remedies(findings):
        if remedy.playbook == run.playbook and remedy.cures:
            hosts = [host for host in hosts if host not in (planned if run.check_mode else not_better)]
        contained = remedy.playbook == run.playbook and remedy.inputs.items() <= run.inputs.items()
        if hosts and (remedy.cures or not contained):
            lines[launcher.command(remedy.playbook, hosts, remedy.inputs)] = None
    if not_better and run.playbook != _TRIAGE:
        lines[launcher.command(_TRIAGE, not_better)] = None
    undoable = _hosts_with(seen, lambda act: act.status == DONE and act.undo is not None)
    if run.id and undoable and run.playbook != _UNDO:
        lines[launcher.command(_UNDO, undoable, {"id": run.id})] = None
    return lines


def _hosts_with(seen: Mapping[str, Seen], wanted: Callable[[Act], bool]) -> list[str]:
    return [
        host
        for host, each in seen.items()
        if any(wanted(act) for report in each.reports for act in report.acts)
    ]


def _remedies(findings: Sequence[Located]) -> Iterable[tuple[Remedy, list[str]]]:
    """Each remedy once with its hosts, in the order of the findings."""
    found: dict[str, tuple[Remedy, list[str]]] = {}
    for each in findings:
        remedy = each.finding.remedy
        if remedy is None:
            continue
        key = json.dumps(remedy.as_dict(), sort_keys=True, default=str)
        hosts = found.setdefault(key, (remedy, []))[1]
        if each.host not in hosts:
            hosts.append(each.host)
    return found.values()
