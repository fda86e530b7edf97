# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to a suspect host: nothing is written on its disk, and nothing that it says is shown."""

from __future__ import annotations

import contextlib
import re
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from types import FrameType
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable

from .findings import ClockOffset

# Where Python may unpack a module in memory. In this order: the first is everybody's, the second root's.
MEMORY_PLACES = ("/dev/shm", "/run", "/tmp")
MEMORY_KINDS = ("tmpfs", "ramfs")
LOOK_FOR_MEMORY = (
    'while read -r device point kind rest; do case "$point" in /dev/shm|/run|/tmp) '
    '[ -w "$point" ] && echo "$point $kind";; esac; done < /proc/mounts'
)
ASK_FOR_TIME = "date +%s.%N"
CLOCK_TIMES = 2
ANSWER_LIMIT = 4096
AGAIN_SECONDS = 1.0
_EPOCH = re.compile(r"\d{9,11}\.\d{9}")

Run = Callable[[str, bool], str]


@contextlib.contextmanager
def unseen(*places: Any) -> Iterator[None]:
    """Neither -vvv nor the host's own log tells what a module is called with and what it answers."""
    kept = [place for place in places if place is not None]
    kept += [place._play_context for place in kept if hasattr(place, "_play_context")]
    before = [(place, place.no_log) for place in kept if hasattr(place, "no_log")]
    for place, _value in before:
        place.no_log = True
    try:
        yield
    finally:
        for place, value in before:
            place.no_log = value


def check_pipelining(connection: Any) -> None:
    """Refuse a connection that would copy the module onto the suspect's disk. Raises `BadInput`."""
    if not connection.is_pipelining_enabled(False):
        raise BadInput(
            f"connection {connection.transport}",
            "it would write the collecting module onto the suspect's disk",
            "Set pipelining = true in the section [connection] of ansible.cfg, or ansible_pipelining: true, "
            "and unset ANSIBLE_KEEP_REMOTE_FILES.",
        )


def memory_place(run: Run) -> str:
    """A directory of the host that lies in memory. Raises `Unreachable`.

    Python unpacks a module before it runs it, with pipelining too.
    """
    mounts: dict[str, str] = {}
    for line in run(LOOK_FOR_MEMORY, True)[:ANSWER_LIMIT].splitlines():
        point, _space, kind = line.partition(" ")
        mounts[point] = kind
    place = next((point for point in MEMORY_PLACES if mounts.get(point) in MEMORY_KINDS), None)
    if place is None:
        raise Unreachable(
            "the host's memory",
            "no directory lies in it that can be written, so collecting would write on the suspect's disk",
            "Connect as root (become: true), or mount a tmpfs on /dev/shm.",
        )
    return place


def clock_offset(run: Run, clock: Callable[[], float] = time.time) -> ClockOffset | None:
    """The best of a few questions: the host's answer belongs to the middle of the way there and back."""
    found: list[ClockOffset] = []
    for _time in range(CLOCK_TIMES):
        before = clock()
        answer = run(ASK_FOR_TIME, False)[:ANSWER_LIMIT].strip()
        after = clock()
        if _EPOCH.fullmatch(answer):
            middle, half = (before + after) / 2, (after - before) / 2
            how = f"{ASK_FOR_TIME} over the connection; the uncertainty is half of the round trip"
            found.append(ClockOffset(round(float(answer) - middle, 3), round(half, 3), how))
    return min(found, key=lambda offset: offset.uncertainty, default=None)


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises `TimeoutError`: a host that keeps a connection open and says nothing must not hold up a run.

    Only where signals can be had and nobody else has set an alarm.
    """
    free = (
        threading.current_thread() is threading.main_thread() and signal.getitimer(signal.ITIMER_REAL)[0] == 0
    )
    if not free:
        yield
        return

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"the host did not answer within {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, ring)
    # Again and again: whatever is on the way may take the first for a hiccup of the connection and retry.
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def touched(
    transport: str, become: str | None, place: str, steps: Collection[str], programs: Collection[str]
) -> list[str]:
    """What the collecting itself left on the host, so that nobody takes it for the intruder's."""
    left = []
    if transport in ("ssh", "paramiko_ssh", "paramiko"):
        left.append("a login over ssh and a session for each call: sshd's log lines, wtmp, lastlog, logind")
    if become:
        left.append(f"a {become} for each call, with its log lines")
    left.append(f"a Python for each call; its code was unpacked in {place}, which is memory, and removed")
    left.append("access times of directories, and of the Python and the programs that were run")
    if programs:
        left.append(f"programs that were run: {', '.join(programs)}; nft may load the module nf_tables")
    if "docker_changes" in steps:
        left.append("times of directories in Docker's storage: to compare a container, it mounts its layers")
    return left
