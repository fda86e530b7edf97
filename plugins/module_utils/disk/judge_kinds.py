# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of which there may be too many: logs that were kept, journals, caches, core dumps. Pure."""

from __future__ import annotations

from typing import Any, Iterator

from ..finding import Finding
from ..host.room import cause_level, remedy
from ..moments import iso_at
from ..quantities import share, speak_list, speak_path, speak_size
from .kinds import CACHE, CORE, DUMP, JOURNAL, ROTATED, TEMPORARY
from .model import File, Seen

NAMED, LISTED = 3, 10


def judge_kinds(seen: Seen) -> Iterator[Finding]:
    yield from _rotated(seen)
    yield from _journal(seen)
    yield from _caches(seen)
    yield from _cores(seen)
    yield from _dumps(seen)
    yield from _temporary(seen)


def told(held: int, seen: Seen) -> str:
    """`1.5 GiB, 12 % of /var`."""
    filesystem = seen.place.filesystem
    return f"{speak_size(held)}, {share(held, filesystem.space.total):.0f} % of {filesystem.point}"


def describe(file: File) -> dict[str, Any]:
    return {
        "path": speak_path(file.path),
        "kind": file.kind,
        "bytes": file.bytes,
        "size": file.size,
        "modified": iso_at(file.modified),
    }


class _Cause:
    """What the files of one kind take."""

    def __init__(self, seen: Seen, kind: str) -> None:
        files = [file for file in seen.usage.biggest if file.kind == kind]
        held = seen.usage.of_kind(kind)
        self.told, self.point = told(held, seen), seen.place.name
        self.first = ", ".join(f"{speak_path(file.path)} {speak_size(file.bytes)}" for file in files[:NAMED])
        self.evidence = {"bytes": held, "files": [describe(file) for file in files[:LISTED]]}


def _rotated(seen: Seen) -> Iterator[Finding]:
    level = cause_level(seen.usage.of_kind(ROTATED), seen.place.filesystem)
    if level is None:
        return
    cause = _Cause(seen, ROTATED)
    old = sum(each.bytes for each in seen.usage.shares if each.kind == ROTATED and each.age != "day")
    yield Finding(
        id="disk.log.rotated_kept",
        level=level,
        subject=f"rotated logs on {cause.point}",
        summary=f"rotated logs have {cause.told}, {speak_size(old)} of it older than a day: {cause.first}",
        evidence=cause.evidence,
        remedy=remedy(seen.place.filesystem, "compress"),
    )


def _journal(seen: Seen) -> Iterator[Finding]:
    level = cause_level(seen.usage.of_kind(JOURNAL), seen.place.filesystem)
    if level is None:
        return
    cause = _Cause(seen, JOURNAL)
    yield Finding(
        id="disk.journal.large",
        level=level,
        subject=f"journal on {cause.point}",
        summary=f"the journal has {cause.told}. SystemMaxUse in journald.conf limits it for good",
        evidence=cause.evidence,
        remedy=remedy(seen.place.filesystem, "journal"),
    )


def _caches(seen: Seen) -> Iterator[Finding]:
    level = cause_level(seen.usage.of_kind(CACHE), seen.place.filesystem)
    if level is None:
        return
    cause = _Cause(seen, CACHE)
    areas = [area for area in seen.usage.areas if area.kind == CACHE and area.bytes]
    named = [f"{area.name} {speak_size(area.bytes)}" for area in areas]
    yield Finding(
        id="disk.cache.large",
        level=level,
        subject=f"package caches on {cause.point}",
        summary=f"package caches have {cause.told}, that can be fetched again: "
        f"{speak_list(named, NAMED) or cause.first}",
        evidence={**cause.evidence, "caches": {area.path: area.bytes for area in areas}},
        remedy=remedy(seen.place.filesystem, "caches"),
    )


def _cores(seen: Seen) -> Iterator[Finding]:
    level = cause_level(seen.usage.of_kind(CORE), seen.place.filesystem)
    if level is None:
        return
    cause = _Cause(seen, CORE)
    yield Finding(
        id="disk.core.left",
        level=level,
        subject=f"core dumps on {cause.point}",
        summary=f"core dumps of programs that crashed have {cause.told}: {cause.first}. Keep the newest for "
        f"whoever looks into the crash (coredumpctl), and remove the others",
        evidence=cause.evidence,
    )


def _dumps(seen: Seen) -> Iterator[Finding]:
    level = cause_level(seen.usage.of_kind(DUMP), seen.place.filesystem)
    if level is None:
        return
    cause = _Cause(seen, DUMP)
    yield Finding(
        id="disk.dump.large",
        level=level,
        subject=f"dumps and backups on {cause.point}",
        summary=f"dumps, backups and archives have {cause.told}: {cause.first}. Copy them elsewhere before "
        f"one is removed",
        evidence=cause.evidence,
    )


def _temporary(seen: Seen) -> Iterator[Finding]:
    level = cause_level(seen.usage.of_kind(TEMPORARY), seen.place.filesystem)
    if level is None:
        return
    cause = _Cause(seen, TEMPORARY)
    yield Finding(
        id="disk.temporary.large",
        level=level,
        subject=f"temporary files on {cause.point}",
        summary=f"temporary files have {cause.told}: {cause.first}. See who has them open (fuser) before one "
        f"is removed",
        evidence=cause.evidence,
    )
