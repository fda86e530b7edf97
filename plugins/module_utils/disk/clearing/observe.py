# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes room on the filesystems that are short of it, and who has it open."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping, Sequence

from ...clients import container_logs, docker, holders, journal, package_caches
from ...clients.container_logs import ContainerLog
from ...clients.holders import Use, Uses
from ...clients.package_caches import Cache
from ...clients.procfs import Procfs
from ...deadlines import Deadline
from ...host.parts import Parts
from ...ledger import Entry
from ...moments import utc_now
from ...services import Service
from .incident import incident
from .logs import LOGS_MOST, Logs
from .model import (
    BACKUPS,
    COMPRESS,
    LIVE,
    OLD_LOGS,
    File,
    Holder,
    Journal,
    Log,
    Place,
    Snapshot,
    Spare,
    Writer,
)
from .protection import data_directory
from .reopening import catches, head_of, signal_of
from .room import places
from .roots import log_roots, within

PROCESS_SECONDS, WALK_SECONDS, DOCKER_SECONDS = 20.0, 120.0, 20.0


@dataclass(frozen=True)
class Request:
    """What to look at, as the caller asked. `spares` lists backups that newer ones replace."""

    path: str | None
    free: str | None
    levers: Sequence[str]
    roots: Sequence[str] | None
    security_incident: str
    evidence: str | None
    services: Sequence[Service]
    spares: Callable[[], Sequence[Spare]]


def observe(procfs: Procfs, request: Request, entries: Sequence[Entry]) -> Snapshot:
    """Raises `BadInput` and `Unreachable`; what else cannot be seen is in `unseen`."""
    roots = log_roots(request.roots, request.services)
    short = places(procfs, request.path, request.free, request.services)
    now = utc_now()
    needing = tuple(place for place in short if place.missing or place.missing_inodes)
    if not needing:
        return Snapshot(now=now.timestamp(), places=short)
    parts, devices = Parts(), {place.device for place in needing}
    deadline = Deadline(PROCESS_SECONDS)
    seen = holders.uses(procfs, lambda: deadline.over)
    if not seen.complete:
        parts.unseen["open files"] = "not every process could be looked at: run as root (become: true)"
    logs = _logs(roots, needing, request.levers, parts)
    live = [log for log in logs.found if log.kind == LIVE and log.place in devices] if logs else []
    spares = (parts.see("backups", request.spares) if BACKUPS in request.levers else None) or ()
    return Snapshot(
        now=now.timestamp(),
        places=short,
        holders=_deleted(procfs, seen, devices),
        caches=_caches(devices),
        logs=tuple(log for log in logs.found if log.place in devices) if logs else (),
        open=frozenset(seen.of),
        writers=_writers(procfs, seen, live),
        journals=_journals(devices),
        containers=parts.see("containers", _containers, devices) or (),
        spares=tuple(spare for spare in spares if spare.place in devices),
        incident=incident(request.security_incident, request.evidence, entries, now),
        unseen=parts.unseen,
        protected=logs.protected if logs else {},
    )


def _logs(roots: Sequence[str], needing: Sequence[Place], levers: Sequence[str], parts: Parts) -> Logs | None:
    if not {COMPRESS, OLD_LOGS} & set(levers):
        return None
    devices, clean = {place.device for place in needing}, []
    protected: dict[str, str] = {}
    # A walk passes over what is mounted below: that is walked by itself.
    mounted = {place.point for place in needing for root in roots if within(place.point, root)}
    for root in sorted({*roots, *mounted}):
        inside = data_directory(root)
        if inside is not None:
            protected[root] = f"it lies in {inside}, the data directory of a server"
        elif Path(root).stat().st_dev in devices:
            clean.append(root)
    end = time.monotonic() + WALK_SECONDS
    logs = Logs(clean, lambda: time.monotonic() > end)
    logs.protected.update(protected)
    parts.unseen.update({f"directory {path}": reason for path, reason in logs.unreadable.items()})
    if not logs.complete:
        parts.unseen["logs"] = f"there are more than can be looked at ({WALK_SECONDS:g} s, {LOGS_MOST} files)"
    return logs


def _deleted(procfs: Procfs, seen: Uses, devices: set[int]) -> tuple[Holder, ...]:
    """By the process that is to be spoken to: of several that share a program, the first."""
    held: dict[tuple[int, int], tuple[Use, ...]] = {
        key: uses
        for key, uses in seen.of.items()
        if key[0] in devices and uses[0].deleted and uses[0].status.st_blocks
    }
    by_head: dict[int, list[tuple[Use, ...]]] = {}
    for uses in held.values():
        by_head.setdefault(head_of(procfs, sorted({use.pid for use in uses})), []).append(uses)
    found = []
    for pid, each in by_head.items():
        process = procfs.process(pid)
        if process is None:
            continue
        names = {procfs.name(use.pid) for uses in each for use in uses}
        wanted = signal_of(process.name) if names == {process.name} else None
        found.append(
            Holder(
                pid=pid,
                started=process.started,
                name=process.name,
                place=each[0][0].status.st_dev,
                files=tuple(File.of(uses[0].path, uses[0].status) for uses in each),
                signal=wanted if wanted and catches(procfs, pid, wanted) else None,
                appends=all(holders.appends(use) for uses in each for use in uses if holders.writes(use)),
                unit=procfs.unit(pid),
            )
        )
    return tuple(sorted(found, key=lambda holder: -holder.bytes))


def _writers(procfs: Procfs, seen: Uses, logs: Sequence[Log]) -> Mapping[tuple[int, int], tuple[Writer, ...]]:
    found = {}
    for log in logs:
        pids = sorted({use.pid for use in seen.of.get(log.file.key, ()) if holders.writes(use)})
        if pids:
            found[log.file.key] = _those(procfs, pids)
    return found


def _those(procfs: Procfs, pids: Sequence[int]) -> tuple[Writer, ...]:
    names = {procfs.name(pid) for pid in pids}
    chosen = [head_of(procfs, pids)] if len(names) == 1 else pids
    writers = []
    for pid in chosen:
        process = procfs.process(pid)
        if process is not None:
            wanted = signal_of(process.name)
            caught = wanted if wanted and catches(procfs, pid, wanted) else None
            writers.append(Writer(pid, process.started, process.name, caught))
    return tuple(writers)


def _caches(devices: set[int]) -> tuple[Cache, ...]:
    end = time.monotonic() + PROCESS_SECONDS
    found = package_caches.caches(lambda: time.monotonic() > end)
    return tuple(cache for cache in found if cache.device in devices)


def _journals(devices: set[int]) -> tuple[Journal, ...]:
    if not journal.can_vacuum():
        return ()
    found = (Journal(path, Path(path).stat().st_dev, taken) for path, taken in journal.sizes().items())
    return tuple(each for each in found if each.place in devices)


def _containers(devices: set[int]) -> tuple[ContainerLog, ...]:
    path = docker.socket_path()
    if path is None:
        return ()
    found = container_logs.container_logs(path, Deadline(DOCKER_SECONDS).remaining)
    return tuple(each for each in found if each.device in devices)
