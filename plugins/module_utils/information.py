# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks, and what a module that changes nothing returns. It loads nothing that only changes need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence, TypeVar

from .finding import Finding, ranked
from .moments import utc_now

Snapshot = TypeVar("Snapshot")


@dataclass(frozen=True)
class Context:
    """Who is doing this: the run, the incident it belongs to, the playbook and the person.

    `protected` maps addresses and networks that must never be acted against to the reason, `evidence` is
    why nothing may be deleted that could be evidence.
    """

    run: str
    incident: str | None = None
    playbook: str | None = None
    actor: str | None = None
    protected: Mapping[str, str] = field(default_factory=dict)
    evidence: str | None = None

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Context:
        given = params.get("context") or {}
        return cls(
            run=given.get("run") or f"{utc_now():%Y%m%d-%H%M%S}-local",
            incident=given.get("incident"),
            playbook=given.get("playbook"),
            actor=given.get("actor"),
            protected=given.get("protected") or {},
            evidence=given.get("evidence"),
        )


def context_spec() -> dict[str, Any]:
    """The option that the action plugin fills in; documented in the fragment `context`."""
    return {
        "context": {
            "type": "dict",
            "options": {
                "run": {"type": "str"},
                "incident": {"type": "str"},
                "playbook": {"type": "str"},
                "actor": {"type": "str"},
                "protected": {"type": "dict"},
                "evidence": {"type": "str"},
            },
        },
    }


def run_info(
    observe: Callable[[], Snapshot], decide: Callable[[Snapshot], tuple[Mapping[str, Any], Sequence[Finding]]]
) -> dict[str, Any]:
    """Look, judge, change nothing. `decide` gives the data to return and what is wrong with it."""
    data, findings = decide(observe())
    return {"changed": False, **data, "findings": [finding.as_dict() for finding in ranked(findings)]}
