# SPDX-License-Identifier: GPL-3.0-or-later
"""The limits that groups of processes live under, and how often they met them: cgroups of both versions."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Mapping

from .procfs import Mount, Procfs

# So many groups of a hierarchy are looked at: hosts have fewer, a big Kubernetes node may have more.
GROUPS = 400
# Version 1 says "no limit" with a number next to 2**63.
_NO_LIMIT = 1 << 60


@dataclass(frozen=True)
class Group:
    """A group with a limit; what it counts, it counts since it was made.

    `path` begins where this host, or the container that stands for one, has its root. `cpus` is the quota in
    CPUs, `periods` how often it had work, `throttled` in how many of them it was stopped. `memory` in bytes
    leaves out the cache of files, which goes first. `kills`: processes killed at the limit.
    """

    path: str
    cpus: float | None = None
    periods: int = 0
    throttled: int = 0
    throttled_seconds: float = 0.0
    memory_limit: int | None = None
    memory: int = 0
    kills: int = 0


@dataclass(frozen=True)
class Hierarchy:
    """Where a controller shows the groups of this host: `top` is the directory of the outermost one."""

    top: str
    version: int


@dataclass(frozen=True)
class Limits:
    """Quota in CPUs and limit in bytes by path. `left_out`: there are more groups than were looked at."""

    hierarchies: Mapping[str, Hierarchy]
    cpu: Mapping[str, float]
    memory: Mapping[str, int]
    left_out: bool = False

    def read(self) -> dict[str, Group]:
        """The counters of this moment by path; those of a group that is gone are 0."""
        return {path: self._group(path) for path in sorted({*self.cpu, *self.memory})}

    def _group(self, path: str) -> Group:
        times, used, kills = _Times(), 0, 0
        if path in self.cpu:
            times = _times(self.hierarchies["cpu"], path)
        if path in self.memory:
            used, kills = _use(self.hierarchies["memory"], path)
        return Group(
            path,
            self.cpu.get(path),
            times.periods,
            times.throttled,
            times.seconds,
            self.memory.get(path),
            used,
            kills,
        )


def find_limits(procfs: Procfs) -> Limits:
    """The groups of this host that have a limit. Raises `Unreachable` without /proc."""
    hierarchies = _hierarchies(procfs)
    cpu: dict[str, float] = {}
    memory: dict[str, int] = {}
    left_out = False
    for top in {hierarchy.top for hierarchy in hierarchies.values()}:
        for count, directory in enumerate(_groups(top)):
            if count == GROUPS:
                left_out = True
                break
            path = directory[len(top) :] or "/"
            for controller, hierarchy in hierarchies.items():
                if hierarchy.top != top:
                    continue
                if controller == "cpu":
                    quota = _quota(directory, hierarchy.version)
                    if quota is not None:
                        cpu[path] = quota
                else:
                    limit = _limit(directory, hierarchy.version)
                    if limit is not None:
                        memory[path] = limit
    return Limits(hierarchies, cpu, memory, left_out)


def memory_around(procfs: Procfs, pid: int) -> Group | None:
    """Of the groups that a process is in, the one with the least memory; None where none has a limit."""
    hierarchy = _hierarchies(procfs, pid).get("memory")
    if hierarchy is None:
        return None
    found: Group | None = None
    directory = Path(hierarchy.top)
    while directory != directory.parent and (directory / "cgroup.procs").exists():
        limit = _limit(str(directory), hierarchy.version)
        if limit is not None and (found is None or limit < (found.memory_limit or 0)):
            used, kills = _use(Hierarchy(str(directory), hierarchy.version), "")
            found = Group(str(directory), memory_limit=limit, memory=used, kills=kills)
        directory = directory.parent
    return found


def _hierarchies(procfs: Procfs, pid: int = 1) -> dict[str, Hierarchy]:
    own = procfs.groups(pid)
    found: dict[str, Hierarchy] = {}
    for mount in procfs.mounts():
        for controller in ("cpu", "memory"):
            if mount.kind == "cgroup" and controller in mount.super_options:
                found[controller] = Hierarchy(_top(mount, own.get(controller, "/")), 1)
            elif mount.kind == "cgroup2":
                # On a hybrid host a controller that version 1 has is not there.
                found.setdefault(controller, Hierarchy(_top(mount, own.get("", "/")), 2))
    return found


def _top(mount: Mount, own: str) -> str:
    """The directory of the group that everything on this host is in; PID 1 may have one of its own in it."""
    path = own[: -len("/init.scope")] if own.endswith("/init.scope") else own
    if mount.root != "/" and path.startswith(mount.root):
        path = path[len(mount.root) :]
    directory = mount.point + path.rstrip("/")
    return directory if ".." not in path and Path(directory).is_dir() else mount.point


def _groups(top: str) -> Iterator[str]:
    """The directories from `top` on, the outer ones first."""
    waiting = deque([top])
    while waiting:
        directory = waiting.popleft()
        yield directory
        try:
            with os.scandir(directory) as entries:
                waiting.extend(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
        except OSError:
            continue


def _quota(directory: str, version: int) -> float | None:
    if version == 1:
        quota = _number(f"{directory}/cpu.cfs_quota_us")
        return quota / max(1, _number(f"{directory}/cpu.cfs_period_us")) if quota > 0 else None
    # 50000 100000, or: max 100000
    fields = _text(f"{directory}/cpu.max").split()
    return int(fields[0]) / int(fields[1]) if len(fields) == 2 and fields[0].isdigit() else None


def _limit(directory: str, version: int) -> int | None:
    limit = _number(f"{directory}/{'memory.limit_in_bytes' if version == 1 else 'memory.max'}")
    return limit if 0 < limit < _NO_LIMIT else None


@dataclass(frozen=True)
class _Times:
    periods: int = 0
    throttled: int = 0
    seconds: float = 0.0


def _times(hierarchy: Hierarchy, path: str) -> _Times:
    found = _table(f"{hierarchy.top}{path}/cpu.stat")
    seconds = found.get("throttled_time", 0) / 1e9 + found.get("throttled_usec", 0) / 1e6
    return _Times(found.get("nr_periods", 0), found.get("nr_throttled", 0), seconds)


def _use(hierarchy: Hierarchy, path: str) -> tuple[int, int]:
    """Bytes that cannot be given back at once, and processes killed."""
    directory = f"{hierarchy.top}{path}"
    prefix, use, events = (
        ("total_", "memory.usage_in_bytes", "memory.oom_control")
        if hierarchy.version == 1
        else ("", "memory.current", "memory.events")
    )
    statistics = _table(f"{directory}/memory.stat")
    cache = statistics.get(f"{prefix}inactive_file", 0) + statistics.get(f"{prefix}active_file", 0)
    used = max(0, _number(f"{directory}/{use}") - cache)
    return used, _table(f"{directory}/{events}").get("oom_kill", 0)


def _table(path: str) -> dict[str, int]:
    lines = (line.split() for line in _text(path).splitlines())
    return {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[1].isdigit()}


def _number(path: str) -> int:
    text = _text(path).strip()
    return int(text) if text.isdigit() else 0


def _text(path: str) -> str:
    """Empty where there is no such file: which files there are depends on version and controllers."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""
