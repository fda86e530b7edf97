# SPDX-License-Identifier: GPL-3.0-or-later
"""Log files, plain, rotated and compressed, and the journal, read in blocks of whole lines.

A block begins and ends with a newline, so that a pattern may start with one: that anchors it to the
beginning of a line at the price of a `memchr`.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import selectors
import stat
import subprocess
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Callable, Iterable, Iterator, Mapping, Optional, Sequence, cast

from ..errors import BadInput, Unreachable
from .command import environment, require, run

BLOCK = 256 * 1024
# What is longer than this without a newline is damage, and must not be gathered in memory.
_LONGEST_LINE = 1024 * 1024
_BEGINNING = 512
_GZIP = b"\x1f\x8b"
_NOT_READ = (".xz", ".zst", ".bz2", ".lz4", ".zip")
_JOURNAL = "the journal"
_JOURNAL_FILES = ("/run/log/journal", "/var/log/journal")

# Whether a line lies behind what is looked for; None when the line cannot tell.
IsAfter = Callable[[bytes], Optional[bool]]


class TooMuch(Exception):
    """There is more than the budget or the time allows."""


@dataclass(frozen=True)
class LogFile:
    """A log file as it was found. `size`: bytes of text in it; what a gzip file claims to hold.

    `mtime` in seconds since the epoch.
    """

    path: str
    size: int
    mtime: float
    compressed: bool


def find_logs(patterns: Iterable[str]) -> tuple[list[LogFile], list[Unreachable]]:
    """The files that match, oldest first, and what of them cannot be read.

    Two names of one file count once, and so does a copy put aside (`auth.log.bak`, a `.1` beside its
    `.1.gz`): those begin with the same bytes, which rotated logs never do.
    """
    found: dict[bytes, LogFile] = {}
    troubles: list[Unreachable] = []
    for path in sorted({path for pattern in patterns for path in _matching(pattern)}):
        try:
            file = _look_at(path)
            if file is None:
                continue
            with _opened(file) as stream:
                beginning = stream.read(_BEGINNING)
        except (OSError, EOFError, zlib.error) as error:
            troubles.append(_unreadable(path, error))
            continue
        known = found.get(beginning)
        if known is None or known.size < file.size:
            found[beginning] = file
    return sorted(found.values(), key=lambda file: (file.mtime, file.path)), troubles


def _matching(pattern: str) -> Iterator[str]:
    if not pattern.startswith("/"):
        raise BadInput(f"log {pattern!r}", "it is not an absolute path", "Write /var/log/auth.log*.")
    return map(str, Path("/").glob(pattern.lstrip("/") or "."))


def _look_at(path: str) -> LogFile | None:
    status = Path(path).stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
        return None
    if path.endswith(_NOT_READ):
        raise OSError(0, "it is compressed in a way that is not read here")
    with Path(path).open("rb") as stream:
        if stream.read(2) != _GZIP:
            return LogFile(path, status.st_size, status.st_mtime, False)
        stream.seek(max(0, status.st_size - 4))
        return LogFile(path, int.from_bytes(stream.read(4), "little"), status.st_mtime, True)


def _opened(file: LogFile) -> IO[bytes]:
    if file.compressed:
        return cast("IO[bytes]", gzip.open(file.path, "rb"))
    return Path(file.path).open("rb", buffering=0)


def _unreadable(path: str, error: Exception) -> Unreachable:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Unreachable(f"log {path}", said, "See that it is whole, and that you read it as root.")


def read_blocks(file: LogFile, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The lines from offset `start` to before `end`, in blocks. `start` is the beginning of a line.

    NUL bytes, which a crash leaves behind, are taken out. A file that shrinks meanwhile ends the blocks;
    one that turns out damaged raises `Unreachable` after what could be read of it.
    """
    try:
        with _opened(file) as stream:
            if start:
                stream.seek(start)
            yield from _whole_lines(_pieces(stream, (file.size if end is None else end) - start))
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(file.path, error) from error


def _pieces(stream: IO[bytes], budget: int) -> Iterator[bytes]:
    while budget > 0:
        data = stream.read(min(BLOCK, budget))
        if not data:
            return
        budget -= len(data)
        yield data


def _whole_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b"\n"
    for piece in pieces:
        data = piece.translate(None, b"\0") if b"\0" in piece else piece
        cut = data.rfind(b"\n") + 1
        if cut:
            yield rest + data[:cut]
            rest = b"\n" + data[cut:]
        else:
            rest = rest + data if len(rest) < _LONGEST_LINE else b"\n"
    if len(rest) > 1:
        yield rest + b"\n"


def unwrapped(line: bytes) -> bytes:
    """The text of a line within a record of Docker's json-file driver; any other line as it is."""
    if not line.startswith(b"{"):
        return line
    try:
        record: object = json.loads(line.decode("utf-8", "replace"))
    except ValueError:
        return b""
    text = record.get("log") if isinstance(record, dict) else None
    return text.rstrip("\n").encode("utf-8", "replace") if isinstance(text, str) else b""


def line_start(file: LogFile, offset: int) -> int:
    """The offset of the first line of a plain file that begins at or behind `offset`."""
    if offset <= 0:
        return 0
    with Path(file.path).open("rb") as stream:
        stream.seek(offset - 1)
        stream.readline(_LONGEST_LINE)
        return min(stream.tell(), file.size)


def seek_line(file: LogFile, is_after: IsAfter) -> int:
    """The offset in a plain file of the first line that `is_after`; the file's size when none is.

    The lines are taken to be in order. It is looked for from the end backwards, in growing steps, so that
    what an old log holds far back (years that its stamps do not name) does not lead astray.
    """
    with Path(file.path).open("rb") as stream:
        low, high, step = file.size, file.size, 64 * 1024
        while low > 0:
            low, step = max(0, file.size - step), step * 4
            if _probe(stream, low, file.size, is_after) is False:
                break
            high = low
        while high - low > 4096:
            middle = (low + high) // 2
            if _probe(stream, middle, file.size, is_after) is False:
                low = middle
            else:
                high = middle
        return min(file.size, _behind_the_last_before(stream, low, high, is_after))


def _probe(stream: IO[bytes], offset: int, size: int, is_after: IsAfter) -> bool | None:
    """What the first line that can tell says, of those that begin behind `offset`."""
    stream.seek(offset)
    if offset:
        stream.readline(_LONGEST_LINE)
    for _line in range(1000):
        if stream.tell() >= size:
            return True
        verdict = is_after(stream.readline(_LONGEST_LINE))
        if verdict is not None:
            return verdict
    return None


def _behind_the_last_before(stream: IO[bytes], low: int, high: int, is_after: IsAfter) -> int:
    """Behind the last line between the offsets that is before; so at `low` or its next line when none is."""
    stream.seek(low)
    if low:
        stream.readline(_LONGEST_LINE)
    found = stream.tell()
    while stream.tell() < high:
        if is_after(stream.readline(_LONGEST_LINE)) is False:
            found = stream.tell()
    return found


def journal_begins() -> bytes:
    """The oldest line of this host's journal, as `read_journal` would give it.

    Raises `Unreachable` where there is no journal, or where it does not show the system's messages.
    """
    journalctl = require("journalctl", "systemd")
    answer = run([journalctl, "--no-pager", "--output=short-unix"], timeout=20, budget=16384)
    if "not seeing messages" in answer.stderr:
        raise Unreachable(_JOURNAL, "it does not show the system's messages to you", "Run with become.")
    first = next((line for line in answer.stdout.splitlines() if line[:1].isdigit()), None)
    if first is None:
        raise Unreachable(_JOURNAL, f"it holds nothing ({answer.complaint})", "See that journald runs.")
    return first.encode("utf-8", "replace")


def read_journal(
    identifiers: Iterable[str], since: float, until: float, budget: int, timeout: float = 60.0
) -> Iterator[bytes]:
    """What root's processes logged under these names, oldest first, in blocks.

    Each line is `1795304127.962414 host name[pid]: message`, the time in seconds since the epoch, so that
    one pattern serves journal and log file. Anybody can log under any name: only root's are asked for.
    Raises `TooMuch` when more than `budget` bytes come, or when it takes longer than `timeout` seconds.
    """
    argv = [
        require("journalctl", "systemd"),
        "--no-pager",
        "--quiet",
        "--output=short-unix",
        f"--since=@{int(since)}",
        f"--until=@{int(until) + 1}",
        "_UID=0",
        *(f"--identifier={name}" for name in identifiers),
    ]
    yield from _whole_lines(_printed(argv, budget, time.monotonic() + timeout))


def _printed(argv: list[str], budget: int, deadline: float) -> Iterator[bytes]:
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    output = cast(IO[bytes], process.stdout)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while True:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TooMuch
                data = os.read(output.fileno(), BLOCK)
                if not data:
                    break
                budget -= len(data)
                if budget < 0:
                    raise TooMuch
                yield data
        if process.wait(max(0.1, deadline - time.monotonic())):
            raise Unreachable(_JOURNAL, f"{argv[0]} ended with code {process.returncode}", "Run it by hand.")
    except subprocess.TimeoutExpired:
        raise TooMuch from None
    finally:
        output.close()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()


@dataclass(frozen=True)
class Record:
    """One record of the journal: `time` in seconds since the epoch, the fields that were asked for."""

    time: float
    fields: Mapping[str, str]


def newest_records(
    matches: Sequence[str], fields: Sequence[str], since: float, budget: int, timeout: float
) -> tuple[list[Record], bool]:
    """The journal's records that match, the newest first, and whether the budget cut off older ones.

    `matches` are those of journalctl. Raises `Unreachable`, also where the system's messages are not shown.
    """
    argv = [
        require("journalctl", "systemd"),
        "--no-pager",
        "--reverse",
        "--output=json",
        f"--output-fields={','.join(fields)}",
        f"--since=@{int(since)}",
        *matches,
    ]
    # For this output journalctl is silent about what it does not show.
    if not _shown():
        raise Unreachable(_JOURNAL, "it does not show the system's messages to you", "Run with become.")
    answer = run(argv, timeout, budget=budget)
    # Some versions end with 1 when nothing matches, and complain of nothing.
    if not answer.ok and answer.stderr.strip():
        raise Unreachable(_JOURNAL, answer.complaint, "Run journalctl by hand.")
    return list(_decoded(answer.stdout.splitlines(), fields)), answer.truncated


def _shown() -> bool:
    """Whether the system's own journal may be read by us."""
    found = [path for top in _JOURNAL_FILES for path in Path(top).glob("*/system.journal")]
    return any(os.access(path, os.R_OK) for path in found) if found else os.geteuid() == 0


def _decoded(lines: Iterable[str], fields: Sequence[str]) -> Iterator[Record]:
    for line in lines:
        try:
            found = json.loads(line)
            moment = int(found["__REALTIME_TIMESTAMP"]) / 1e6
        except (ValueError, KeyError, TypeError):
            # The last line of what was cut, or what journalctl says when there is nothing.
            continue
        # A field that is no text comes as a list of bytes, one that is too long as null.
        yield Record(moment, {name: found[name] for name in fields if isinstance(found.get(name), str)})
