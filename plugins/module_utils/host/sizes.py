# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares and sizes as the sentences of this domain say them."""

from __future__ import annotations

MIB, GIB = 1024**2, 1024**3


def share(part: float, whole: float) -> float:
    """In percent."""
    return round(100.0 * part / whole, 1) if whole > 0 else 100.0


def size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
