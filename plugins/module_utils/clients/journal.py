# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal as something that takes room."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Callable

from ..errors import Unreachable
from .command import find, require, run

DIRECTORIES = ("/var/log/journal", "/run/log/journal")
TIMEOUT = 60.0


def sizes() -> dict[str, int]:
    """The bytes that the files of this machine take, by directory; only where there are some."""
    found = {}
    for directory in DIRECTORIES:
        taken = 0
        for path in Path(directory).glob("*/*.journal*"):
            with contextlib.suppress(OSError):
                taken += path.lstat().st_blocks * 512
        if taken:
            found[directory] = taken
    return found


def can_vacuum() -> bool:
    return find("journalctl") is not None


def vacuum(keep: int, size: Callable[[], int]) -> None:
    """Drop what is oldest until `keep` bytes are left. Raises `Unreachable`.

    What is archived goes first: on a full disk there is no room for the new file that rotating needs.
    """
    journalctl = require("journalctl", "systemd")
    for words in (["--rotate"], [f"--vacuum-size={keep}"]):
        # A rotation that has no room fails here and is tried again.
        run([journalctl, *words], TIMEOUT)
        if size() <= keep:
            return
    run([journalctl, "--rotate"], TIMEOUT)
    answer = run([journalctl, f"--vacuum-size={keep}"], TIMEOUT)
    if not answer.ok:
        raise Unreachable("the journal", answer.complaint, "Run journalctl --vacuum-size by hand.")
