# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the tasks of a run return to the events of its incident. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.finding import NOTICE
from ansible_collections.firebreak.incident.plugins.module_utils.plan import DONE, FAILED, REFUSED, Act

from ..rendering.contract import Report, read
from ..rendering.contract import parts as items
from .event import Draft, canonical

RUN_STARTED, RUN_FINISHED, RUN_FAILED = "run.started", "run.finished", "run.failed"
FINDINGS, VERDICT = "findings.seen", "verdict.measured"
# An act that is only planned did not happen.
ACTS: Mapping[str, str] = {DONE: "act.done", REFUSED: "act.refused", FAILED: "act.failed"}


@dataclass(frozen=True)
class Running:
    """The run that tasks belong to: `actor` is who started it, as in the ledger of a host."""

    id: str
    playbook: str
    actor: str
    check_mode: bool = False

    def started(self, time: str) -> Draft:
        return self._draft("started", time, RUN_STARTED, None, {"check_mode": self.check_mode})

    def finished(self, time: str, stats: Mapping[str, Any]) -> Draft:
        return self._draft("finished", time, RUN_FINISHED, None, {"hosts": dict(stats)})

    def failed(self, time: str, host: str, task: str, name: str, message: str) -> Draft:
        return self._draft(f"{task}:failed", time, RUN_FAILED, host, {"task": name, "message": message})

    def told(self, time: str, host: str, task: str, result: Mapping[str, Any]) -> list[Draft]:
        """What one task says about one host; the same task is told once."""
        return [
            draft
            for number, part in enumerate(items(result))
            if (report := read(part)) is not None
            for draft in self._reported(time, host, f"{task}:{number}", report, part)
        ]

    def _reported(
        self, time: str, host: str, task: str, report: Report, result: Mapping[str, Any]
    ) -> Iterator[Draft]:
        if report.findings:
            serious = [each.as_dict() for each in report.findings if each.level != NOTICE]
            data = {"findings": serious, "notices": len(report.findings) - len(serious)}
            yield self._draft(f"{task}:findings", time, FINDINGS, host, data)
        if self.check_mode:
            return
        for act in report.acts:
            if act.status in ACTS:
                yield self._draft(
                    f"{_identity(act)}:{act.status}", time, ACTS[act.status], host, act.as_dict()
                )
        if report.verdict is not None:
            measured = {name: result.get(name) for name in ("before", "after")}
            yield self._draft(f"{task}:verdict", time, VERDICT, host, {"verdict": report.verdict, **measured})

    def _draft(self, key: str, time: str, kind: str, host: str | None, data: Mapping[str, Any]) -> Draft:
        whole = {"run": self.id, "playbook": self.playbook, **data}
        return Draft(f"{self.id}:{host or ''}:{key}", time, kind, self.actor, host, whole)


def _identity(act: Act) -> str:
    return hashlib.sha256(canonical([act.action, act.identity, act.target]).encode()).hexdigest()[:24]
