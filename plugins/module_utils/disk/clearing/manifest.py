# SPDX-License-Identifier: GPL-3.0-or-later
"""What was removed: written down and on disk before it is."""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Sequence

from ...clients.procfs import Space, space
from ...errors import Unreachable
from ...ledger import places as ledger_places
from ...moments import iso_at
from .model import File, shown

NAME = "manifests"
# Room that is left beside it.
SPARE = 64 * 1024


class Manifest:
    """One JSON object a line, in the first of the directories that has room."""

    def __init__(
        self, run: str, directories: Sequence[str] | None = None, statvfs: Callable[[str], Space] = space
    ) -> None:
        chosen = ledger_places() if directories is None else directories
        name = re.sub(r"[^\w.-]", "_", run) + ".jsonl"
        self._paths = [Path(directory) / NAME / name for directory in chosen]
        self._statvfs = statvfs
        self.path: str | None = None

    def record(self, action: str, files: Iterable[File], digests: Mapping[str, str | None]) -> None:
        """Raises `Unreachable` when no place takes it: nothing is removed that is not written down."""
        lines = [_line(action, file, digests.get(file.path)) for file in files]
        self._append("".join(lines).encode())

    def note(self, facts: Mapping[str, Any]) -> None:
        self._append((json.dumps(facts, sort_keys=True) + "\n").encode())

    def settle(self) -> None:
        """Move what lies in memory to disk, now that there is room."""
        last, *others = self._paths[0], *self._paths[1:]
        for path in others:
            with contextlib.suppress(OSError):
                if path.exists() and self._fits(last, path.stat().st_size):
                    self._write(last, path.read_bytes())
                    path.unlink()
                    self.path = str(last)

    def _append(self, data: bytes) -> None:
        failures = []
        for path in self._paths:
            try:
                if not self._fits(path, len(data)):
                    failures.append(f"{path.parent}: no room")
                    continue
                self._write(path, data)
            except OSError as error:
                failures.append(f"{path}: {error.strerror}")
                continue
            self.path = str(path)
            return
        raise Unreachable(
            "manifest", "; ".join(failures), "Nothing is removed that is not written down: run as root."
        )

    def _fits(self, path: Path, size: int) -> bool:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._statvfs(str(path.parent)).available >= size + SPARE

    def _write(self, path: Path, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(str(path), flags, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(descriptor, view) :]
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)


def _line(action: str, file: File, sha256: str | None) -> str:
    facts = {
        "action": action,
        "path": shown(file.path),
        "size": file.size,
        "mtime": iso_at(file.mtime_ns / 1e9),
        "inode": file.inode,
        "device": file.device,
    }
    if sha256:
        facts["sha256"] = sha256
    return json.dumps(facts, separators=(",", ":")) + "\n"
