# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of a collection, on the host: as many artefacts as there is room and time for, and where to go on.

What hangs or breaks costs only itself: it is named, and the next one is read.
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from typing import Any, Callable, Mapping

from ..deadlines import Deadline, gather
from ..errors import BadInput
from ..moments import iso, utc_now
from ..quantities import parse_duration
from .catalogue import (
    BY_NAME,
    PROFILES,
    Bundle,
    Docker,
    Files,
    Journal,
    Program,
    State,
    Step,
    of_profile,
)
from .model import BUDGET, FAILED, Means, Missing, Opened, Part
from .package import pack

SPEC: dict[str, Any] = {
    "profile": {"type": "str", "choices": list(PROFILES), "default": "standard"},
    "steps": {"type": "list", "elements": "str", "default": []},
    "window": {"type": "str", "default": "24h"},
    "services": {"type": "dict", "default": {}},
    "resume": {
        "type": "dict",
        "options": {
            "step": {"type": "str", "required": True},
            "part": {"type": "str", "required": True},
            "token": {"type": "str", "required": True, "no_log": False},
        },
    },
    "max_bytes": {"type": "int", "default": 8 * 1024 * 1024},
    "artefact_bytes": {"type": "int", "default": 64 * 1024 * 1024},
    "max_seconds": {"type": "int", "default": 60},
}
# What is read in one go may be larger than a call's budget: it cannot go on in the next one.
AT_ONCE = 32 * 1024 * 1024
LEAST_ROOM = 64 * 1024


def collect(params: Mapping[str, Any], clock: Callable[[], float] = time.time) -> dict[str, Any]:
    """The pieces of this call. Raises `BadInput`."""
    steps = _steps(params)
    means = Means(
        deadline=Deadline(params["max_seconds"]),
        since=clock() - parse_duration(params["window"]),
        full=params["profile"] == "full",
        most=params["artefact_bytes"],
        services=params["services"],
    )
    work = _Work(means, params["max_bytes"])
    resume = params.get("resume") or {"step": steps[0].name, "part": "", "token": "null"}
    began = next((n for n, step in enumerate(steps) if step.name == resume["step"]), 0)
    position = (resume["part"], json.loads(resume["token"]))
    behind: Mapping[str, str] | None = None
    for step in steps[began:]:
        behind = work.step(step, *position)
        position = ("", None)
        if behind is not None:
            break
    return {
        "artefacts": work.pieces,
        "not_collected": [vars(missing) for missing in work.missing],
        "next": behind,
        "epoch_seconds": time.time(),
        "python": platform.python_version(),
    }


def _steps(params: Mapping[str, Any]) -> tuple[Step, ...]:
    unknown = [name for name in params["steps"] if name not in BY_NAME]
    if unknown:
        raise BadInput(f"step {unknown[0]!r}", "there is none", f"Name some of {', '.join(BY_NAME)}.")
    if params["max_bytes"] < 1 or params["artefact_bytes"] < 1 or params["max_seconds"] < 1:
        raise BadInput("max_bytes, artefact_bytes, max_seconds", "one is below 1", "Give 1 or more.")
    return tuple(
        step for step in of_profile(params["profile"]) if not params["steps"] or step.name in params["steps"]
    ) or of_profile("volatile")


class _Work:
    """`pieces` and `missing` are what goes back; `room` is what this call may still take in bytes."""

    def __init__(self, means: Means, room: int) -> None:
        self.means, self.room, self._whole = means, room, room
        self.pieces: list[dict[str, Any]] = []
        self.missing: list[Missing] = []

    def step(self, step: Step, part: str, token: Any) -> Mapping[str, str] | None:
        """Where the next call goes on; None when the step is finished."""
        if self._spent():
            return _behind(step, part, token)
        opened = self._within_time(step.name, lambda: open_step(step, self.means))
        if opened is None:
            return None
        if token is None and not part:
            self.missing += opened.missing
        for each in opened.parts:
            if each.key < part:
                continue
            if self._spent():
                return _behind(step, each.key, token if each.key == part else None)
            token = self._read(step, each, token if each.key == part else None)
            if token is not None:
                return _behind(step, each.key, token)
        return None

    def _spent(self) -> bool:
        nearly = self.room < min(LEAST_ROOM, self._whole)
        return bool(self.pieces) and (nearly or self.means.deadline.remaining() < 0.3)

    def _read(self, step: Step, part: Part, token: Any) -> Any:
        """One piece of a part; where the next one begins."""
        room = min(self.room if part.resumable else AT_ONCE, self.means.most)
        started = utc_now()
        name = f"{step.name} {part.key}".strip()
        read = self._within_time(name, lambda: part.read(token, room))
        if read is None:
            return None
        self.room -= len(read.data)
        self.pieces.append(
            {
                "step": step.name,
                "part": part.key,
                "first": token is None,
                "last": read.more is None,
                "kind": part.kind,
                "source": part.source,
                "command": list(part.command) if part.command else None,
                "program_sha256": part.program_sha256,
                "exit_code": read.code,
                "complaint": read.complaint,
                "started": iso(started),
                "finished": iso(utc_now()),
                "bytes": len(read.data),
                "sha256": hashlib.sha256(read.data).hexdigest(),
                "cut": read.cut,
                "data": pack(read.data),
            }
        )
        return read.more

    def _within_time(self, name: str, work: Callable[[], Any]) -> Any:
        """What `work` returns, or None with the reason noted."""
        given = self.means.deadline.remaining()
        outcome = gather({name: lambda _deadline: work()}, given)[name]
        if outcome.value is None:
            cause = BUDGET if outcome.seconds >= given else FAILED
            self.missing.append(Missing(name, cause, outcome.unseen or "it gave nothing"))
        return outcome.value


def _behind(step: Step, part: str, token: Any) -> Mapping[str, str]:
    return {"step": step.name, "part": part, "token": json.dumps(token)}


def open_step(step: Step, means: Means) -> Opened:
    """What there is to read for a step. What it needs is imported here: most calls need little."""
    source = step.source
    if isinstance(source, State):
        from .state import open_state

        return open_state(source.read, means)
    if isinstance(source, Docker):
        from .containers import containers

        return containers(step.name, source.what, means)
    if isinstance(source, (Program, Journal)):
        from .programs import journal, program

        return journal(means) if isinstance(source, Journal) else program(step.name, source, means)
    from .files import bundle, files, listing

    if isinstance(source, Bundle):
        return bundle(source, means)
    return files(source, means) if isinstance(source, Files) else listing(source, means)
