# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of a run, host by host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.plan import REFUSED, Act
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import OPENED
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.contract import (
    BEGIN,
    INCIDENT,
    SUMMARY,
    Report,
    reports,
)

from .process import Event

SUCCESSFUL, FAILED, UNREACHABLE, UNSEEN = "successful", "failed", "unreachable", "unseen"
CANCELED, TIMEOUT = "canceled", "timeout"
_OK = "runner_on_ok"
_TOLD = (_OK, "runner_on_failed", "runner_on_unreachable")
_WITHOUT_END: Mapping[str, str] = {
    CANCELED: "the run was canceled before its end; what was done is in acts",
    TIMEOUT: "the run took too long and was ended; what was done is in acts",
}


@dataclass(frozen=True)
class Host:
    """`state` is clear, notice, warning, critical, unseen, failed or unreachable, as the summary says.

    `findings` hold at the end; `acts` are those planned, done, refused and failed, in their order.
    """

    name: str
    state: str
    message: str
    findings: tuple[Finding, ...] = ()
    acts: tuple[Act, ...] = ()
    verdicts: tuple[str, ...] = ()

    @property
    def refusals(self) -> tuple[Act, ...]:
        return tuple(act for act in self.acts if act.status == REFUSED)


@dataclass(frozen=True)
class Outcome:
    """`status` is successful, failed, unreachable, canceled or timeout; `run` is the id that undo takes.

    `message` is what a responder would have read at the end, or why there was no end. `warnings` are of the
    tasks: of a message that may not have arrived, for one.
    """

    status: str
    playbook: str
    hosts: Mapping[str, Host]
    run: str | None
    incident: str | None
    message: str
    next: tuple[str, ...]
    seconds: float
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every step was carried out on every host; not whether the hosts are well."""
        return self.status == SUCCESSFUL


class EventError(Exception):
    """`on_event` raised; its exception is the cause. The run went on to its end: `outcome`."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(f"on_event raised; the run went on to its end: {outcome.message}")
        self.outcome = outcome


@dataclass
class Listener:
    """Gathers an outcome from the events of ansible-runner.

    `over` once the playbook has come to its end, `nobody` when no host was there to run it on.
    """

    limit: str | None = None
    run: str | None = None
    incident: str | None = None
    over: bool = False
    nobody: bool = False
    summary: Mapping[str, Any] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    reports: dict[str, list[Report]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    screen: list[str] = field(default_factory=list)

    def hear(self, event: Event) -> None:
        kind, data = event.get("event"), event.get("event_data") or {}
        if kind in _TOLD:
            self._result(str(data.get("host")), data.get("res") or {}, str(data.get("resolved_action")))
            self._problems(str(data.get("host")), data, kind)
        elif kind == "playbook_on_no_hosts_matched":
            self.nobody = not self.reports
        elif kind == "playbook_on_stats":
            self.over = True
        elif kind in ("verbose", "error"):
            self.screen.append(str(event.get("stdout") or ""))

    def _result(self, host: str, result: Mapping[str, Any], action: str) -> None:
        """By the task it is of: what a host answers says nothing of the run."""
        if action == BEGIN and isinstance(result.get("run"), Mapping):
            self.run, self.incident = result["run"]["id"], result["run"].get("incident")
        elif action == INCIDENT and _opens(result):
            self.incident = str(result["incident"])
        elif action == SUMMARY and "hosts" in result:
            self.summary = result
        else:
            self.reports.setdefault(host, []).extend(reports(result))

    def _problems(self, host: str, data: Mapping[str, Any], kind: str) -> None:
        result = data.get("res") or {}
        self.warnings.extend(map(str, result.get("warnings") or ()))
        if kind != _OK and not data.get("ignore_errors"):
            self.failures[host] = str(result.get("msg") or kind)

    def outcome(self, status: str, playbook: str, seconds: float) -> Outcome:
        said = self.summary.get("hosts", {})
        hosts = {name: self._host(name, state) for name, state in said.items()}
        for name in [*self.failures, *self.reports]:
            if name not in hosts:
                hosts[name] = self._unsummed(name)
        return Outcome(
            status=status,
            playbook=playbook,
            hosts=hosts,
            run=self.run,
            incident=self.incident,
            message=self._message(status),
            next=tuple(self.summary.get("next") or ()),
            seconds=seconds,
            warnings=tuple(dict.fromkeys(self.warnings)),
        )

    def _message(self, status: str) -> str:
        if status in _WITHOUT_END:
            return _WITHOUT_END[status]
        if self.summary:
            return str(self.summary["msg"])
        if self.failures:
            messages = dict.fromkeys(self.failures.values())
            if len(messages) == 1:
                return next(iter(messages))
            return "; ".join(f"{host}: {message}" for host, message in self.failures.items())
        if self.nobody:
            what = f"the limit {self.limit!r}" if self.limit else "this play"
            return (
                f"No host matches {what}: nothing was looked at. ansible-inventory --graph shows the hosts."
            )
        return status if status == SUCCESSFUL else _tidy(self.screen) or status

    def _host(self, name: str, said: Mapping[str, Any]) -> Host:
        found = [each for each in self.summary["findings"] if each.get("host") == name]
        return Host(
            name=name,
            state=str(said["state"]),
            message=str(said.get("message") or ""),
            findings=tuple(finding for report in reports({"findings": found}) for finding in report.findings),
            acts=self._acts(name),
            verdicts=tuple(said.get("verdicts") or ()),
        )

    def _unsummed(self, name: str) -> Host:
        """What is known of a host where the playbook did not come to its summary."""
        told = self.reports.get(name, [])
        return Host(
            name=name,
            state=FAILED if name in self.failures else UNSEEN,
            message=self.failures.get(name, ""),
            findings=tuple(finding for report in told for finding in report.findings),
            acts=self._acts(name),
            verdicts=tuple(report.verdict for report in told if report.verdict),
        )

    def _acts(self, name: str) -> tuple[Act, ...]:
        return tuple(act for report in self.reports.get(name, ()) for act in report.acts)


def _opens(result: Mapping[str, Any]) -> bool:
    """Whether it is an incident that was opened, whose id may have been made then."""
    event = result.get("event")
    return isinstance(event, Mapping) and event.get("kind") == OPENED


def _tidy(screen: Sequence[str]) -> str:
    """The last words of an Ansible that did not get as far as a task."""
    lines = [line.strip() for text in screen for line in text.splitlines()]
    return " ".join(line for line in lines if line)[-2000:]
