# SPDX-License-Identifier: GPL-3.0-or-later
"""How much one object is to be wondered at. The rule of what is new is in reference.py.

A package vouches for a file when it owns it and its checksum fits: such a file is never remarkable for its
place or its age. All others are judged by the baseline where there is one: what is not in it, or differs
from it, is at least a warning. Without one they are judged by their content at any age, and by their age
when it is after the reference; an old, ordinary file is in the data and in the count of one notice.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Mapping, Sequence

from ..moments import iso
from ..quantities import speak_duration
from .baseline import Baseline, file_digest, printable
from .model import Item, Snapshot
from .suspicion import programs, reasons

SET_BACK_SECONDS = 86400.0
LISTED = 20


@dataclass(frozen=True)
class Standing:
    """`state` is added or changed against the baseline, new without one, or old.

    `grave`: its content or class says that somebody is inside. `story` says it all in words.
    """

    item: Item
    state: str
    reasons: Sequence[str]
    story: str
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def grave(self) -> bool:
        return bool(self.reasons) and self.state != "old"


class Judge:
    """One look, weighed against the baseline or the reference."""

    def __init__(self, snapshot: Snapshot, baseline: Baseline | None, now: float | None = None) -> None:
        self.snapshot, self.baseline = snapshot, baseline
        self.now = time.time() if now is None else now
        self._owners = snapshot.owners or {}
        verification = snapshot.verification
        self._differs = {item.path: item for item in verification.differs} if verification else {}
        self._names: dict[int, str] = (
            {account.uid: account.name for account in reversed(snapshot.accounts.accounts)}
            if snapshot.accounts
            else {}
        )

    def vouched(self, path: str) -> bool:
        """Whether a package owns it and it is as that package installed it, as far as that was seen."""
        return path in self._owners and path not in self._differs

    def package(self, path: str) -> str | None:
        owned = self._owners.get(path)
        return owned.package if owned else None

    def fresh(self, moment: float) -> bool:
        return moment > self.snapshot.reference.since

    def weigh(self, item: Item, topic: str = "files", digest: str | None = None) -> Standing | None:
        """None for what a package or the baseline vouches for."""
        if item.kind != "key" and self.vouched(item.path):
            return None
        state = self._state(item, topic, file_digest(item) if digest is None else digest)
        if state == "same":
            return None
        found = reasons(item)
        return Standing(item, state, found, self.story(item, state, found), self.evidence(item, found))

    def against(self, topic: str, key: str, digest: str) -> str | None:
        """What the baseline says: same, changed or added; None when it says nothing on the topic."""
        if self.baseline is None or not self.baseline.covers(topic):
            return None
        return self.baseline.state(topic, printable(key), digest)

    def _state(self, item: Item, topic: str, digest: str) -> str:
        known = None if item.kind == "transient" else self.against(topic, item.key, digest)
        if known is not None:
            return known
        return "new" if self.fresh(item.ctime) else "old"

    def story(self, item: Item, state: str, found: Sequence[str]) -> str:
        owner = self.package(item.path)
        parts = [f"it is not as package {owner} installed it" if owner else "no package owns it"]
        if state == "added":
            parts.append("it is not in the baseline")
        elif state == "changed":
            parts.append("it differs from the baseline")
        parts.append(f"it changed {self.ago(item.ctime)}")
        if state != "old" and item.ctime - item.mtime > SET_BACK_SECONDS:
            parts.append(f"its file date says {stamp(item.mtime)}, so it was copied or set back")
        return "; ".join([*parts, *found])

    def ago(self, moment: float) -> str:
        return f"{speak_duration(self.now - moment)} ago ({stamp(moment)})"

    def evidence(self, item: Item, found: Sequence[str] = ()) -> dict[str, Any]:
        """The item as it is returned, and why it is remarkable."""
        runs = sorted({printable(program) for program in programs(item)})
        return {
            **self.as_dict(item),
            "reasons": [printable(reason) for reason in found],
            "runs": runs[:LISTED],
        }

    def as_dict(self, item: Item) -> dict[str, Any]:
        """JSON-plain, with nothing in it that could do harm where it is printed."""
        return {
            "path": printable(item.path),
            "kind": item.kind,
            "name": printable(item.name) or None,
            "owner": printable(self.user(item.uid)),
            "mode": f"{item.mode:04o}",
            "size": item.size,
            "mtime": stamp(item.mtime),
            "ctime": stamp(item.ctime),
            "sha256": item.sha256 or None,
            "package": self.package(item.path),
            "detail": {name: _plain(value) for name, value in item.detail.items()},
        }

    def user(self, uid: int) -> str:
        return self._names.get(uid, str(uid))


def stamp(moment: float) -> str:
    """UTC; a file may claim a time that no calendar has."""
    try:
        return iso(datetime.fromtimestamp(moment, timezone.utc))
    except (OverflowError, ValueError, OSError):
        return "unknown"


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    return [printable(str(one)) for one in value] if isinstance(value, (list, tuple)) else value
