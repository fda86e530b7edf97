# SPDX-License-Identifier: GPL-3.0-or-later
"""What every view can show. Each method gives the text to write, ready for its medium."""

from __future__ import annotations

from typing import Protocol

from .command import Launcher
from .model import Begun, Closing, Header, Step


class View(Protocol):
    def header(self, header: Header) -> str: ...

    def begun(self, begun: Begun) -> str: ...

    def play(self, name: str) -> str: ...

    def step(self, step: Step, launcher: Launcher, everything: bool) -> str: ...

    def closing(self, closing: Closing) -> str: ...

    def notice(self, text: str) -> str: ...
