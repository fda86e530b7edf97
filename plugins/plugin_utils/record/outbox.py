# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be recorded and cannot be yet: it waits on this machine, for the record never stops a fix."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, Unreachable

from ..run import parse_id
from .event import OPENED, Draft, canonical, storable

SUFFIX = ".jsonl"
# How many are handed over at once.
BATCH = 500
# Records what it can, and returns why the rest cannot be.
Take = Callable[[str, Sequence[Draft]], FirebreakError | None]


class OutboxAway(Unreachable):
    """It cannot be read or written: it is somebody else's, or there is no room for it."""


@dataclass(frozen=True)
class Outbox:
    """One file for each incident, a draft a line. Any number of processes may use it at once."""

    directory: Path

    def add(self, incident: str, drafts: Sequence[Draft]) -> None:
        """All of it or nothing. Raises `OutboxAway`: then it is nowhere, and has to be said."""
        with self._locked(incident) as descriptor:
            _append(descriptor, drafts)

    def add_first(self, incident: str, draft: Draft) -> bool:
        """Whether nothing of its key waited, in a story that begins here. Raises `OutboxAway`.

        `Unreachable` when it does not: then the record has it, which alone can tell.
        """
        with self._locked(incident) as descriptor:
            known = _whole(_read(descriptor))
            if not known:
                raise Unreachable(f"incident {incident}", "it waits here no longer", "Run it again.")
            if any(each.key == storable(draft).key for each in known):
                return False
            _append(descriptor, [draft])
            return True

    def story(self, incident: str) -> list[Draft]:
        """What waits of an incident that was opened while the record was away; nothing of another one.

        Raises `OutboxAway`.
        """
        with self._said():
            if not self._path(incident).exists():
                return []
        with self._locked(incident) as descriptor:
            return _whole(_read(descriptor))

    def waiting(self) -> list[str]:
        """The incidents that something waits for. Raises `OutboxAway`."""
        with self._said():
            found = list(self.directory.iterdir()) if self.directory.exists() else []
            return sorted(path.stem for path in found if path.suffix == SUFFIX and path.stat().st_size)

    def deliver(self, incident: str, take: Take) -> FirebreakError | None:
        """Hand over what waits, and forget it when all of it is taken. Returns why some still waits.

        Whatever is raised meanwhile leaves it where it is. What is handed over again, because some of it was
        not taken or a process was killed in between, the record knows by its keys. Raises `OutboxAway`.
        """
        with self._said():
            if not self._path(incident).exists():
                return None
        with self._locked(incident) as descriptor:
            drafts = _read(descriptor)
            batches = [drafts[start : start + BATCH] for start in range(0, len(drafts), BATCH)]
            problems = [problem for batch in batches if (problem := take(incident, batch))]
            if problems:
                return problems[0]
            os.ftruncate(descriptor, 0)
        return None

    def _path(self, incident: str) -> Path:
        return self.directory / f"{parse_id(incident)}{SUFFIX}"

    @contextmanager
    def _locked(self, incident: str) -> Iterator[int]:
        path = self._path(incident)
        with self._said():
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield descriptor
            finally:
                os.close(descriptor)

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutboxAway(
                f"outbox {self.directory}", str(error.strerror), "Make room, or give it another place."
            ) from error


def _append(descriptor: int, drafts: Sequence[Draft]) -> None:
    # After a line that a crash cut off the next one begins anew.
    lines = ["", *(canonical(asdict(storable(draft))) for draft in drafts), ""]
    end = os.lseek(descriptor, 0, os.SEEK_END)
    try:
        _write(descriptor, "\n".join(lines).encode())
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, end)
        raise


def _read(descriptor: int) -> list[Draft]:
    return list(_drafts(os.pread(descriptor, os.fstat(descriptor).st_size, 0)))


def _whole(drafts: Sequence[Draft]) -> list[Draft]:
    """Each once, if they are all there is of an incident."""
    known = {draft.key: draft for draft in reversed(drafts)}
    return list(reversed(known.values())) if drafts and drafts[0].kind == OPENED else []


def _write(descriptor: int, data: bytes) -> None:
    """A disk that fills up takes a part of it and says so only the next time."""
    while data:
        data = data[os.write(descriptor, data) :]


def _drafts(data: bytes) -> Iterator[Draft]:
    for line in data.splitlines():
        try:
            draft = Draft(**json.loads(line))
        except (ValueError, TypeError, RecursionError):
            # A line that a crash cut off.
            continue
        if isinstance(draft.data, dict):
            yield draft
