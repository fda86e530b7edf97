# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether somebody keeps this host's clock right, asked of the kernel and of chrony."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from ..errors import FirebreakError
from .command import find, run

UNSYNCHRONISED = 0x0040
CONTAINER = Path("/run/systemd/container")
# What a daemon that keeps the time leaves while it runs.
KEEPERS = (
    ("chrony", Path("/run/chrony/chronyd.pid")),
    ("chrony", Path("/run/chronyd.pid")),
    ("ntp", Path("/run/ntpd.pid")),
    ("systemd-timesyncd", Path("/run/systemd/timesync")),
    ("openntpd", Path("/run/openntpd.pid")),
)


@dataclass(frozen=True)
class Clock:
    """Seconds. `keeper` is the program that sets it, None when none runs here; in a container none should.

    `synchronised` and `error` (the kernel's bound) are None where the kernel does not tell, `offset` is
    chrony's estimate of how far off the clock is.
    """

    synchronised: bool | None
    error: float | None
    keeper: str | None
    container: bool
    offset: float | None = None


def read(timeout: float) -> Clock:
    keeper = next((name for name, path in KEEPERS if path.exists()), None)
    container = CONTAINER.exists()
    # The clock of a container is its host's, and that is where it is asked about.
    synchronised, error = (None, None) if container and keeper is None else _kernel()
    return Clock(synchronised, error, keeper, container, _chrony(timeout) if keeper == "chrony" else None)


def parse_tracking(text: str) -> float | None:
    """`chronyc -c tracking`, whose fifth field is the offset in seconds; None while it has none."""
    fields = text.strip().split(",")
    try:
        return float(fields[4]) if len(fields) > 13 and fields[13] != "Not synchronised" else None
    except ValueError:
        return None


def _kernel() -> tuple[bool | None, float | None]:
    """adjtimex(2), which only reads when nothing is set."""
    import ctypes

    # struct timex: modes, then longs: offset, frequency, largest and estimated error; status as an int.
    buffer = ctypes.create_string_buffer(struct.pack("@I", 0), 512)
    try:
        state = ctypes.CDLL(None).adjtimex(buffer)
    except (OSError, AttributeError):
        return None, None
    if state < 0:
        return None, None
    _modes, _offset, _frequency, largest, _estimated, status = struct.unpack_from("@Illlli", buffer)
    return not status & UNSYNCHRONISED, largest / 1e6


def _chrony(timeout: float) -> float | None:
    program = find("chronyc")
    if program is None:
        return None
    try:
        return parse_tracking(run([program, "-c", "-n", "tracking"], timeout=timeout).stdout)
    except FirebreakError:
        return None
