# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether who writes to a directory can: as its owner, not as root, for whom room is kept."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Callable

SECONDS, POLL_SECONDS = 5.0, 0.01
BYTES = 4096


def can_write(directory: str) -> str | None:
    """Why its owner cannot make, fill and delete a file there; None when that went well.

    A child does it, with the owner's rights, and is ended when the disk never answers.
    """
    try:
        status = Path(directory).stat()
    except OSError as error:
        return error.strerror or str(error)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os._exit(_tried(directory, status, lambda text: os.write(write, text)))
    os.close(write)
    try:
        end = time.monotonic() + SECONDS
        while True:
            pid, code = os.waitpid(child, os.WNOHANG)
            if pid:
                said = os.read(read, 512).decode("utf-8", "replace")
                return None if code == 0 else said or "it ended without a word"
            if time.monotonic() > end:
                os.kill(child, signal.SIGKILL)
                return f"nothing was written within {SECONDS:g} s"
            time.sleep(POLL_SECONDS)
    finally:
        os.close(read)


def _tried(directory: str, status: os.stat_result, say: Callable[[bytes], int]) -> int:
    try:
        if os.geteuid() == 0 and status.st_uid:
            os.setgroups([])
            os.setgid(status.st_gid)
            os.setuid(status.st_uid)
        path = f"{directory}/.firebreak-{os.getpid()}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            for _block in range(4):
                if os.write(descriptor, b"\n" * BYTES) != BYTES:
                    raise OSError(28, "No space left on device")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            Path(path).unlink()
    except BaseException as error:
        say(str(getattr(error, "strerror", None) or error).encode()[:500])
        return 1
    return 0
