# SPDX-License-Identifier: GPL-3.0-or-later
"""Who became root, and who was refused: what sudo logged, in the journal or else in its log file."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Iterable, Iterator, Mapping

from ..clients.command import find
from ..clients.logs import Record, find_logs, line_start, newest_records, read_blocks
from ..clients.systemd import booted
from ..deadlines import Outcome
from ..finding import NOTICE, WARNING, Finding
from ..log_times import Clock
from ..logins.parse import readable
from ..quantities import parse_duration, speak_count, speak_duration

BUDGET = 2 * 1024 * 1024
LOGS = ("/var/log/auth.log", "/var/log/secure")
REFUSED_MANY = 3
TOLD = 5

# alice : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id -u
_USE = re.compile(
    r" *([^ ]+) : (?:((?![A-Z]+=)[^;=]+?) ; )?(?:[A-Z]+=[^;]* ; )*?USER=([^ ;]+) ; (?:[A-Z]+=[^;]* ; )*?"
    r"COMMAND=([^ ]+)"
)
_TRIES = re.compile(r"(\d{1,6}) incorrect password attempt")
_SYSLOG = re.compile(rb" sudo(?:\[\d+\])?: ([^\n]*)")
# `sudo -n` of a script, or of a prompt that asks whether a password would be needed.
_ONLY_ASKED = "a password is required"


@dataclass(frozen=True)
class Use:
    """One call of sudo. `problem` is why it was refused; `tries` counts the wrong passwords, or 1.

    Of the command only the program is kept: its arguments may hold secrets.
    """

    time: float
    user: str
    target: str
    program: str
    problem: str = ""
    tries: int = 0


@dataclass(frozen=True)
class Uses:
    """All calls that were logged within `window` seconds."""

    window: int
    calls: tuple[Use, ...] = ()


@dataclass
class _User:
    used: int = 0
    refused: int = 0
    targets: set[str] = field(default_factory=set)
    programs: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)


def observe(asked: str, now: float, timeout: float) -> Uses:
    """What sudo logged in the window `asked` for, until `now`.

    Raises `BadInput`, and `Unreachable` when its log cannot be read.
    """
    window = parse_duration(asked)
    if booted() and find("journalctl"):
        records, _cut = newest_records(["SYSLOG_IDENTIFIER=sudo"], ["MESSAGE"], now - window, BUDGET, timeout)
        return Uses(window, tuple(_of_records(records)))
    files, troubles = find_logs(LOGS)
    if troubles:
        raise troubles[0]
    clock = Clock(now)
    blocks = (block for file in files for block in read_blocks(file, line_start(file, file.size - BUDGET)))
    return Uses(window, tuple(use for use in _of_blocks(blocks, clock) if use.time >= now - window))


def parse_use(time: float, message: str) -> Use | None:
    """What a line of sudo says; None for the others of its lines, such as those of PAM."""
    match = _USE.match(message)
    if match is None:
        return None
    user, problem, target, command = match.groups()
    wrong = _TRIES.match(problem or "")
    tries = int(wrong.group(1)) if wrong else int(bool(problem) and problem != _ONLY_ASKED)
    shown = [readable(text.encode("utf-8", "replace")) for text in (user, target, command, problem or "")]
    return Use(time, shown[0], shown[1], shown[2], shown[3], tries)


def _of_records(records: Iterable[Record]) -> Iterator[Use]:
    return filter(None, (parse_use(record.time, record.fields.get("MESSAGE", "")) for record in records))


def _of_blocks(blocks: Iterable[bytes], clock: Clock) -> Iterator[Use]:
    for block in blocks:
        for match in _SYSLOG.finditer(block):
            line = block[block.rfind(b"\n", 0, match.start()) + 1 : match.start()]
            time = clock.line(line + b" ")
            use = parse_use(time, match.group(1).decode("utf-8", "replace")) if time is not None else None
            if use is not None:
                yield use


def judge(seen: Outcome[Uses]) -> tuple[Mapping[str, Any] | None, list[Finding]]:
    """Who used it and who was refused, by user. To become root is not wrong; to try in vain may be."""
    if seen.value is None:
        return None, [_unseen(str(seen.unseen))]
    users: dict[str, _User] = {}
    for use in seen.value.calls:
        user = users.setdefault(use.user, _User())
        if use.problem:
            user.refused += use.tries
            user.problems[use.problem] += 1
        else:
            user.used += 1
            user.targets.add(use.target)
            user.programs[use.program] += 1
    data = {name: _data(user) for name, user in users.items()}
    refused = ((name, user) for name, user in users.items() if user.refused >= REFUSED_MANY)
    return data, [_refused(name, user, seen.value.window) for name, user in refused]


def _unseen(reason: str) -> Finding:
    return Finding(
        id="logins.sudo.unseen",
        level=NOTICE,
        subject="sudo",
        summary=f"who became root, and who tried, is not known: {reason}",
        evidence={"reason": reason},
    )


def _data(user: _User) -> dict[str, Any]:
    return {
        "used": user.used,
        "refused": user.refused,
        "as": sorted(user.targets),
        "programs": dict(user.programs.most_common(TOLD)),
        "problems": dict(user.problems),
    }


def _refused(name: str, user: _User, window: int) -> Finding:
    why = "; ".join(
        f"{problem} ({speak_count(times, 'call')})" for problem, times in user.problems.most_common()
    )
    then = f", and was let through {speak_count(user.used, 'time')}" if user.used else ""
    return Finding(
        id="logins.sudo.refused",
        level=WARNING,
        subject=f"account {name}",
        summary=f"sudo refused {name} {speak_count(user.refused, 'time')} within {speak_duration(window)}"
        f"{then}: {why}. Ask its owner: who is in an account tries this first",
        evidence={"user": name, **_data(user)},
    )
