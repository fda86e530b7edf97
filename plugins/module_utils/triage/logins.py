# SPDX-License-Identifier: GPL-3.0-or-later
"""Who tries to log in, who did, who is in now and who became root: the logins as a section of triage."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Callable, Mapping, Sequence

from ..addresses import ALWAYS, Protected
from ..clients import systemd, who
from ..clients.network import protected_here
from ..clients.systemd import Session
from ..deadlines import Deadline, Outcome, gather
from ..errors import Unreachable
from ..finding import WARNING, Finding
from ..information import Context
from ..logins.decide import decide
from ..logins.judge import Policy
from ..logins.observe import SPEC, Request, Snapshot, observe
from ..moments import utc_now
from . import sudo
from .sudo import Uses

# Enough for an hour of an attack, and read in a moment; contain_security reads all of it.
BUDGET = "32m"


@dataclass(frozen=True)
class Seen:
    attempts: Outcome[Snapshot]
    sessions: Outcome[tuple[Session, ...]]
    sudo: Outcome[Uses]
    policy: Policy


def collect(params: Mapping[str, Any], deadline: Deadline) -> Seen:
    """Logs, sessions and sudo at once; whichever cannot be seen does not hide the other."""
    asked = {name: option.get("default") for name, option in SPEC.items()}
    asked.update(window=params["login_window"], max_bytes=BUDGET)
    now = utc_now()
    tasks: Mapping[str, Callable[[Deadline], Any]] = {
        "attempts": lambda _inner: observe(Request.from_params(asked, now)),
        "sessions": _sessions,
        "sudo": lambda inner: sudo.observe(params["login_window"], now.timestamp(), inner.remaining()),
    }
    protected = Protected.of(Context.from_params(params).protected, _protected_here(), ALWAYS)
    policy = Policy(asked["threshold"], asked["account_threshold"], protected)
    seen = gather(tasks, deadline.remaining())
    return Seen(seen["attempts"], seen["sessions"], seen["sudo"], policy)


def judge(seen: Seen) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    sessions = None if seen.sessions.value is None else [asdict(one) for one in seen.sessions.value]
    uses, refused = sudo.judge(seen.sudo)
    data: dict[str, Any] = {"sessions": sessions, "sudo": uses}
    if seen.attempts.value is None:
        unseen = Finding(
            id="logins.attempts.unseen",
            level=WARNING,
            subject="logins",
            summary=f"whether somebody guesses passwords is not known: {seen.attempts.unseen}",
            evidence={"reason": seen.attempts.unseen},
        )
        return data, [unseen, *refused]
    attempts, findings = decide(seen.attempts.value, seen.policy)
    return {**attempts, **data}, [*findings, *refused]


def _sessions(deadline: Deadline) -> tuple[Session, ...]:
    if systemd.booted():
        return systemd.sessions(deadline.remaining())
    return who.sessions(deadline.remaining())


def _protected_here() -> Mapping[str, str]:
    """Triage only looks: it can do without. Whoever blocks an address asks again."""
    try:
        return protected_here()
    except Unreachable:
        return {}
