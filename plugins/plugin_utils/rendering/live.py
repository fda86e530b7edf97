# SPDX-License-Identifier: GPL-3.0-or-later
"""The line at the foot of the terminal that says what runs now, on which hosts, for how long.

Ansible forks for every task, and it holds the display's lock while it does so. Everything here happens
under that lock: a thread that held any other lock at that moment would leave it locked in the child for
ever, which is why this is not a live display of rich's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TextIO

TICK_SECONDS = 0.12
# The line is drawn below an empty one on which the cursor waits: what others write (a warning, an
# error of Ansible's own) then starts on a clean line, and the next tick clears what is below.
_DRAW = "\x1b[J\n{}\x1b[A\r"
_CLEAR = "\x1b[J"


class LiveLine:
    """Draws what `describe` gives, a text for a number of ticks or None, until it is stopped."""

    def __init__(
        self, stream: TextIO, lock: AbstractContextManager[Any], describe: Callable[[int], str | None]
    ) -> None:
        self._stream = stream
        self._lock = lock
        self._describe = describe
        self._drawn = False
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="firebreak-live", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self.clear()

    def clear(self) -> None:
        """Take the line away, to write something else; the next tick brings it back."""
        with self._lock:
            if self._drawn:
                self._write(_CLEAR)
                self._drawn = False

    def draw(self, tick: int) -> None:
        with self._lock:
            text = None if self._over.is_set() else self._describe(tick)
            if text is None:
                self.clear()
            else:
                self._write(_DRAW.format(text))
                self._drawn = True

    def _run(self) -> None:
        tick = 0
        while not self._over.wait(TICK_SECONDS):
            tick += 1
            self.draw(tick)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
