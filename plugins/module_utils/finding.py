# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found wrong, and which playbook puts it right."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping

CRITICAL, WARNING, NOTICE = "critical", "warning", "notice"
LEVELS = (CRITICAL, WARNING, NOTICE)


@dataclass(frozen=True)
class Remedy:
    """The playbook that deals with a finding, and the inputs it needs to do so.

    `cures` is False where the playbook only keeps the damage from spreading: the finding is as true
    afterwards as before, as with a break-in.
    """

    playbook: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    cures: bool = True

    def as_dict(self) -> dict[str, Any]:
        return {"playbook": self.playbook, "inputs": dict(self.inputs), "cures": self.cures}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    `id` is stable, dotted and listed in docs/findings.md; `subject` names the object and where it is;
    `evidence` holds the measured values the summary speaks of, JSON-plain.
    """

    id: str
    level: str
    subject: str
    summary: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    remedy: Remedy | None = None

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(f"finding {self.id}: level {self.level!r} is none of {', '.join(LEVELS)}")

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "level": self.level,
            "subject": self.subject,
            "summary": self.summary,
            "evidence": dict(self.evidence),
            "remedy": self.remedy.as_dict() if self.remedy else None,
        }


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first; within a level in the order they were made, for the observer knows best."""
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))
