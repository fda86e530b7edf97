# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done so that a service says more, for a while, and when that would do harm. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Mapping, Sequence

from ..finding import NOTICE, WARNING, Finding
from ..lifecycle import Decision
from ..moments import iso
from ..plan import DISRUPTIVE, REVERSIBLE, Act, Plan, Undo, riskier
from ..quantities import speak_duration
from .observe import VERBOSE, Current, Room, Snapshot, Wanted

# An end that is due after this share of what is asked for is late enough: a second run changes nothing.
ENOUGH = 0.5
# Debug logs fill disks. Less than both of these free, whichever is smaller, and nothing is turned on.
SHARE = 0.10
BYTES = 1 << 30
INODES = 10_000


@dataclass(frozen=True)
class Request:
    """What is to say more, by which variables (sshd has its own way), for how long in seconds."""

    wanted: tuple[Wanted, ...]
    environment: Mapping[str, str]
    seconds: int
    max_risk: str


def enhance(seen: Snapshot, request: Request) -> Decision:
    """Everything wanted logs more, and will stop to.

    The symptom counts what does not and could. What cannot be is refused and counts only where there is
    nothing else.
    """
    acts: list[Act] = []
    refusals: list[Act] = []
    possible = 0
    for wanted in request.wanted:
        current = seen.current.get(wanted.name)
        if current is not None and settled(wanted, current, seen, request):
            possible += 1
            continue
        act = _act(wanted, current, request)
        because = _impossible(wanted, current, seen) or _too_risky(act, request)
        if because is None:
            possible += 1
            acts.append(act)
        else:
            refusals.append(act.refused(because))
    return Decision(
        symptom=len(acts) if possible else len(refusals),
        state={"targets": {each.name: _state(each, seen, request) for each in request.wanted}},
        findings=(*(_refused(act) for act in refusals), *map(_unseen, seen.unseen.items())),
        plan=Plan(tuple(acts), tuple(refusals), sequential=False),
    )


def inform(current: Sequence[Current], now: datetime) -> tuple[Mapping[str, Any], list[Finding]]:
    """What logs more than usual now, and whether it will end."""
    data = {
        "enhanced": [
            {"unit": each.unit, "until": iso(each.until) if each.until else None, "armed": each.armed}
            for each in current
        ]
    }
    return data, [_enhanced(each, now) for each in current]


def effective(wanted_sshd: bool, environment: Mapping[str, str], current: Current) -> bool:
    """Whether the running process was started with it."""
    if wanted_sshd:
        return VERBOSE in current.command
    given = current.environment or {}
    return all(given.get(name) == value for name, value in environment.items())


def settled(wanted: Wanted, current: Current, seen: Snapshot, request: Request) -> bool:
    """Whether there is nothing to do: on for good by its own configuration, or by us with an end to come."""
    if current.active != "active" or not effective(wanted.sshd, request.environment, current):
        return current.loud and current.active == "active"
    if current.until is None:
        return True
    return current.armed and current.until >= seen.now + timedelta(seconds=request.seconds * ENOUGH)


def _act(wanted: Wanted, current: Current | None, request: Request) -> Act:
    unit = current.unit if current is not None else wanted.unit
    environment = {} if wanted.sshd else dict(request.environment)
    identity: dict[str, Any] = {
        "unit": unit or wanted.name,
        "sshd": wanted.sshd,
        "environment": environment,
        "seconds": request.seconds,
    }
    says = VERBOSE if wanted.sshd else " ".join(f"{name}={value}" for name, value in environment.items())
    reason = f"{says} for {speak_duration(request.seconds)}"
    if current is not None and effective(wanted.sshd, request.environment, current):
        return _reversible(
            unit or wanted.name, identity, f"{reason}: only its end is set, it says so already"
        )
    # Sessions outlive a restart of sshd when systemd ends nothing but the process that listens.
    quiet = wanted.sshd and current is not None and current.kill_mode == "process"
    if quiet:
        return _reversible(unit or wanted.name, identity, f"{reason}, by a restart that sessions outlive")
    return Act(
        action="logging.enhance",
        target=unit or wanted.name,
        identity=identity,
        risk=DISRUPTIVE,
        reason=f"{reason}, by a restart: what its process has in memory is lost",
        undo=Undo("logging.restore", identity),
    )


def _reversible(target: str, identity: Mapping[str, Any], reason: str) -> Act:
    return Act("logging.enhance", target, identity, REVERSIBLE, reason, Undo("logging.restore", identity))


def _impossible(wanted: Wanted, current: Current | None, seen: Snapshot) -> str | None:
    if current is None:
        return (
            "it runs in a container, whose environment cannot be changed without making it anew: that would "
            "destroy its memory and its logs. Set the level in the compose file when the evidence is safe"
        )
    if current.load != "loaded":
        return f"this host has no unit {current.unit}"
    if current.active != "active" or not current.pid:
        return f"{current.unit} has no process that runs (it is {current.active}): name the unit that serves"
    if "\\" in current.unit:
        return f"no end can be armed for {current.unit}, whose name holds a backslash"
    if wanted.sshd and "argv[]=" not in current.start:
        return f"how {current.unit} starts sshd is not known (ExecStart is {current.start or 'empty'})"
    return next(filter(None, map(_cramped, seen.rooms.get(wanted.name, ()))), None)


def _too_risky(act: Act, request: Request) -> str | None:
    if not riskier(act.risk, request.max_risk):
        return None
    return (
        f"it needs a restart, which is {act.risk}, and max_risk is {request.max_risk}: what its process has "
        f"in memory is evidence while somebody is inside. Collect that first"
    )


def _cramped(room: Room) -> str | None:
    """Why no more is to be written there, or None."""
    space = room.space
    if space.available < min(space.total * SHARE, BYTES):
        return (
            f"the filesystem of {room.path} has {space.available / BYTES:.2f} GiB of "
            f"{space.total / BYTES:.1f} GiB left, and a debug log fills that: make room first"
        )
    if space.inodes and space.inodes_available < min(space.inodes * SHARE, INODES):
        return (
            f"the filesystem of {room.path} has {space.inodes_available} of {space.inodes} inodes left: "
            f"make room first"
        )
    return None


def _state(wanted: Wanted, seen: Snapshot, request: Request) -> Mapping[str, Any]:
    current = seen.current.get(wanted.name)
    if current is None:
        return {"unit": None, "enhanced": False, "until": None}
    on = current.active == "active" and effective(wanted.sshd, request.environment, current)
    return {
        "unit": current.unit,
        "enhanced": on or current.loud,
        "until": iso(current.until) if current.until else None,
    }


def _refused(act: Act) -> Finding:
    return Finding(
        id="logging.target.refused",
        level=NOTICE,
        subject=act.target,
        summary=f"{act.target} logs as usual: {act.reason}",
        evidence={"unit": act.target},
    )


def _unseen(place: tuple[str, str]) -> Finding:
    path, reason = place
    return Finding(
        id="logging.room.unseen",
        level=NOTICE,
        subject=path,
        summary=f"how much room the logs in {path} have is not known ({reason}): keep an eye on it",
        evidence={"reason": reason},
    )


def _enhanced(current: Current, now: datetime) -> Finding:
    until = iso(current.until) if current.until else None
    if current.armed and current.until is not None and current.until > now:
        return Finding(
            id="logging.unit.enhanced",
            level=NOTICE,
            subject=current.unit,
            summary=f"{current.unit} logs more than usual until {until}, then systemd restarts it as it was",
            evidence={"until": until},
        )
    return Finding(
        id="logging.unit.without_end",
        level=WARNING,
        subject=current.unit,
        summary=f"{current.unit} logs more than usual and nothing will end that "
        f"(it was to end at {until or 'a time unknown'}): undo it before the disk is full",
        evidence={"until": until, "armed": current.armed},
    )
