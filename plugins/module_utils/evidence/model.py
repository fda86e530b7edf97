# SPDX-License-Identifier: GPL-3.0-or-later
"""What the readers of evidence take and give."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

from ..deadlines import Deadline

# Why something is not in a collection. The first three are no lack: nobody wanted it, or it is not there.
PROFILE, ABSENT, TOOL = "profile", "absent", "tool"
UNREADABLE, BUDGET, FAILED = "unreadable", "budget", "failed"
CAUSES = (PROFILE, ABSENT, TOOL, UNREADABLE, BUDGET, FAILED)
LACKS = frozenset({UNREADABLE, BUDGET, FAILED})


@dataclass(frozen=True)
class Missing:
    """`cause` is one of CAUSES; `reason` is for a person."""

    name: str
    cause: str
    reason: str


@dataclass(frozen=True)
class Read:
    """One piece of an artefact.

    `more` says where the next piece begins (JSON-plain; None: this was the last). `cut` says what was
    left out, and why.
    """

    data: bytes
    more: Any = None
    cut: str | None = None
    code: int | None = None
    complaint: str | None = None


@dataclass(frozen=True)
class Part:
    """One artefact of a step. `key` orders the parts and names this one; empty where there is only one.

    `read` takes where to go on (None at the start) and how many bytes there is room for. One that is not
    `resumable` gives all it has at once.
    """

    key: str
    kind: str
    source: str
    read: Callable[[Any, int], Read]
    resumable: bool = True
    command: Sequence[str] | None = None
    program_sha256: str | None = None


@dataclass(frozen=True)
class Opened:
    """What a step found to read, and what it could not."""

    parts: Sequence[Part] = ()
    missing: Sequence[Missing] = ()


@dataclass(frozen=True)
class Means:
    """With what a call works. `since` is in seconds since the epoch; `full` lifts the window."""

    deadline: Deadline
    since: float
    full: bool
    most: int
    services: Mapping[str, Any] = field(default_factory=dict)
