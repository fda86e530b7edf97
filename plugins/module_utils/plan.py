# SPDX-License-Identifier: GPL-3.0-or-later
"""What would be done, to what exactly, and why.

A plan is a value: check mode, `--diff`, the approval digest, the ledger and the acts themselves all
read the same one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Any, Mapping

REVERSIBLE, DISRUPTIVE, DESTRUCTIVE = "reversible", "disruptive", "destructive"
RISKS = (REVERSIBLE, DISRUPTIVE, DESTRUCTIVE)

PLANNED, DONE, REFUSED, FAILED = "planned", "done", "refused", "failed"


def riskier(risk: str, ceiling: str) -> bool:
    """Whether `risk` lies above `ceiling`."""
    return RISKS.index(risk) > RISKS.index(ceiling)


@dataclass(frozen=True)
class Undo:
    """The act that takes another one back."""

    action: str
    identity: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {"action": self.action, "identity": dict(self.identity)}


@dataclass(frozen=True)
class Act:
    """One change to one object.

    `identity` is what the act is performed with and what its digest is made of: enough to tell the
    object from another one that has taken its name since (a pid *and* its start time, never a pid
    alone). `target` says the same to a person.
    """

    action: str
    target: str
    identity: Mapping[str, Any]
    risk: str
    reason: str
    undo: Undo | None = None
    status: str = PLANNED

    def __post_init__(self) -> None:
        if self.risk not in RISKS:
            raise ValueError(f"act {self.action}: risk {self.risk!r} is none of {', '.join(RISKS)}")
        if self.risk == REVERSIBLE and self.undo is None:
            raise ValueError(f"act {self.action}: nothing is reversible without its undo")

    def refused(self, because: str) -> Act:
        return replace(self, status=REFUSED, reason=because)

    def became(self, status: str, reason: str | None = None) -> Act:
        return replace(self, status=status, reason=self.reason if reason is None else reason)

    def as_dict(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "target": self.target,
            "identity": dict(self.identity),
            "risk": self.risk,
            "status": self.status,
            "reason": self.reason,
            "undo": self.undo.as_dict() if self.undo else None,
        }


@dataclass(frozen=True)
class Plan:
    """The acts that will be performed, in order, and those that will not, with the reason.

    `sequential` says that each act rests on those before it, so that none is attempted after one that
    failed. Otherwise that holds for the acts on one target only.
    """

    acts: tuple[Act, ...] = field(default=())
    refusals: tuple[Act, ...] = field(default=())
    sequential: bool = True

    @property
    def digest(self) -> str:
        """Of what would be touched: the same whatever order the objects were observed in."""
        identities = sorted(_canonical([act.action, act.identity]) for act in self.acts)
        return "sha256:" + hashlib.sha256(_canonical(identities).encode()).hexdigest()

    def as_lines(self) -> str:
        """For `--diff`: one line for each act."""
        return "".join(
            f"{act.status:8} {act.action} {act.target} ({act.risk}): {act.reason}\n"
            for act in self.acts + self.refusals
        )


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
