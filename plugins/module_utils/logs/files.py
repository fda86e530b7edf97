# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts what log files say of the last minutes and the hour before, or as much of it as a budget allows."""

from __future__ import annotations

from typing import Callable, Iterable, Iterator

from ..clients.logs import LogFile, line_start, read_blocks, seek_line
from .parse import ACCESS, CANDIDATE, Packet, denial, is_error, packet, time_of, told
from .tally import WHOLE, Count, Errors, Http, Kernel

# Bytes of one file, the newest of it.
FILE_BUDGET = 1024 * 1024
ACCESS_BUDGET = 4 * 1024 * 1024
# A record is cut behind this: whoever logs a megabyte in one line has said it by then.
_LINE = 8192


def is_access_log(file: LogFile) -> bool:
    """By the last lines of it."""
    return any(ACCESS.search(block) for block in read_blocks(file, line_start(file, file.size - 4096)))


def errors_of(file: LogFile, service: str | None, now: float) -> Errors:
    start, cut = _recent(file, now, FILE_BUDGET)
    count, undated, first = Count(now), 0, None
    for block in read_blocks(file, start):
        if cut and first is None:
            first = next(filter(None, (time_of(line, now) for line in block.splitlines()[1:50])), None)
        for line in _candidates(block):
            if is_error(line):
                time = time_of(line, now)
                if time is None:
                    undated += 1
                else:
                    count.add(time, told(line.decode("utf-8", "replace")))
    return Errors(file.path, service, count, (first or now) if cut else None, undated)


def requests_of(file: LogFile, now: float) -> Http:
    start, _cut = _recent(file, now, ACCESS_BUDGET)
    tally = Http(file.path, now)
    add_requests(tally, read_blocks(file, start))
    return tally


def add_requests(tally: Http, blocks: Iterable[bytes]) -> None:
    """Counts the requests in blocks of lines, each of which begins with a newline."""
    times: dict[bytes, float | None] = {}
    for block in blocks:
        for stamp, path, status in ACCESS.findall(block):
            if stamp not in times:
                times[stamp] = time_of(stamp, tally.until)
            time = times[stamp]
            if time is not None:
                tally.add(time, told(path.decode("utf-8", "replace")), int(status))


def kernel_of(file: LogFile, now: float) -> Kernel:
    """What firewall and mandatory access control wrote to the kernel's log, or to that of audit."""
    start, _cut = _recent(file, now, FILE_BUDGET)
    found = Kernel.empty(now)
    for block in read_blocks(file, start):
        for line in block.splitlines():
            if b" SRC=" in line or b'"DENIED"' in line or b"denied" in line:
                time = _audit_time(line) or time_of(line, now)
                if time is not None:
                    add_kernel(found, time, line.decode("utf-8", "replace"))
    return found


def add_kernel(found: Kernel, time: float, message: str) -> None:
    dropped = packet(message)
    if dropped:
        _add_packet(found, time, dropped)
        return
    denied = denial(message)
    if denied:
        found.denials.setdefault(denied, Count(found.until)).add(time, denied)


def _add_packet(found: Kernel, time: float, dropped: Packet) -> None:
    before = found.packets.now
    found.packets.add(time)
    if found.packets.now > before:
        found.sources[dropped.source] += 1
        found.ports[f"{dropped.protocol}/{dropped.port}" if dropped.port else dropped.protocol] += 1


def _audit_time(line: bytes) -> float | None:
    # type=AVC msg=audit(1795314503.042:123): apparmor="DENIED" …
    _head, mark, rest = line.partition(b"msg=audit(")
    stamp = rest.partition(b".")[0] if mark else b""
    return float(stamp) if stamp.isdigit() else None


def _candidates(block: bytes) -> Iterator[bytes]:
    """The lines that hold a word that an error line may hold."""
    end = 0
    for match in CANDIDATE.finditer(block):
        if match.start() < end:
            continue
        begin = block.rfind(b"\n", 0, match.start() + 1) + 1
        end = block.find(b"\n", max(begin, match.end()))
        yield block[begin : min(end, begin + _LINE)]


def _recent(file: LogFile, now: float, budget: int) -> tuple[int, bool]:
    """Where what is younger than both windows begins, and whether the budget bites."""
    since = now - WHOLE

    def is_after(line: bytes) -> bool | None:
        time = time_of(line, now)
        return None if time is None else time >= since

    least = max(0, file.size - budget)
    if least and _is(line_start(file, least), file, is_after):
        return line_start(file, least), True
    return seek_line(file, is_after), False


def _is(start: int, file: LogFile, is_after: Callable[[bytes], bool | None]) -> bool:
    """Whether the first line behind `start` that tells is already within the windows."""
    for block in read_blocks(file, start, min(file.size, start + 65536)):
        return next((verdict for verdict in map(is_after, block.splitlines()) if verdict is not None), True)
    return True
