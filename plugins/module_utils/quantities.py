# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations, sizes, shares and counts as a person types and says them."""

from __future__ import annotations

import re
from typing import Mapping, Sequence

from .errors import BadInput

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
MIB, GIB = 1024**2, 1024**3
_BYTES = {"": 1, "b": 1, "k": 1024, "m": MIB, "g": GIB, "t": 1024**4}
_QUANTITY = re.compile(r"(\d{1,15})\s*([a-z]*)", re.ASCII)


def parse_duration(text: str | int) -> int:
    """`90`, `90s`, `10m`, `24h`, `7d` or `2w` in whole seconds."""
    return _parse("duration", str(text), _SECONDS, "Write 90s, 10m, 24h or 7d.")


def parse_size(text: str | int) -> int:
    """`4096`, `64k`, `512m`, `512mb`, `2g` or `2GiB` in bytes; a kilobyte is 1024."""
    typed = str(text)
    lowered = re.sub(r"(?<=[kmgt])i?b$", "", typed.strip().lower())
    return _parse("size", lowered, _BYTES, "Write 64k, 512m or 2g.", typed)


def _parse(kind: str, text: str, units: Mapping[str, int], cure: str, typed: str | None = None) -> int:
    found = _QUANTITY.fullmatch(text.strip().lower())
    if found is None or found.group(2) not in units:
        raise BadInput(f"{kind} {typed or text!r}", f"it is not a {kind}", cure)
    return int(found.group(1)) * units[found.group(2)]


def speak_duration(seconds: float) -> str:
    """`45 s`, `10 min`, `24 h`, `7 d`: the largest unit of which there are two, or one exactly."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds == size and unit != "d"):
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def speak_count(number: int, noun: str) -> str:
    """`1 connection`, `2 connections`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def speak_list(names: Sequence[str], most: int) -> str:
    """`a, b and 4 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def speak_size(count: float) -> str:
    """`512 B`, `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def speak_path(path: str) -> str:
    """In one line and without what a terminal would act on: other bytes and characters as escapes."""
    if path.isascii() and path.isprintable():
        return path
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def share(part: float, whole: float) -> float:
    """In percent."""
    return round(100.0 * part / whole, 1) if whole > 0 else 100.0
