# SPDX-License-Identifier: GPL-3.0-or-later
"""A child process with a file at either end: whatever its size, little of it is in memory at a time."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from typing import Mapping, Protocol, Sequence

from .command import Completed, end, start, timed_out

CHUNK = 256 * 1024
STDERR_KEPT = 64 * 1024
# The clients of PostgreSQL take back at SIGINT what they have the server do; SIGKILL would leave it at that.
GRACE_SECONDS = 2.0


class Source(Protocol):
    """What can be read from: any file opened in binary mode."""

    def read(self, __size: int) -> bytes: ...


class Sink(Protocol):
    """What can be written to: any file opened in binary mode, which takes all that it is given."""

    def write(self, __data: bytes) -> object: ...


class Tail:
    """The last of what a program said, `kept` bytes of it at least."""

    def __init__(self, kept: int = STDERR_KEPT) -> None:
        self._kept, self._data = kept, bytearray()

    def add(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > 2 * self._kept:
            del self._data[: -self._kept]

    def __str__(self) -> str:
        return bytes(self._data[-self._kept :]).decode("utf-8", "replace")


def pipe(
    argv: Sequence[str],
    timeout: float,
    source: Source | None = None,
    sink: Sink | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run `argv` without a shell, in the C locale, fed from `source`; what it gives goes to `sink`.

    Without a sink its output is thrown away. A program that stops reading is not fed any further; that is
    no error. `stderr` is the last 64 KiB. Raises `Unreachable` when it cannot be started or the time (in
    seconds) is over, and passes on what the files raise; the whole process group is ended either way.
    """
    process = start(
        argv,
        env,
        stdin=subprocess.DEVNULL if source is None else subprocess.PIPE,
        stdout=subprocess.DEVNULL if sink is None else subprocess.PIPE,
        # Where whoever it runs as may be; pg_dumpall looks where it is.
        cwd="/",
    )
    deadline = time.monotonic() + timeout
    try:
        said = _Pump(process, source, sink).served_until(deadline)
        code = None if said is None else process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        code = None
    finally:
        end(process, GRACE_SECONDS)
    if code is None:
        raise timed_out(argv, timeout)
    return Completed(tuple(argv), code, "", str(said))


class _Pump:
    def __init__(self, process: subprocess.Popen[bytes], source: Source | None, sink: Sink | None) -> None:
        self._source, self._sink, self._stdin = source, sink, process.stdin
        self._pending = memoryview(b"")
        self._said = Tail()
        self._selector = selectors.DefaultSelector()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                self._selector.register(stream, selectors.EVENT_READ, stream is process.stdout)
        if self._stdin is not None:
            os.set_blocking(self._stdin.fileno(), False)
            self._selector.register(self._stdin, selectors.EVENT_WRITE)

    def served_until(self, deadline: float) -> Tail | None:
        """What it said on stderr; None when the time was over before it had closed its streams."""
        with self._selector:
            while self._selector.get_map():
                left = deadline - time.monotonic()
                ready = self._selector.select(max(0.0, left))
                # One that never falls silent is late as well.
                if not ready or left <= 0:
                    return None
                for key, _events in ready:
                    self._serve(key)
        return self._said

    def _serve(self, key: selectors.SelectorKey) -> None:
        if key.data is None:
            self._feed(key)
            return
        data = os.read(key.fd, CHUNK)
        if not data:
            self._selector.unregister(key.fileobj)
        elif key.data and self._sink is not None:
            self._sink.write(data)
        else:
            self._said.add(data)

    def _feed(self, key: selectors.SelectorKey) -> None:
        if not self._pending and self._source is not None:
            self._pending = memoryview(self._source.read(CHUNK))
        over = not self._pending
        try:
            self._pending = self._pending[os.write(key.fd, self._pending) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            over = True
        if over and self._stdin is not None:
            self._selector.unregister(key.fileobj)
            self._stdin.close()
