# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps an address out, in whatever layer of the host, and what would take it away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Mapping

from ..moments import iso
from ..plan import Undo

# How much a rule holds beside the address that was asked for.
EXACT, WIDER, EVERYONE = "exact", "wider", "everyone"

OWN_LAYER = "firebreak"


@dataclass(frozen=True)
class Removal:
    """The act that takes a block away. `undo` puts it back where it was."""

    action: str
    identity: Mapping[str, Any]
    undo: Undo


@dataclass(frozen=True)
class Block:
    """One thing that keeps `asked` out.

    `address` is what the rule itself names; `scope` says whether that is only the asked address or
    more; `until` is None for a block without an end; `packets` None where nobody counts. `removal` is
    None when the rule cannot be taken away for this address alone, `because` says why.
    """

    asked: str
    address: str
    layer: str
    where: str
    rule: str
    scope: str
    until: datetime | None = None
    packets: int | None = None
    removal: Removal | None = None
    because: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "address": self.address,
            "layer": self.layer,
            "where": self.where,
            "rule": self.rule,
            "until": iso(self.until) if self.until else None,
            "packets": self.packets,
        }


@dataclass(frozen=True)
class Unseen:
    """A layer that could not be read, so that nothing is known of it."""

    layer: str
    reason: str

    def as_dict(self) -> dict[str, str]:
        return {"layer": self.layer, "reason": self.reason}
