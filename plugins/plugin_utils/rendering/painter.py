# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the terminal's view into the escape sequences that the terminal at hand understands."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TextIO

from .command import Launcher
from .model import Begun, Closing, Header, Step
from .screen import HAS_RICH, Screen

if HAS_RICH:
    from rich.console import Console
    from rich.text import Text


class Painter:
    """A `View` in colour. Colours are left out when `color` is False or the terminal has none."""

    def __init__(self, stream: TextIO, color: bool = True, force: bool = False) -> None:
        self._console = Console(
            file=stream,
            force_terminal=force or None,
            no_color=not color,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=True,
        )
        self._after_blank = False

    @property
    def screen(self) -> Screen:
        """Asked anew each time: windows are resized."""
        return Screen(self._console.width, ascii_only=os.environ.get("TERM") == "linux")

    def header(self, header: Header) -> str:
        return self._paint(self.screen.header(header))

    def begun(self, begun: Begun) -> str:
        return self._paint(self.screen.begun(begun))

    def play(self, name: str) -> str:
        return self._paint(self.screen.play(name))

    def step(self, step: Step, launcher: Launcher, everything: bool) -> str:
        return self._paint(self.screen.step(step, launcher, everything))

    def closing(self, closing: Closing) -> str:
        return self._paint(self.screen.closing(closing))

    def notice(self, text: str) -> str:
        return self._paint(self.screen.notice(text))

    def _paint(self, lines: Sequence[Text]) -> str:
        """Two events that both keep a blank line between themselves and others share it."""
        skip = 1 if self._after_blank and lines and not lines[0].plain else 0
        self._after_blank = bool(lines) and not lines[-1].plain
        with self._console.capture() as capture:
            for line in lines[skip:]:
                self._console.print(line, soft_wrap=True)
        return capture.get()
