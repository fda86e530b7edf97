# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence that only programs of the host can tell. Each is named with the sha256 of its file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Sequence

from ..clients import quiet_files
from ..clients.command import find, run
from .catalogue import Program
from .model import ABSENT, TOOL, UNREADABLE, Means, Missing, Opened, Part, Read
from .state import cut_to

HASHED_PROGRAM = 64 * 1024 * 1024
JOURNAL_SECONDS = 60.0
# Less than this is not worth another look.
LEAST_ROOM = 64 * 1024


def program(name: str, source: Program, means: Means) -> Opened:
    if source.only_if and not Path(source.only_if).exists():
        return Opened((), [Missing(name, ABSENT, f"there is no {source.only_if} on this host")])
    path = find(source.argv[0])
    if path is None:
        cause = ABSENT if source.optional else TOOL
        reason = f"the program {source.argv[0]} (package {source.package}) is not on this host"
        return Opened((), [Missing(name, cause, reason)])
    argv = [path, *source.argv[1:]]

    def read(_more: Any, room: int) -> Read:
        answer = run(argv, timeout=means.deadline.remaining(source.timeout), budget=room)
        output = cut_to(answer.stdout.encode("utf-8", "replace"), room)
        cut = f"it printed more than {room} bytes" if answer.truncated else output.cut
        complaint = answer.complaint if answer.code and answer.stderr.strip() else None
        return Read(output.data, cut=cut, code=answer.code, complaint=complaint)

    return Opened([_part(argv, read, resumable=False)])


def journal(means: Means) -> Opened:
    """The newest entry first, so that a short budget costs the oldest. Goes on behind a cursor."""
    path = find("journalctl")
    if path is None:
        return Opened((), [Missing("journal", TOOL, "the program journalctl (package systemd) is not here")])
    argv = [path, "--no-pager", "--quiet", "--all", "--output=json", "--reverse"]

    def read(more: Any, room: int) -> Read:
        cursor, spent = more or ["", 0]
        room = min(room, means.most - spent)
        # It takes a cursor or a time, not both.
        since = [] if means.full else [f"--since=@{int(means.since)}"]
        place = [f"--after-cursor={cursor}"] if cursor else since
        answer = run([*argv, *place], timeout=means.deadline.remaining(JOURNAL_SECONDS), budget=room)
        data = answer.stdout.encode("utf-8", "replace")[:room]
        complaint = answer.complaint if answer.code else None
        whole = not answer.truncated
        if not whole:
            data = data[: data.rfind(b"\n") + 1]
        if not means.full:
            kept = _since(data, means.since)
            whole = whole or len(kept) < len(data)
            data = kept
        if whole:
            return Read(data, code=answer.code, complaint=complaint)
        spent += len(data)
        cursor = str(_field(_last_line(data), "__CURSOR") or "")
        if not cursor:
            return Read(data, cut="the rest: an entry is too large to be read", code=answer.code)
        if spent >= means.most - LEAST_ROOM:
            return Read(data, cut=f"all before that: {spent} bytes is its share of the budget", code=0)
        return Read(data, more=[cursor, spent], code=0)

    missing = []
    if os.geteuid():
        reason = "only root sees it: run as root (become: true)"
        missing.append(Missing("journal of other users", UNREADABLE, reason))
    return Opened([_part(argv, read)], missing)


def _since(data: bytes, since: float) -> bytes:
    """Without the entries at the end that are older."""
    while data:
        line = _last_line(data)
        stamp = str(_field(line, "__REALTIME_TIMESTAMP") or "")
        if not stamp.isdigit() or int(stamp) / 1e6 >= since:
            break
        data = data[: len(data) - len(line)]
    return data


def _last_line(data: bytes) -> bytes:
    return data[data.rfind(b"\n", 0, len(data) - 1) + 1 :]


def _field(line: bytes, name: str) -> Any:
    try:
        return json.loads(line)[name]
    except (ValueError, KeyError, TypeError):
        return None


def _part(argv: Sequence[str], read: Any, resumable: bool = True) -> Part:
    try:
        digest = quiet_files.sha256_of(os.path.realpath(argv[0]), HASHED_PROGRAM)
    except OSError:
        digest = None
    return Part("", "command", argv[0], read, resumable, argv, digest)
