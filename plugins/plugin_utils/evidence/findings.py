# SPDX-License-Identifier: GPL-3.0-or-later
"""What a collection says about itself: what is missing, whether the clock can be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.firebreak.incident.plugins.module_utils.evidence.model import TOOL, Missing
from ansible_collections.firebreak.incident.plugins.module_utils.finding import NOTICE, WARNING, Finding

from .collection import Artefact
from .collector import Outcome

CLOCK_NOTICE, CLOCK_WARNING = 1.0, 60.0
SHOWN = 5


@dataclass(frozen=True)
class ClockOffset:
    """How far the host's clock is ahead of the controller's, in seconds; it may be off by `uncertainty`."""

    offset: float
    uncertainty: float
    how: str


def findings(
    host: str, path: str, outcome: Outcome, artefacts: Sequence[Artefact], clock: ClockOffset | None
) -> Iterator[Finding]:
    lacks = outcome.lacks
    if lacks or outcome.stopped:
        yield incomplete(host, path, lacks, outcome.stopped)
    yield from _clock(host, clock)
    for missing in outcome.missing:
        if missing.cause == TOOL:
            yield Finding(
                id="evidence.tool.missing",
                level=NOTICE,
                subject=f"{missing.name} on {host}",
                summary=f"{missing.name} was not collected: {missing.reason}",
                evidence={"name": missing.name, "reason": missing.reason},
            )
    mismatched = [artefact.name for artefact in artefacts if artefact.mismatched]
    if outcome.refused or mismatched:
        refused = [*outcome.refused, *(f"{name}: its sha256 is another" for name in mismatched)]
        yield Finding(
            id="evidence.answer.refused",
            level=WARNING,
            subject=f"answers of {host}",
            summary=(
                f"{len(refused)} parts of what {host} answered cannot be honest ({refused[0]}): "
                f"its Python or the connection may be in somebody else's hands"
            ),
            evidence={"refused": refused[:SHOWN], "count": len(refused)},
        )


def kept(host: str, path: str, artefacts: int, size: int, digest: str) -> Finding:
    """Says where it is, and the digest that somebody should write down."""
    return Finding(
        id="evidence.collection.kept",
        level=NOTICE,
        subject=f"evidence of {host}",
        summary=f"{artefacts} artefacts ({size / 1e6:.1f} MB) are in {path}; manifest sha256 {digest}",
        evidence={"path": path, "artefacts": artefacts, "bytes": size, "manifest_sha256": digest},
    )


def incomplete(host: str, path: str, lacks: Sequence[Missing], stopped: str | None) -> Finding:
    names = ", ".join(missing.name for missing in lacks[:SHOWN])
    more = f" and {len(lacks) - SHOWN} more" if len(lacks) > SHOWN else ""
    why = stopped or lacks[0].reason
    return Finding(
        id="evidence.collection.incomplete",
        level=WARNING,
        subject=f"evidence of {host}",
        summary=f"the evidence is not complete: {why}; missing: {names or 'nothing that can be named'}{more}",
        evidence={
            "path": path,
            "stopped": stopped,
            "missing": [{"name": missing.name, "reason": missing.reason} for missing in lacks],
        },
    )


def _clock(host: str, clock: ClockOffset | None) -> Iterator[Finding]:
    if clock is None:
        return
    # What may be nothing but the way there is not held against the clock.
    off = abs(clock.offset) - clock.uncertainty
    if off <= CLOCK_NOTICE:
        return
    word = "ahead of" if clock.offset > 0 else "behind"
    yield Finding(
        id="evidence.clock.off",
        level=WARNING if off > CLOCK_WARNING else NOTICE,
        subject=f"clock of {host}",
        summary=(
            f"the clock of {host} is {abs(clock.offset):.1f} s {word} the controller's "
            f"(± {clock.uncertainty:.1f} s): its times must be corrected before they are compared"
        ),
        evidence={"offset_seconds": clock.offset, "uncertainty_seconds": clock.uncertainty},
    )
