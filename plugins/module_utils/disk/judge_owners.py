# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers, backups and a database have of a filesystem. Pure."""

from __future__ import annotations

from typing import Any, Iterator

from ..finding import Finding
from ..host.room import cause_level, remedy
from ..moments import iso_at
from ..quantities import share, speak_count, speak_duration, speak_list, speak_path, speak_size
from .judge_kinds import told
from .kinds import CONTAINER_LOG, LAYER, WAL
from .model import Area, Seen, Snapshot
from .places import within


def judge_owners(seen: Seen, snapshot: Snapshot) -> Iterator[Finding]:
    yield from _container_logs(seen, snapshot)
    yield from _containers(seen, snapshot)
    yield from _backups(seen, snapshot)
    for area in seen.usage.areas:
        if area.kind == WAL:
            yield from _wal(area, seen, snapshot)


def holds(seen: Seen, path: str) -> bool:
    """Whether `path` lies in what was walked."""
    root = max((root for root in seen.usage.roots if within(path, root)), key=len, default=None)
    return root is not None and not any(
        within(path, mount) for mount in seen.usage.mounts if len(mount) > len(root)
    )


def _container_logs(seen: Seen, snapshot: Snapshot) -> Iterator[Finding]:
    filesystem = seen.place.filesystem
    known = {log.path: log for log in snapshot.docker.logs} if snapshot.docker else {}
    for file in seen.usage.biggest:
        level = cause_level(file.bytes, filesystem)
        if file.kind != CONTAINER_LOG or level is None:
            continue
        log, path = known.get(file.path), speak_path(file.path)
        name = log.name if log else path.rpartition("/")[2][:12]
        limit = f"it may grow to {log.max_size}" if log and log.max_size else "nothing limits it"
        yield Finding(
            id="disk.container_log.large",
            level=level,
            subject=f"log of container {name}",
            summary=f"what container {name} printed has {told(file.bytes, seen)}, and {limit}. For good: "
            f"max-size in the logging options of its service, and see what it repeats",
            evidence={
                "container": name,
                "path": path,
                "bytes": file.bytes,
                "max_size": log.max_size or None if log else None,
                "modified": iso_at(file.modified),
            },
            remedy=remedy(filesystem, "container_logs"),
        )


def _containers(seen: Seen, snapshot: Snapshot) -> Iterator[Finding]:
    docker, filesystem = snapshot.docker, seen.place.filesystem
    if docker is None:
        return
    areas = {area.path: area for area in seen.usage.areas}
    unused = (docker.images_unused or 0) + (docker.build_cache_unused or 0)
    level = cause_level(unused, filesystem)
    if level and any(area.kind == LAYER and area.name == "docker" for area in areas.values()):
        yield Finding(
            id="disk.images.unused",
            level=level,
            subject=f"images on {seen.place.name}",
            summary=f"images that no container uses and the build cache have {told(unused, seen)}. "
            f"docker image prune -a and docker builder prune give it back; what is "
            f"needed again must be pulled again",
            evidence={"images": docker.images_unused, "build_cache": docker.build_cache_unused},
        )
    for path, name in docker.layers.items():
        area = areas.get(path)
        level = cause_level(area.bytes, filesystem) if area else None
        if area and level:
            yield Finding(
                id="disk.layer.large",
                level=level,
                subject=f"container {name}",
                summary=f"container {name} has written {told(area.bytes, seen)}, into its own "
                f"layer instead of a volume; docker diff {name} names the files, which are lost when it is "
                f"made anew",
                evidence={"container": name, "path": path, "bytes": area.bytes},
            )
    for volume in docker.volumes:
        area = areas.get(volume.path)
        level = cause_level(area.bytes, filesystem) if area and not volume.used else None
        if area and level:
            yield Finding(
                id="disk.volume.unused",
                level=level,
                subject=f"volume {volume.name}",
                summary=f"volume {volume.name} has {told(area.bytes, seen)}, and no container uses it. "
                f"It may be the only copy of something: ask before it is removed",
                evidence={"volume": volume.name, "path": volume.path, "bytes": area.bytes},
            )


def _backups(seen: Seen, snapshot: Snapshot) -> Iterator[Finding]:
    backups, filesystem = snapshot.backups, seen.place.filesystem
    if backups is None or not backups.beyond or not holds(seen, backups.directory):
        return
    level = cause_level(backups.beyond_bytes, filesystem)
    if level:
        yield Finding(
            id="disk.backups.beyond_keep",
            level=level,
            subject=f"backups in {backups.directory}",
            summary=f"{speak_count(backups.beyond, 'dump')} beyond the {backups.keep} to keep "
            f"{'has' if backups.beyond == 1 else 'have'} {told(backups.beyond_bytes, seen)}. They are not "
            f"verified here: the newest that can be restored must stay",
            evidence={"count": backups.beyond, "bytes": backups.beyond_bytes, "keep": backups.keep},
            remedy=remedy(filesystem, "backups"),
        )


def _wal(area: Area, seen: Seen, snapshot: Snapshot) -> Iterator[Finding]:
    level = cause_level(area.bytes, seen.place.filesystem)
    if level is None or (snapshot.wal is not None and area.bytes <= snapshot.wal.max_bytes):
        return
    path, slots = speak_path(area.path), snapshot.slots.get(area.path, ())
    wal = snapshot.wal
    evidence: dict[str, Any] = {"path": path, "bytes": area.bytes, "waiting": area.waiting}
    evidence["slots"] = [dict(slot) for slot in wal.slots] if wal else list(slots)
    yield Finding(
        id="disk.wal.retained",
        level=level,
        subject=f"WAL in {path}",
        summary=f"{path} has {told(area.bytes, seen)}: {_why(area, snapshot, slots)}. Never remove anything "
        f"there: the server would not start again",
        evidence=evidence,
    )


def _why(area: Area, snapshot: Snapshot, slots: tuple[str, ...]) -> str:
    wal = snapshot.wal
    if wal is not None and wal.slots:
        slot = max(wal.slots, key=lambda slot: slot.get("retained_bytes") or 0)
        retained = slot.get("retained_bytes") or 0
        if share(retained, area.bytes) >= 50:
            reader = "which is read" if slot.get("active") else "which nobody reads"
            return (
                f"slot {slot['name']}, {reader}, keeps {speak_size(retained)}: have it read again, or drop "
                f"it (pg_drop_replication_slot) and set its reader up anew"
            )
    if area.waiting > 1:
        failed = (wal.archiver.get("failed_seconds_ago") if wal else None) or None
        since = f", which failed {speak_duration(failed)} ago" if failed is not None else ""
        return f"{area.waiting} segments wait for the archiver{since}: mend archive_command"
    if wal is None and slots:
        return f"slot {speak_list(slots, 3)} may keep it; give postgres, and the server is asked"
    return "neither a slot nor the archiver explains it; see max_wal_size and wal_keep_size"
