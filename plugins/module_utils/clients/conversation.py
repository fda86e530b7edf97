# SPDX-License-Identifier: GPL-3.0-or-later
"""A child process that is asked again and again, where starting it anew costs more than asking it."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from typing import Mapping, Sequence

from ..errors import Unreachable
from .command import OUTPUT_BUDGET, Completed, end, start

CHUNK = 65536


class Conversation:
    """Runs `argv` as `command.run` does, but stays. It ends by itself when its standard input does."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self._argv = tuple(argv)
        self._process = start(self._argv, env)

    def ask(self, text: str, last: str, timeout: float, budget: int = OUTPUT_BUDGET) -> Completed:
        """Say `text`; what it answers before the line `last`, with code 0, or the code that it ended with.

        `timeout` is in seconds, `budget` in bytes. When the time is over, or it ends with code 0 before that
        line, it is done with and `Unreachable` raised.
        """
        deadline = time.monotonic() + timeout
        exchange = _Exchange(self._process, text.encode(), last.encode() + b"\n", budget)
        finished = exchange.served_until(deadline)
        if exchange.answered or exchange.truncated:
            return self._completed(0, exchange)
        code = self._ended(deadline) if finished else None
        if code:
            return self._completed(code, exchange)
        self.close()
        said = "it ended before it had answered" if finished else f"it did not answer within {timeout:g} s"
        raise Unreachable(
            f"program {self._argv[0]}", said, "See what it waits for, and that it runs by hand."
        )

    def close(self) -> None:
        """End it. There is nothing more to ask."""
        end(self._process)

    def _ended(self, deadline: float) -> int | None:
        try:
            return self._process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return None

    def _completed(self, code: int, exchange: _Exchange) -> Completed:
        stdout, stderr = (bytes(data).decode("utf-8", "replace") for data in exchange.read.values())
        return Completed(self._argv, code, stdout, stderr, exchange.truncated)


class _Exchange:
    """Feeds it and reads from it at once, so that neither side can block the other."""

    def __init__(self, process: subprocess.Popen[bytes], text: bytes, last: bytes, budget: int) -> None:
        self.read = {"stdout": bytearray(), "stderr": bytearray()}
        self.answered = False
        self._text, self._last, self._budget = text, last, budget
        self._selector = selectors.DefaultSelector()
        for name in self.read:
            self._selector.register(getattr(process, name), selectors.EVENT_READ, name)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            self._selector.register(process.stdin, selectors.EVENT_WRITE)

    @property
    def truncated(self) -> bool:
        return any(len(data) > self._budget for data in self.read.values())

    def served_until(self, deadline: float) -> bool:
        """False when the time was over before it had answered or ended."""
        with self._selector:
            while any(key.data for key in self._selector.get_map().values()):
                ready = self._selector.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    return False
                for key, _events in ready:
                    self._serve(key)
                if self.answered or self.truncated:
                    break
        return True

    def _serve(self, key: selectors.SelectorKey) -> None:
        if key.data is None:
            self._feed(key)
            return
        data = os.read(key.fd, CHUNK)
        if not data:
            self._selector.unregister(key.fileobj)
            return
        said = self.read[key.data]
        said += data
        if key.data == "stdout" and said.endswith(self._last) and said[: -len(self._last)][-1:] in b"\n":
            del said[-len(self._last) :]
            self.answered = True

    def _feed(self, key: selectors.SelectorKey) -> None:
        try:
            self._text = self._text[os.write(key.fd, self._text[:CHUNK]) :]
        except BrokenPipeError:
            self._text = b""
        if not self._text:
            self._selector.unregister(key.fileobj)
