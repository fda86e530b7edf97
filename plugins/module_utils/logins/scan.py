# SPDX-License-Identifier: GPL-3.0-or-later
"""Counting the logins in log files: which parts to read, and two processes to read them."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import threading
from dataclasses import dataclass, replace
from typing import Callable, Iterable, Iterator, Optional, Sequence

from ..clients.logs import BLOCK, LogFile, line_start, read_blocks, seek_line
from ..errors import Unreachable
from ..log_times import Clock
from .parse import SSH_ANY, nginx_failures, nginx_time, readable
from .tally import Source, SshCounter, Tally, Tries

# Below this a second process costs more than it brings.
_WORTH_TWO = 64 * 1024 * 1024
_NGINX = "nginx"

TimeOf = Callable[[bytes], Optional[float]]


@dataclass(frozen=True)
class Period:
    """From `since` to `until`, in seconds since the epoch."""

    since: float
    until: float


@dataclass(frozen=True)
class Part:
    """The bytes of a log to be counted. `left_out` is how many of the window's the budget did not allow."""

    service: str
    file: LogFile
    start: int
    end: int
    left_out: int = 0

    @property
    def size(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Scanned:
    """What was read of one log. `first` and `last`: times of its first and last line in the window.

    `left_out` in bytes; `trouble`: why the rest of it could not be read; `sshd`: whether sshd writes to it.
    """

    path: str
    bytes: int = 0
    first: float | None = None
    last: float | None = None
    left_out: int = 0
    trouble: str | None = None
    sshd: bool = False

    def then(self, later: Scanned) -> Scanned:
        """This part of a log and the one behind it."""
        times = [time for time in (self.first, self.last, later.first, later.last) if time is not None]
        return Scanned(
            self.path,
            self.bytes + later.bytes,
            times[0] if times else None,
            times[-1] if times else None,
            self.left_out + later.left_out,
            self.trouble or later.trouble,
            self.sshd or later.sshd,
        )


def plan_parts(service: str, files: Sequence[LogFile], period: Period, budget: int) -> list[Part]:
    """What of these files, oldest first, lies in the period; the newest of it where the budget bites."""
    parts: list[Part] = []
    for file in reversed(files):
        # A minute's grace, because file systems and loggers round differently.
        if file.mtime < period.since - 60:
            continue
        part = Part(service, file, *_extent(file, _time_of(service, file, period), period))
        if part.size > budget:
            part = _newest(part, budget)
        budget -= part.size
        parts.append(part)
    return parts[::-1]


def _extent(file: LogFile, time_of: TimeOf, period: Period) -> tuple[int, int]:
    if file.compressed:
        return 0, file.size

    def reached(limit: float, line: bytes) -> bool | None:
        # A crash leaves NUL bytes where a line was to be; the next line follows them without a break.
        time = time_of(line.lstrip(b"\0"))
        return None if time is None else time >= limit

    start = seek_line(file, lambda line: reached(period.since, line))
    end = seek_line(file, lambda line: reached(period.until + 1, line))
    return start, max(start, end)


def _newest(part: Part, budget: int) -> Part:
    # A compressed file can only be read from its beginning, so it is read whole or not at all.
    start = part.end if part.file.compressed else min(part.end, line_start(part.file, part.end - budget))
    return replace(part, start=start, left_out=start - part.start)


def starts_at(file: LogFile, period: Period) -> float | None:
    """The time of the first line of a log of sshd."""
    time_of = _time_of("ssh", file, period)
    with contextlib.suppress(Unreachable):
        for block in read_blocks(file, 0, min(file.size, BLOCK)):
            return _first_time(block, time_of)
    return None


def ends_at(file: LogFile, period: Period) -> float | None:
    """The time of the last line of a plain log of sshd."""
    time_of, last = _time_of("ssh", file, period), None
    with contextlib.suppress(Unreachable):
        for block in read_blocks(file, line_start(file, file.size - BLOCK)):
            last = _last_time(block, time_of)
    return last


def _time_of(service: str, file: LogFile, period: Period) -> TimeOf:
    return nginx_time if service == _NGINX else Clock(min(file.mtime, period.until)).line


def scan(parts: Sequence[Part], period: Period) -> tuple[Tally, list[Scanned]]:
    """Count all parts, oldest first, by two processes where that is worth it."""
    total = sum(part.size for part in parts)
    alone = total < _WORTH_TWO or (os.cpu_count() or 1) < 2 or threading.active_count() > 1
    if alone:
        return _scan_here(parts, period)
    older, newer = _halves(parts, total // 2)
    with _Child(lambda: _scan_here(older, period)) as child:
        tally, scanned = _scan_here(newer, period)
        result = child.result()
    # Without the child's answer (out of memory, say) its work is done here, only later.
    before, scanned_before = result if result is not None else _scan_here(older, period)
    before.absorb(tally)
    if scanned_before and scanned and scanned_before[-1].path == scanned[0].path:
        scanned[0] = scanned_before.pop().then(scanned[0])
    return before, scanned_before + scanned


def _halves(parts: Sequence[Part], half: int) -> tuple[list[Part], list[Part]]:
    older: list[Part] = []
    for index, part in enumerate(parts):
        if part.size <= half:
            half -= part.size
            older.append(part)
            continue
        if part.file.compressed:
            return older, list(parts[index:])
        middle = min(part.end, line_start(part.file, part.start + half))
        newer = [replace(part, start=middle, left_out=0), *parts[index + 1 :]]
        return [*older, replace(part, end=middle)], newer
    return older, []


class _Child:
    """A process of our own that does one thing and hands back what came of it."""

    def __init__(self, work: Callable[[], tuple[Tally, list[Scanned]]]) -> None:
        self._work = work

    def __enter__(self) -> _Child:
        self._reading, writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            code = 1
            try:
                os.close(self._reading)
                with os.fdopen(writing, "wb") as pipe:
                    pickle.dump(self._work(), pipe, protocol=4)
                code = 0
            finally:
                # Never back into the caller's code: it would finish the module a second time.
                os._exit(code)
        os.close(writing)
        return self

    def result(self) -> tuple[Tally, list[Scanned]] | None:
        with os.fdopen(os.dup(self._reading), "rb") as pipe, contextlib.suppress(
            EOFError, pickle.PickleError
        ):
            answer: tuple[Tally, list[Scanned]] = pickle.load(pipe)
            return answer
        return None

    def __exit__(self, *_exception: object) -> None:
        os.close(self._reading)
        os.waitpid(self._pid, 0)


def _scan_here(parts: Sequence[Part], period: Period) -> tuple[Tally, list[Scanned]]:
    tally, scanned = Tally(), []
    with _no_garbage_collection():
        for part in parts:
            clock = Clock(min(part.file.mtime, period.until))
            blocks = read_blocks(part.file, part.start, part.end)
            if part.service == _NGINX:
                counted, what = scan_nginx(part.file.path, blocks, period)
            else:
                counted, what = scan_ssh(part.file.path, blocks, period, clock, part.file.compressed)
            tally.absorb(counted)
            scanned.append(replace(what, left_out=part.left_out))
    return tally, scanned


def scan_ssh(
    path: str,
    blocks: Iterable[bytes],
    period: Period,
    clock: Clock,
    clipped: bool = True,
) -> tuple[Tally, Scanned]:
    """Count sshd's lines in these blocks; `clipped` when lines outside the period may be among them."""
    counter, what = SshCounter(), Scanned(path)
    try:
        for block in _within(blocks, clock.line, period) if clipped else blocks:
            what = what.then(_glance(path, block, clock.line, not what.sshd))
            counter.feed(block)
    except Unreachable as error:
        what = replace(what, trouble=error.problem)
    return counter.drain(clock), what


def scan_nginx(path: str, blocks: Iterable[bytes], period: Period) -> tuple[Tally, Scanned]:
    """Count the refused basic authentications in these blocks."""
    tally, what = Tally(), Scanned(path)
    try:
        for block in blocks:
            what = what.then(_glance(path, block, nginx_time, False))
            for failure in nginx_failures(block):
                if period.since <= failure.time < period.until + 1:
                    accounts = {readable(failure.user)}
                    seen = Source(
                        Tries(1), failure.time, failure.time, accounts, services=frozenset({_NGINX})
                    )
                    tally.add(failure.address, seen)
    except Unreachable as error:
        what = replace(what, trouble=error.problem)
    return tally, what


def _within(blocks: Iterable[bytes], time_of: TimeOf, period: Period) -> Iterator[bytes]:
    """The lines of the period. The lines are taken to be in order, as in `seek_line`."""
    for block in blocks:
        first, last = _first_time(block, time_of), _last_time(block, time_of)
        if first is None or last is None or (period.since <= first and last < period.until + 1):
            yield block
        elif period.since <= last and first < period.until + 1:
            lines = block.splitlines()
            times = [time_of(line) for line in lines]
            inside = [
                line for line, time in zip(lines, times) if time and period.since <= time < period.until + 1
            ]
            if inside:
                yield b"\n" + b"\n".join(inside) + b"\n"


def _glance(path: str, block: bytes, time_of: TimeOf, look_for_sshd: bool) -> Scanned:
    return Scanned(
        path,
        len(block) - 1,
        _first_time(block, time_of),
        _last_time(block, time_of),
        sshd=look_for_sshd and SSH_ANY.search(block) is not None,
    )


def _first_time(block: bytes, time_of: TimeOf) -> float | None:
    begin = 1
    for _line in range(20):
        end = block.find(b"\n", begin)
        if end < 0:
            return None
        time = time_of(block[begin:end])
        if time is not None:
            return time
        begin = end + 1
    return None


def _last_time(block: bytes, time_of: TimeOf) -> float | None:
    end = len(block) - 1
    for _line in range(20):
        begin = block.rfind(b"\n", 0, end) + 1
        if end <= 0:
            return None
        time = time_of(block[begin:end])
        if time is not None:
            return time
        end = begin - 1
    return None


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Millions of short-lived tuples without a cycle among them: looking for one doubles the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
