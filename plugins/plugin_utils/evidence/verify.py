# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks whether a collection still is what was collected, file by file."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.finding import (
    CRITICAL,
    NOTICE,
    WARNING,
    Finding,
)

from .collection import MANIFEST, SUMS

MANIFEST_LIMIT = 256 * 1024 * 1024
BLOCK = 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
_SUM = re.compile(r"([0-9a-f]{64})  (\S+)")


@dataclass(frozen=True)
class Verified:
    """One collection: what its manifest says it is, and what is wrong with it."""

    path: Path
    manifest: Mapping[str, Any]
    manifest_sha256: str | None
    artefacts: int
    bytes: int
    findings: tuple[Finding, ...]

    @property
    def intact(self) -> bool:
        return all(finding.level == NOTICE for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        said = {name: self.manifest.get(name) for name in ("host", "run", "incident", "profile", "complete")}
        return {
            "path": str(self.path),
            **said,
            "artefacts": self.artefacts,
            "bytes": self.bytes,
            "manifest_sha256": self.manifest_sha256,
            "intact": self.intact,
        }


def collections_in(path: Path) -> list[Path]:
    """The collection itself, or those of a run's or a whole evidence directory. Raises `BadInput`."""
    if not path.is_dir():
        raise BadInput(f"path {path}", "it is no directory", "Name a collection, or the directory of a run.")
    if _is_collection(path):
        return [path]
    found = sorted(
        {
            manifest.parent
            for depth in ("*", "*/*")
            for name in (MANIFEST, SUMS)
            for manifest in path.glob(f"{depth}/{name}")
        }
    )
    if not found:
        raise BadInput(
            f"path {path}",
            f"there is no {MANIFEST} in it or one below it",
            "Name a collection, or the directory of a run.",
        )
    return found


def _is_collection(path: Path) -> bool:
    return (path / MANIFEST).exists() or (path / SUMS).exists()


def verify(path: Path, manifest_sha256: str | None = None) -> Verified:
    """`manifest_sha256` is the digest that was written down elsewhere, when it was."""
    digest = _digest(path / MANIFEST)
    manifest, unreadable = _manifest(path)
    found = list(_manifest_findings(path, digest, manifest_sha256, unreadable))
    listed = manifest.get("artefacts")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    sums = _sums(path)
    names: set[str] = set()
    size = 0
    for entry in entries:
        name = entry.get("path")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            found.append(_changed_manifest(path, f"it names {name!r}, which no collection has"))
            continue
        names.add(name)
        size += entry["bytes"] if isinstance(entry.get("bytes"), int) else 0
        found.extend(_artefact(path, name, entry, sums.get(name)))
    found += [
        _changed_manifest(path, f"{SUMS} has {name}, which the manifest does not")
        for name in sorted(sums.keys() - names - {MANIFEST})
    ]
    found.extend(_unlisted(path, names))
    if manifest.get("complete") is False:
        found.append(_incomplete(path, manifest))
    return Verified(path, manifest, digest, len(names), size, tuple(found))


def _manifest(path: Path) -> tuple[Mapping[str, Any], str | None]:
    try:
        with (path / MANIFEST).open("rb") as stream:
            said = json.loads(stream.read(MANIFEST_LIMIT))
    except OSError as error:
        return {}, f"it cannot be read: {error.strerror}"
    except (ValueError, RecursionError):
        return {}, "it is no JSON any more"
    return (said, None) if isinstance(said, dict) else ({}, "it is no manifest")


def _manifest_findings(
    path: Path, digest: str | None, expected: str | None, unreadable: str | None
) -> Iterator[Finding]:
    if unreadable:
        yield _changed_manifest(path, unreadable)
    if expected and digest != expected.lower():
        yield _changed_manifest(path, f"its sha256 is {digest}, and {expected} was written down")
    summed = _sums(path).get(MANIFEST)
    if summed is None:
        yield _changed_manifest(path, f"{SUMS} does not name it")
    elif digest is not None and summed != digest:
        yield _changed_manifest(path, f"its sha256 is {digest}, and {SUMS} has {summed}")


def _sums(path: Path) -> dict[str, str]:
    try:
        with (path / SUMS).open("rb") as stream:
            text = stream.read(MANIFEST_LIMIT).decode("ascii", "replace")
    except OSError:
        return {}
    found = (_SUM.fullmatch(line) for line in text.splitlines())
    return {match[2]: match[1] for match in found if match}


def _artefact(path: Path, name: str, entry: Mapping[str, Any], summed: str | None) -> Iterator[Finding]:
    if not os.path.lexists(path / name):
        yield Finding(
            id="evidence.artefact.missing",
            level=CRITICAL,
            subject=f"{name} in {path}",
            summary=f"{name} of the evidence is gone",
            evidence={"path": str(path / name), "sha256": entry.get("sha256")},
        )
        return
    digest = _digest(path / name)
    expected = entry.get("sha256")
    if digest is None or digest != expected or (summed is not None and summed != digest):
        size = (path / name).lstat().st_size
        yield Finding(
            id="evidence.artefact.changed",
            level=CRITICAL,
            subject=f"{name} in {path}",
            summary=f"{name} is not what was collected ({size} bytes now, {entry.get('bytes')} then)",
            evidence={
                "path": str(path / name),
                "sha256": digest,
                "expected": expected,
                "in_sums": summed,
                "bytes": size,
            },
        )
    elif summed is None:
        yield _changed_manifest(path, f"{SUMS} does not name {name}")


def _unlisted(path: Path, names: set[str]) -> Iterator[Finding]:
    for entry in sorted(path.iterdir()):
        if entry.name not in names | {MANIFEST, SUMS}:
            yield Finding(
                id="evidence.artefact.unlisted",
                level=WARNING,
                subject=f"{entry.name!r} in {path}",
                summary=f"{entry.name!r} lies in the collection and is not in its manifest",
                evidence={"path": str(entry)},
            )


def _incomplete(path: Path, manifest: Mapping[str, Any]) -> Finding:
    reason = manifest.get("reason")
    return Finding(
        id="evidence.collection.incomplete",
        level=NOTICE,
        subject=f"collection {path}",
        summary=f"the collection was not complete when it was made: {reason}",
        evidence={"path": str(path), "reason": reason},
    )


def _changed_manifest(path: Path, problem: str) -> Finding:
    return Finding(
        id="evidence.manifest.changed",
        level=CRITICAL,
        subject=f"manifest of {path}",
        summary=f"the manifest does not fit the collection: {problem}",
        evidence={"path": str(path), "problem": problem},
    )


def _digest(path: Path) -> str | None:
    """None for what is no regular file: a link leads out of the collection."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        digest = hashlib.sha256()
        while block := stream.read(BLOCK):
            digest.update(block)
        return digest.hexdigest()
