# SPDX-License-Identifier: GPL-3.0-or-later
"""How new is told from old where there is no baseline.

1. The clock is ctime. mtime is set with touch, and rsync, tar and dpkg set it too; ctime is set by the kernel
   alone, when content, owner, mode or name change. To forge it one must turn the system clock or write to the
   raw disk. A file whose mtime is older than its ctime is therefore nothing in itself; it is evidence.
2. New is what changed within the window. That an intruder came in before it cannot be told by time at all:
   that is what baselines, content and package checksums are for.
3. A system that is younger than the window is all new, and nothing in it would be remarkable. There, new is
   what changed after the system's own first set-up. Its birth is the median ctime of what is made once, at
   the first boot (machine-id and the host keys of sshd); the median, so that touching one or two of them
   moves nothing. The set-up then lasts for as long as one change to the system (packages, units, system
   files) follows on the other within seconds, and never longer than an hour. The last package operation is
   no such border: it is an hour old on any host with automatic upgrades, and an intruder can cause one.
4. Young systems are so named in a finding, because what was planted during the set-up, or in the image, is
   among what is taken for old.
5. Root can turn back clocks. Nothing on a host proves its innocence; a baseline that is kept elsewhere does
   more, and a rebuild does most.
"""

from __future__ import annotations

from statistics import median
from typing import Iterable, Sequence

from .model import Reference

GAP_SECONDS = 10.0
LONGEST_SETUP_SECONDS = 3600.0


def reference_of(signs: Sequence[float], events: Iterable[float], now: float, window: int) -> Reference:
    """`signs` are the ctimes of what is made at the first boot, `events` those of other changes."""
    begin = now - window
    if not signs:
        return Reference(begin)
    born = median(signs)
    settled = _end_of_setup(born, [*signs, *events])
    return Reference(max(begin, settled), born, settled)


def _end_of_setup(born: float, events: Iterable[float]) -> float:
    end = born
    for moment in sorted(moment for moment in events if born < moment <= born + LONGEST_SETUP_SECONDS):
        if moment - end > GAP_SECONDS:
            break
        end = moment
    # The last change is part of the set-up, although the clock of a file system is coarse.
    return end + 0.1
