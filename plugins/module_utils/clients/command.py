# SPDX-License-Identifier: GPL-3.0-or-later
"""Child processes, each with a deadline and a bound on what it may print."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Mapping, Sequence

from ..errors import Unreachable

# cron, sudo and minimal containers leave these out, and half of the administrator's programs live there.
SEARCH = os.pathsep.join(
    [
        os.environ.get("PATH", ""),
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ]
)
OUTPUT_BUDGET = 8 * 1024 * 1024
# Where the controller has Python unpack a module, so that it runs on a full disk too. After TMPDIR and before
# /tmp; in this order, for the first is everybody's, the second root's.
UNPACKED_IN = {"TEMP": "/dev/shm", "TMP": "/run"}


@dataclass(frozen=True)
class Completed:
    """What a child process left: exit code and text. `truncated` when it printed more than was read."""

    argv: Sequence[str]
    code: int
    stdout: str
    stderr: str
    truncated: bool = False

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def complaint(self) -> str:
        """The last thing the program said, for a message."""
        lines = [line.strip() for line in (self.stderr or self.stdout).splitlines() if line.strip()]
        return lines[-1] if lines else f"exit code {self.code} and no message"


def find(program: str) -> str | None:
    """The full path of a program, or None when the host does not have it."""
    return shutil.which(program, path=SEARCH)


def require(program: str, package: str) -> str:
    """The full path of a program; `Unreachable` names the package that brings it."""
    path = find(program)
    if path is None:
        raise Unreachable(
            f"program {program}", "it is not on this host", f"It comes with the package {package}."
        )
    return path


def run(
    argv: Sequence[str],
    timeout: float = 10.0,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    budget: int = OUTPUT_BUDGET,
) -> Completed:
    """Run `argv` without a shell, in the C locale. Secrets go in `env` or `stdin`, never in `argv`.

    `timeout` is in seconds, `budget` in bytes for each of stdout and stderr. The whole process group
    is ended when the time is over or the budget is spent; the former raises `Unreachable`.
    """
    process = start(argv, env)
    deadline = time.monotonic() + timeout
    try:
        streams = _Streams(process, stdin.encode(), budget)
        if not streams.served_until(deadline):
            raise timed_out(argv, timeout)
        code = 0 if streams.truncated else process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise timed_out(argv, timeout) from None
    finally:
        end(process)
    return Completed(tuple(argv), code, streams.text("stdout"), streams.text("stderr"), streams.truncated)


class _Streams:
    """Feeds a child and reads from it, all at once, so that neither side can block the other."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes, budget: int) -> None:
        self._read = {"stdout": bytearray(), "stderr": bytearray()}
        self._stdin, self._budget = stdin, budget
        self._selector = selectors.DefaultSelector()
        for name in self._read:
            self._selector.register(getattr(process, name), selectors.EVENT_READ, name)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            self._selector.register(process.stdin, selectors.EVENT_WRITE)

    @property
    def truncated(self) -> bool:
        return any(len(data) > self._budget for data in self._read.values())

    def text(self, name: str) -> str:
        return bytes(self._read[name][: self._budget]).decode("utf-8", "replace")

    def served_until(self, deadline: float) -> bool:
        """False when the time was over before the child had closed its streams."""
        with self._selector:
            while self._selector.get_map() and not self.truncated:
                ready = self._selector.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    return False
                for key, _events in ready:
                    self._serve(key)
        return True

    def _serve(self, key: selectors.SelectorKey) -> None:
        if key.data is None:
            self._feed(key)
            return
        data = os.read(key.fd, 65536)
        self._read[key.data] += data
        if not data:
            self._selector.unregister(key.fileobj)

    def _feed(self, key: selectors.SelectorKey) -> None:
        try:
            self._stdin = self._stdin[os.write(key.fd, self._stdin[:65536]) :] if self._stdin else b""
        except BrokenPipeError:
            self._stdin = b""
        if not self._stdin:
            self._selector.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]


def start(
    argv: Sequence[str],
    env: Mapping[str, str] | None = None,
    stdin: int = subprocess.PIPE,
    stdout: int = subprocess.PIPE,
    cwd: str | None = None,
) -> subprocess.Popen[bytes]:
    """A child in a process group of its own, without a shell, in the C locale. Raises `Unreachable`."""
    try:
        return subprocess.Popen(
            list(argv),
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env={**environment(), **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as error:
        raise Unreachable(
            f"program {argv[0]}", str(error.strerror), "See that it can be executed."
        ) from error


def environment() -> dict[str, str]:
    """What a child inherits. Not the memory in which this module lies: it may want room for a whole dump."""
    own = UNPACKED_IN.values()
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("TMPDIR", *UNPACKED_IN) or value not in own
    }
    return {**kept, "PATH": SEARCH, "LC_ALL": "C", "LANGUAGE": "C"}


def timed_out(argv: Sequence[str], timeout: float) -> Unreachable:
    return Unreachable(
        f"program {argv[0]}",
        f"it did not finish within {timeout:g} s",
        "It was ended; see what it waits for.",
    )


def end(process: subprocess.Popen[bytes], grace: float = 0.0) -> None:
    """End its process group, if it has not ended, and close its streams.

    With `grace` seconds it is asked to first, by SIGINT.
    """
    signals = ((signal.SIGINT, grace), (signal.SIGKILL, None)) if grace else ((signal.SIGKILL, None),)
    for chosen, seconds in signals:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(process.pid, chosen)
                process.wait(seconds)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()
