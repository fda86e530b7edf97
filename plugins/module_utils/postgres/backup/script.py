# SPDX-License-Identifier: GPL-3.0-or-later
"""The site's own backup script, run as somebody."""

from __future__ import annotations

import os
import pwd
from typing import Mapping, Sequence

from ...clients.command import Completed, find, run
from ...errors import BadInput, Unreachable

LAST_LINES, LAST_CHARACTERS = 5, 1000


def ask(argv: Sequence[str], user: str | None, seconds: float) -> str:
    """Run it to a good end; the last of what it said. Raises `BadInput` or `Unreachable`."""
    prefix, env = _as_user(user)
    done = run([*prefix, *argv], seconds, env=env)
    said = _last_words(done)
    if done.code or done.truncated:
        problem = "it prints without end" if done.truncated else f"it ended with {done.code}"
        raise Unreachable(f"command {argv[0]}", f"{problem}: {said}", "Run it by hand.")
    return said


def _as_user(name: str | None) -> tuple[Sequence[str], Mapping[str, str]]:
    """What stands before a command for it to run as somebody, in all their groups and from a place they may
    be in; and the environment they expect."""
    try:
        entry = pwd.getpwnam(name) if name else pwd.getpwuid(os.geteuid())
    except KeyError:
        raise BadInput(f"user {name}", "this host has none of that name", "See command_user.") from None
    env = {"HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name}
    there = ("env", "-C", "/")
    if entry.pw_uid == os.geteuid():
        return there, env
    setpriv = find("setpriv")
    if setpriv is None:
        return ("runuser", "-u", entry.pw_name, "--", *there), env
    return (setpriv, f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups", *there), env


def _last_words(done: Completed) -> str:
    lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    return " | ".join(lines[-LAST_LINES:])[-LAST_CHARACTERS:] or "it said nothing"
