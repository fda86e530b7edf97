# SPDX-License-Identifier: GPL-3.0-or-later
"""Which release is checked out, and since when, read from git's own files.

git itself is not asked: it refuses other people's repositories, and may run what their configuration says.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import Unreachable

TAIL = 64 * 1024
# old new Name <mail> 1795304127 +0000<TAB>checkout: moving from main to v1.2.3
_ENTRY = re.compile(r"([0-9a-f]{40,64}) ([0-9a-f]{40,64}) (.*) <[^>]*> ([0-9]{1,12}) [+-][0-9]{4}\t?(.*)")


@dataclass(frozen=True)
class Move:
    """HEAD went to another commit: `time` in seconds since the epoch, `subject` as git says how."""

    time: float
    old: str
    new: str
    who: str
    subject: str


@dataclass(frozen=True)
class Checkout:
    """`branch` is None when HEAD is detached; `moves` the newest of its log, oldest first."""

    directory: str
    branch: str | None
    commit: str | None
    moves: tuple[Move, ...] = ()


def checkout(directory: str) -> Checkout | None:
    """What is checked out in a directory; None when it is no work tree of git."""
    try:
        folder = _folder(Path(directory))
        if folder is None:
            return None
        head = (folder / "HEAD").read_text(errors="replace").strip()
        moves = _moves(folder / "logs" / "HEAD")
    except OSError as error:
        raise Unreachable(
            f"release {directory}", str(error.strerror), "Run as root (become: true)."
        ) from error
    name = head[len("ref: ") :] if head.startswith("ref: ") else None
    branch = name[len("refs/heads/") :] if name and name.startswith("refs/heads/") else name
    commit = head if name is None else (moves[-1].new if moves else None)
    return Checkout(directory, branch, commit, moves)


def _folder(directory: Path) -> Path | None:
    folder = directory / ".git"
    if folder.is_file():
        # A work tree of another repository, or a submodule: gitdir: /srv/app/.git/worktrees/release
        text = folder.read_text(errors="replace")
        folder = directory / text.partition("gitdir: ")[2].strip()
    return folder if (folder / "HEAD").is_file() else None


def _moves(log: Path) -> tuple[Move, ...]:
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - TAIL))
            lines = stream.read(TAIL).decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return ()
    found = (_ENTRY.fullmatch(line) for line in lines)
    return tuple(
        Move(float(match.group(4)), match.group(1), match.group(2), match.group(3), match.group(5))
        for match in found
        if match
    )
