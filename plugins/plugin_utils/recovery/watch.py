# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a service stays well for long enough. Pure: one call for each look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from ansible_collections.firebreak.incident.plugins.module_utils.finding import CRITICAL, Finding


@dataclass(frozen=True)
class Watch:
    """`window` is how long it must be well without a break, in seconds, and `passes` how many looks at least.

    `since` is when the present row of passes began, `row` how long it is.
    """

    window: float
    passes: int
    since: float | None = None
    row: int = 0
    looks: int = 0
    failures: int = 0
    last_reasons: tuple[str, ...] = ()

    def look(self, now: float, healthy: bool, reasons: Sequence[str]) -> Self:
        if not healthy:
            return replace(
                self,
                since=None,
                row=0,
                looks=self.looks + 1,
                failures=self.failures + 1,
                last_reasons=tuple(reasons),
            )
        since = now if self.since is None else self.since
        return replace(self, since=since, row=self.row + 1, looks=self.looks + 1)

    def recovered(self, now: float) -> bool:
        return self.since is not None and self.row >= self.passes and now - self.since >= self.window

    def left(self, now: float) -> float:
        """Seconds that it must still be well."""
        return self.window if self.since is None else max(0.0, self.window - (now - self.since))

    def too_late(self, now: float, end: float) -> bool:
        """Whether there is not enough time left until `end` for it to recover."""
        return now + self.left(now) > end

    def as_dict(self) -> dict[str, object]:
        return {
            "looks": self.looks,
            "failures": self.failures,
            "consecutive_passes": self.row,
            "last_reasons": list(self.last_reasons),
        }


def lost(host: str, why: str) -> dict[str, Any]:
    """The look at a host that was well before and cannot be reached now."""
    said = f"the host is not reached: {why}"
    finding = Finding(id="recovery.host.unseen", level=CRITICAL, subject=host, summary=said)
    return {"changed": False, "healthy": False, "reasons": [said], "findings": [finding.as_dict()]}
