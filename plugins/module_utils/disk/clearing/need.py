# SPDX-License-Identifier: GPL-3.0-or-later
"""How much is still missing while levers promise, and what has been chosen of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...plan import Act
from .model import Batch, Snapshot


@dataclass
class Choice:
    """`batches` are the files of acts by digest, `gains` the bytes that each lever promised."""

    acts: list[Act] = field(default_factory=list)
    refusals: list[Act] = field(default_factory=list)
    batches: dict[str, Batch] = field(default_factory=dict)
    gains: dict[str, int] = field(default_factory=dict)


class Need:
    """What is still missing on each place, as promises come in."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._bytes = {place.device: place.missing for place in snapshot.places}
        self._inodes = {place.device: place.missing_inodes for place in snapshot.places}

    def wants(self, device: int, taken: int, inodes: int = 0) -> bool:
        return bool(
            (self._bytes.get(device, 0) > 0 and taken > 0) or (self._inodes.get(device, 0) > 0 and inodes)
        )

    def take(self, device: int, taken: int, inodes: int = 0) -> None:
        self._bytes[device] = self._bytes.get(device, 0) - taken
        self._inodes[device] = self._inodes.get(device, 0) - inodes


def as_evidence(snapshot: Snapshot) -> str:
    said = snapshot.incident.reason if snapshot.incident else ""
    return f"it is evidence, and {said}; security_incident=closed says that it is over"
