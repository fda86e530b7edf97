# SPDX-License-Identifier: GPL-3.0-or-later
"""A collection on the controller's disk: artefacts, manifest and sums, written as they come in.

Directories are 0700, files 0600, and everything is on the disk before the next call, so that what was
collected before a cut-off stays. Nothing that is there is ever overwritten.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable

from .answer import Piece

MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
FORMAT = 1
# The number in front makes a name unique; the rest is for people.
LONGEST_PART = 80
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass
class Artefact:
    """One file of the collection. `collected` is the controller's time in UTC, the others are the host's."""

    name: str
    order: int
    step: str
    part: str
    collected: str
    kind: str
    source: str
    command: Sequence[str] | None
    program_sha256: str | None
    started: str | None
    finished: str | None = None
    exit_code: int | None = None
    complaint: str | None = None
    cut: str | None = None
    bytes: int = 0
    whole: bool = False
    closed: bool = False
    mismatched: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def as_dict(self) -> dict[str, Any]:
        return {
            "path": self.name,
            "order": self.order,
            "bytes": self.bytes,
            "sha256": self.digest.hexdigest(),
            "collected_at": self.collected,
            "host_started": self.started,
            "host_finished": self.finished,
            "step": self.step,
            "part": self.part,
            "kind": self.kind,
            "source": self.source,
            "command": self.command,
            "program_sha256": self.program_sha256,
            "exit_code": self.exit_code,
            "complaint": self.complaint,
            "left_out": self.cut,
            "whole": self.whole,
            "mismatched_pieces": self.mismatched,
        }


def safe(text: str) -> str:
    """A part of a file name: no directory, no dot in front, nothing a shell or a terminal cares for."""
    return _UNSAFE.sub("_", text).strip("._-")[:LONGEST_PART].rstrip("._-")


def place(directory: Path, run: str, host: str) -> Path:
    """`directory`/run/host, with names that cannot lead elsewhere."""
    return directory / (safe(run) or "run") / (safe(host) or "host")


def check_free(path: Path) -> None:
    """Refuse a place where something is already. Raises `BadInput`."""
    try:
        occupied = path.is_symlink() or (path.exists() and (not path.is_dir() or any(path.iterdir())))
    except OSError as error:
        raise BadInput(
            f"collection {path}", str(error.strerror), "Name a directory that you can write."
        ) from error
    if occupied:
        raise BadInput(
            f"collection {path}",
            "there is one already, and evidence is never overwritten",
            "Collect in a new run, or name another directory.",
        )


class Collection:
    """`header` is what the manifest says beside its artefacts; it grows while the collection does."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path, self.header = path, dict(header)
        self.artefacts: list[Artefact] = []
        self.manifest_sha256 = ""

    def create(self) -> None:
        """The directories. The outermost keeps its contents out of any git repository it may lie in."""
        check_free(self.path)
        try:
            base = self.path.parent.parent
            if not base.exists():
                # The hosts of a run are collected from at once: each of them may be the first.
                base.mkdir(mode=0o700, parents=True, exist_ok=True)
                with contextlib.suppress(FileExistsError):
                    self._write(base / ".gitignore", b"*\n")
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            self.path.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise BadInput(
                f"collection {self.path}", str(error.strerror), "Name a directory that you can write."
            ) from error

    @property
    def size(self) -> int:
        return sum(artefact.bytes for artefact in self.artefacts)

    @property
    def open(self) -> Artefact | None:
        """The artefact whose next piece is awaited."""
        last = self.artefacts[-1] if self.artefacts else None
        return last if last is not None and not last.closed else None

    def begin(self, piece: Piece, now: str) -> Artefact:
        order = len(self.artefacts) + 1
        stem, dot, ending = piece.step.file.partition(".")
        part = safe(piece.part)
        artefact = Artefact(
            name=f"{order:03d}-{stem}{'-' if part else ''}{part}{dot}{ending}",
            order=order,
            step=piece.step.name,
            part=piece.part,
            collected=now,
            kind=piece.kind,
            source=piece.source,
            command=piece.command,
            program_sha256=piece.program_sha256,
            started=piece.started,
        )
        self._write(self.path / artefact.name, b"")
        self.artefacts.append(artefact)
        return artefact

    def append(self, artefact: Artefact, piece: Piece, data: bytes) -> None:
        """`data` is the part of the piece that there is room for."""
        with (self.path / artefact.name).open("ab") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        artefact.digest.update(data)
        artefact.bytes += len(data)
        artefact.finished, artefact.exit_code = piece.finished, piece.exit_code
        artefact.complaint = piece.complaint or artefact.complaint
        artefact.mismatched += not piece.matches
        artefact.closed = piece.last and len(data) == len(piece.data)
        artefact.cut = piece.cut or artefact.cut
        artefact.whole = artefact.closed and artefact.cut is None

    def save(self) -> None:
        """Manifest and sums, each whole or not at all."""
        said = {"format": FORMAT, **self.header, "artefacts": [each.as_dict() for each in self.artefacts]}
        manifest = json.dumps(said, indent=1).encode("ascii") + b"\n"
        self.manifest_sha256 = hashlib.sha256(manifest).hexdigest()
        sums = [f"{each.digest.hexdigest()}  {each.name}\n" for each in self.artefacts]
        sums.append(f"{self.manifest_sha256}  {MANIFEST}\n")
        self._replace(MANIFEST, manifest)
        self._replace(SUMS, "".join(sums).encode("ascii"))

    def _replace(self, name: str, data: bytes) -> None:
        new = self.path / f".{name}.new"
        new.unlink(missing_ok=True)
        self._write(new, data)
        new.replace(self.path / name)
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _write(self, path: Path, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())


def check_room(directory: Path, needed: int, reserve: int) -> None:
    """Refuse a filesystem that cannot take it all. Raises `BadInput`."""
    free = free_bytes(directory)
    if free < needed + reserve:
        raise BadInput(
            f"directory {directory}",
            f"{free >> 20} MiB are free, and the collection may need {needed >> 20} MiB beside "
            f"{reserve >> 20} MiB that stay free",
            "Name a directory with room, lower max_bytes, or collect from fewer hosts at a time.",
        )


def free_bytes(directory: Path) -> int:
    """Of the filesystem that a directory lies in or will lie in."""
    there = directory.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        found = os.statvfs(there)
    except OSError as error:
        raise Unreachable(
            f"directory {directory}", str(error.strerror), "Name one that can be read."
        ) from error
    return found.f_bavail * found.f_frsize
