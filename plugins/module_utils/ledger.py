# SPDX-License-Identifier: GPL-3.0-or-later
"""The target's own record of what was done to it.

It lies where the acts happen, so that undo, cooldown and audit work the same whoever drives: a
terminal, AWX or a rulebook. One JSON object a line, only ever appended to.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping, Sequence

from .errors import Unreachable
from .plan import DONE, FAILED, PLANNED, REFUSED, Act

DIRECTORIES = ("/var/lib/firebreak", "/run/firebreak")
NAME = "ledger.jsonl"
READ_BUDGET = 16 * 1024 * 1024
# What a disk that cannot take a line answers: full, over quota, remounted read-only, failing.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})


@dataclass(frozen=True)
class Entry:
    """One act, as it was carried out. `time` is UTC, ISO 8601; `undo` as in the act."""

    time: str
    run: str
    incident: str | None
    playbook: str | None
    actor: str | None
    action: str
    target: str
    identity: Mapping[str, Any]
    risk: str
    status: str
    reason: str
    undo: Mapping[str, Any] | None

    @classmethod
    def of(
        cls,
        act: Act,
        time: str,
        run: str,
        incident: str | None = None,
        playbook: str | None = None,
        actor: str | None = None,
    ) -> Entry:
        return cls(time=time, run=run, incident=incident, playbook=playbook, actor=actor, **act.as_dict())

    def concerns(self, incident_or_run: str) -> bool:
        return incident_or_run in (self.run, self.incident)


def places() -> Sequence[str]:
    """Where the ledger lies: root's, or that of whoever looks after a managed server from the controller."""
    if os.geteuid() == 0:
        return DIRECTORIES
    return (str(Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "firebreak"),)


class Ledger:
    """Appends to the first directory that has room and reads all of them.

    Appending is safe from several processes at once and survives a crash in the middle of a line: the
    torn line is left behind and skipped.
    """

    def __init__(self, directories: Sequence[str] | None = None) -> None:
        chosen = places() if directories is None else directories
        self._paths: tuple[Path, ...] = tuple(Path(directory) / NAME for directory in chosen)

    def append(self, entry: Entry) -> Path:
        """Write one entry to disk and say where it went; `Unreachable` when no directory takes it."""
        line = json.dumps(asdict(entry), sort_keys=True, ensure_ascii=True).encode() + b"\n"
        failures: list[str] = []
        for path in self._paths:
            try:
                _append_line(path, line)
                return path
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise Unreachable(
                        f"ledger {path}",
                        str(error.strerror),
                        "Nothing is changed that cannot be recorded: "
                        "run as root (become) and see that the directory can be written.",
                    ) from error
                failures.append(f"{path}: {error.strerror}")
        raise Unreachable("ledger", "; ".join(failures), "Free a few kilobytes in one of these places.")

    def entries(self) -> list[Entry]:
        """Every whole entry, oldest first. Lines that were torn or are not ours are passed over."""
        found = [entry for path in self._paths for entry in _read(path)]
        return sorted(found, key=lambda entry: entry.time)


def carried_out(entries: Iterable[Entry]) -> list[Entry]:
    """The acts that took effect, or may have: each is recorded before and after it is done.

    One with no record after it was cut off half way, and one that failed may have answered too late.
    Both count as done: taking back what never happened does no harm.
    """
    begun: dict[str, Entry] = {}
    finished: list[Entry] = []
    for entry in entries:
        key = json.dumps([entry.run, entry.action, entry.identity], sort_keys=True)
        if entry.status == PLANNED:
            begun[key] = entry
        elif entry.status in (DONE, FAILED, REFUSED):
            begun.pop(key, None)
            if entry.status != REFUSED:
                finished.append(entry)
    return sorted([*finished, *begun.values()], key=lambda entry: entry.time)


def _append_line(path: Path, line: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(
        str(path), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
    )
    try:
        with _locked(descriptor):
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line
            try:
                written = os.write(descriptor, line)
                if written != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
    finally:
        os.close(descriptor)


@contextmanager
def _locked(descriptor: int) -> Iterator[None]:
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _read(path: Path) -> Iterator[Entry]:
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - READ_BUDGET))
            data = stream.read(READ_BUDGET)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unreachable(f"ledger {path}", str(error.strerror), "Run as root (become: true).") from error
    for line in data.split(b"\n"):
        entry = _parse(line)
        if entry is not None:
            yield entry


def _parse(line: bytes) -> Entry | None:
    try:
        return Entry(**json.loads(line.decode("utf-8")))
    except (ValueError, TypeError):
        return None
