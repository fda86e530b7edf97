# SPDX-License-Identifier: GPL-3.0-or-later
"""The acts of a restore and those that take them back."""

from __future__ import annotations

from datetime import datetime
from typing import Callable, Mapping

from ...lifecycle import Performer
from ...moments import utc_now
from ..entry import WayIn
from .copies import Copies
from .model import Report
from .swap import Swaps

LOAD_SECONDS = 3600.0


def performers(
    way: WayIn,
    report: Report | None = None,
    seconds: float = LOAD_SECONDS,
    clock: Callable[[], datetime] = utc_now,
) -> Mapping[str, Performer]:
    """`way` leads to the server that an identity names. `seconds` are for loading, and for checking."""
    copies, swaps = Copies(way, report or Report(), seconds, clock), Swaps(way, clock)
    return {
        "postgres.restore.create": copies.create,
        "postgres.restore.load": copies.load,
        "postgres.restore.check": copies.check,
        "postgres.restore.drop": copies.drop,
        "postgres.restore.swap": swaps.swap,
        "postgres.restore.swap_back": swaps.swap_back,
    }
