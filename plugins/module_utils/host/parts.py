# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps one thing that cannot be seen from hiding all the others."""

from __future__ import annotations

from typing import Any, Callable, TypeVar

from ..errors import FirebreakError

Value = TypeVar("Value")


class Parts:
    """`unseen` maps the name of a part to the reason why nothing is known of it."""

    def __init__(self) -> None:
        self.unseen: dict[str, str] = {}

    def see(self, name: str, look: Callable[..., Value], *args: Any) -> Value | None:
        try:
            return look(*args)
        except FirebreakError as error:
            self.unseen[name] = str(error)
        except (ValueError, IndexError) as error:
            self.unseen[name] = f"{name}: the answer was not understood ({error})"
        return None
