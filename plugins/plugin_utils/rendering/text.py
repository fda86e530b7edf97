# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for a screen: safe, short, the same everywhere.

Much of what is shown was chosen by an attacker: user names, request paths, log lines. Nothing reaches a
terminal, a log or a report but through `clean`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

LONGEST = 2000
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
# Controls, format characters (bidirectional overrides, zero width), lone surrogates, private use,
# line and paragraph separators: what moves the cursor, turns text around or hides it.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(value: Any) -> str:
    """One line in which every character is visible: the others are written as escapes."""
    return _safe(str(value).strip())


def clean_lines(value: Any) -> list[str]:
    """The same for text of several lines, with their indentation; empty lines are dropped."""
    lines = (_safe(line.rstrip()) for line in str(value).split("\n"))
    return [line for line in lines if line]


def markdown(value: Any) -> str:
    """One line that means nothing in Markdown but itself."""
    return _MARKDOWN.sub(r"\\\1", clean(value))


def _safe(text: str) -> str:
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]} ... ({len(text) - LONGEST} more characters)"
    text = text.replace("\t", "    ")
    return text if text.isascii() and text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode_escape").decode("ascii")


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def listing(names: Sequence[str], most: int = 5) -> str:
    """Names as a person says them: all while they are few, else the first ones and how many follow."""
    shown = [clean(name) for name in names]
    if len(shown) <= most + 1:
        return ", ".join(shown)
    return f"{', '.join(shown[:most])} and {len(shown) - most} more"
