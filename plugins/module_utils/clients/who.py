# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is logged in on a host without logind, from the program that reads utmp."""

from __future__ import annotations

import re

from ..errors import Unreachable
from .command import require, run
from .systemd import Login, Session

# responder pts/0        2026-11-21 22:01 (198.51.100.7)
_LINE = re.compile(r"^(\S+)\s+(\S+)\s+(\d{4}-\d\d-\d\d \d\d:\d\d)(?:.*\(([^()]*)\))?")
# responder pts/0        2026-11-21 22:01   .          1734 (198.51.100.7); newer ones name the service too
_WITH_PID = re.compile(
    r"^(\S+)\s+(?:\S+\s+)?(\S+)\s+(\d{4}-\d\d-\d\d \d\d:\d\d)\s+\S+\s+(\d+)(?:\s+\(([^()]*)\))?"
)


def sessions(timeout: float) -> tuple[Session, ...]:
    answer = run([require("who", "coreutils")], timeout)
    if not answer.ok:
        raise Unreachable("program who", answer.complaint, "See last -n 20.")
    found = (_LINE.match(line) for line in answer.stdout.splitlines())
    return tuple(
        Session(
            user=match.group(1),
            terminal=match.group(2),
            since=match.group(3),
            remote=match.group(4) or "",
            service="",
            state="",
        )
        for match in found
        if match
    )


def logins(timeout: float) -> tuple[Login, ...]:
    """The same, with the process of each; utmp has no ids for them."""
    answer = run([require("who", "coreutils"), "-u"], timeout)
    if not answer.ok:
        raise Unreachable("program who", answer.complaint, "See last -n 20.")
    found = (_WITH_PID.match(line) for line in answer.stdout.splitlines())
    return tuple(
        Login(
            user=match.group(1),
            terminal=match.group(2),
            since=match.group(3),
            leader=int(match.group(4)),
            remote=match.group(5) or "",
            service="",
            state="",
        )
        for match in found
        if match
    )
