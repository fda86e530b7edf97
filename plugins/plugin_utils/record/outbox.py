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

from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

from .event import Draft, canonical

Deliver = Callable[[str, Sequence[Draft]], object]


@dataclass(frozen=True)
class Outbox:
    """One file for each incident, a draft a line. Any number of processes may use it at once."""

    directory: Path

    def add(self, incident: str, drafts: Sequence[Draft]) -> None:
        """Raises `Unreachable`: then it is nowhere, and has to be said."""
        try:
            with self._locked(incident) as descriptor:
                # After a line that a crash cut off the next one begins anew.
                lines = ["", *(canonical(asdict(draft)) for draft in drafts), ""]
                os.lseek(descriptor, 0, os.SEEK_END)
                os.write(descriptor, "\n".join(lines).encode())
                os.fsync(descriptor)
        except OSError as error:
            raise Unreachable(
                f"outbox {self.directory}", str(error.strerror), "Make room, or give it another place."
            ) from error

    def waiting(self) -> list[str]:
        """The incidents that something waits for."""
        return sorted(path.stem for path in self.directory.glob("*.jsonl") if path.stat().st_size)

    def deliver(self, incident: str, deliver: Deliver) -> int:
        """Hand over what waits and forget it; whatever is raised meanwhile leaves it where it is.

        A process that is killed in between has it handed over again, which the record knows by its keys.
        """
        if not self._path(incident).exists():
            return 0
        with self._locked(incident) as descriptor:
            drafts = list(_drafts(os.pread(descriptor, os.fstat(descriptor).st_size, 0)))
            if drafts:
                deliver(incident, drafts)
            os.ftruncate(descriptor, 0)
        return len(drafts)

    def _path(self, incident: str) -> Path:
        return self.directory / f"{incident}.jsonl"

    @contextmanager
    def _locked(self, incident: str) -> Iterator[int]:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path(incident), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)


def _drafts(data: bytes) -> Iterator[Draft]:
    for line in data.splitlines():
        try:
            yield Draft(**json.loads(line))
        except (ValueError, TypeError):
            # A line that a crash cut off.
            continue
