# SPDX-License-Identifier: GPL-3.0-or-later
"""What `disk_space_info` returns of what was seen. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Iterator, Mapping, Sequence

from ..finding import Finding
from ..host.room import inodes_used_percent, used_percent
from ..moments import iso_at
from ..quantities import speak_path
from .judge import judge, unaccounted
from .judge_kinds import describe
from .judge_owners import holds
from .kinds import CACHE, JOURNAL, KINDS, WAL
from .model import AGES, Area, Backups, Directory, Docker, Seen, Snapshot, Usage

DELETED_LISTED = 20


def inform(snapshot: Snapshot) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    areas = [area for seen in snapshot.seen for area in seen.usage.areas]
    data = {
        "filesystems": [_filesystem(seen, snapshot) for seen in snapshot.seen],
        "journal": _journal(areas),
        "caches": [
            {"name": area.name, "path": speak_path(area.path), "bytes": area.bytes, "files": area.entries}
            for area in areas
            if area.kind == CACHE
        ],
        "wal": [
            {
                "path": speak_path(area.path),
                "bytes": area.bytes,
                "archive_waiting": area.waiting,
                "slots": list(snapshot.slots.get(area.path, ())),
            }
            for area in areas
            if area.kind == WAL
        ],
        "postgres": asdict(snapshot.wal) if snapshot.wal else None,
        "docker": _docker(snapshot.docker, areas) if snapshot.docker else None,
        "backups": _backups(snapshot.backups, snapshot) if snapshot.backups else None,
        "unseen": dict(snapshot.unseen),
    }
    return data, judge(snapshot)


def _filesystem(seen: Seen, snapshot: Snapshot) -> dict[str, Any]:
    filesystem, usage = seen.place.filesystem, seen.usage
    space = filesystem.space
    return {
        "point": filesystem.point,
        "kind": filesystem.kind,
        "source": filesystem.source,
        "read_only": filesystem.read_only,
        "whole": seen.place.whole,
        "size": space.total,
        "used": space.total - space.free,
        "available": space.available,
        "reserved": space.free - space.available,
        "used_percent": used_percent(filesystem),
        "inodes": space.inodes,
        "inodes_used": space.inodes - space.inodes_available,
        "inodes_available": space.inodes_available,
        "inodes_used_percent": inodes_used_percent(filesystem),
        "walk": _walk(usage),
        "directories": [_directory(one) for one in usage.large],
        "inode_directories": [_directory(one) for one in usage.crowded],
        "files": [describe(file) for file in usage.biggest[: snapshot.top]],
        "types": _sums(usage, "kind", KINDS),
        "ages": _sums(usage, "age", [age for age, _seconds in AGES]),
        "deleted_open": _deleted(seen, snapshot),
        "unaccounted": _unaccounted(seen, snapshot),
    }


def _walk(usage: Usage) -> dict[str, Any]:
    return {
        "roots": [speak_path(root) for root in usage.roots],
        "seconds": round(usage.seconds, 2),
        "complete": usage.complete,
        "bytes": usage.bytes,
        "apparent_bytes": usage.size,
        "sparse_files": usage.sparse,
        "sparse_bytes": usage.sparse_bytes,
        "files": usage.files,
        "directories": usage.directories,
        "unreadable": usage.unreadable,
        "first_unreadable": {speak_path(path): said for path, said in usage.first_unreadable.items()},
        "mounts": [speak_path(mount) for mount in usage.mounts],
    }


def _directory(one: Directory) -> dict[str, Any]:
    return {**asdict(one), "path": speak_path(one.path)}


def _sums(usage: Usage, column: str, names: Sequence[str]) -> dict[str, dict[str, int]]:
    sums = {name: {"bytes": 0, "files": 0} for name in names}
    for share in usage.shares:
        one = sums[getattr(share, column)]
        one["bytes"] += share.bytes
        one["files"] += share.files
    return sums


def _deleted(seen: Seen, snapshot: Snapshot) -> dict[str, Any]:
    files = [
        file
        for file in snapshot.deleted.files
        if file.point == seen.place.filesystem.point and (seen.place.whole or holds(seen, file.path))
    ]
    return {
        "bytes": sum(file.bytes for file in files),
        "complete": snapshot.deleted.complete,
        "files": [{**asdict(file), "path": speak_path(file.path)} for file in files[:DELETED_LISTED]],
    }


def _unaccounted(seen: Seen, snapshot: Snapshot) -> dict[str, Any]:
    return {"bytes": unaccounted(seen, snapshot), "reasons": list(_reasons(seen, snapshot))}


def _reasons(seen: Seen, snapshot: Snapshot) -> Iterator[str]:
    usage, filesystem = seen.usage, seen.place.filesystem
    if not seen.place.whole:
        yield "only a part of the filesystem was asked for"
    if filesystem.kind == "overlay":
        yield "an overlay shows the room of the disk it lies on, and others have files there"
    if not usage.complete:
        yield "the time was over"
    if usage.unreadable:
        yield f"{usage.unreadable} directories could not be looked into"
    if not snapshot.deleted.complete:
        yield "not all open files were seen"
    if usage.mounts:
        yield f"{len(usage.mounts)} mounts may hide files"
    if filesystem.kind not in ("tmpfs", "overlay"):
        yield "the filesystem's own lists and journal"


def _journal(areas: Sequence[Area]) -> dict[str, Any]:
    found = [area for area in areas if area.kind == JOURNAL]
    return {
        "bytes": sum(area.bytes for area in found),
        "directories": {speak_path(area.path): area.bytes for area in found},
    }


def _docker(docker: Docker, areas: Sequence[Area]) -> dict[str, Any]:
    sizes = {area.path: area.bytes for area in areas}
    return {
        "logs": [
            {
                "container": log.name,
                "path": log.path,
                "bytes": log.bytes,
                "max_size": log.max_size or None,
            }
            for log in docker.logs
        ],
        "layers": [
            {"container": name, "path": path, "bytes": sizes.get(path)}
            for path, name in docker.layers.items()
        ],
        "volumes": [{**asdict(volume), "bytes": sizes.get(volume.path)} for volume in docker.volumes],
        "images_bytes": docker.images,
        "images_unused_bytes": docker.images_unused,
        "build_cache_bytes": docker.build_cache,
        "build_cache_unused_bytes": docker.build_cache_unused,
    }


def _backups(backups: Backups, snapshot: Snapshot) -> dict[str, Any]:
    directory = backups.directory.rstrip("/")
    taken = {area.path: area.bytes for seen in snapshot.seen for area in seen.usage.areas}
    return {
        **asdict(backups),
        "directory_bytes": taken.get(directory),
        "oldest": None if backups.oldest is None else iso_at(backups.oldest),
        "newest": None if backups.newest is None else iso_at(backups.newest),
    }
