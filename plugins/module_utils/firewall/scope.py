# SPDX-License-Identifier: GPL-3.0-or-later
"""How a rule's address relates to the one that was asked for."""

from __future__ import annotations

from dataclasses import dataclass

from .model import EVERYONE, EXACT, WIDER
from .span import Span, span


@dataclass(frozen=True)
class Wanted:
    """One address or network that is asked about, and the numbers it stands for."""

    address: str
    span: Span

    @classmethod
    def of(cls, address: str) -> Wanted:
        return cls(address, span(address))

    def scope(self, held: Span) -> str | None:
        """`exact`, `wider` or `everyone`; None when the two have nothing in common."""
        if not held.overlaps(self.span):
            return None
        if held.everything:
            return EVERYONE
        return EXACT if held.within(self.span) else WIDER
