# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine itself is short of: measured twice within half a second, so that rates are of now."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field, replace
from typing import Callable, Iterable, Mapping, Sequence

from ..clients.cgroups import Group, Limits, find_limits
from ..clients.open_files import Deleted
from ..clients.procfs import PAGE, TICKS, CpuTimes, Process, Procfs, Space, space
from ..errors import Unreachable
from .filesystems import Filesystem, deleted_on, filesystems_of
from .parts import Parts

INTERVAL = 0.4
TOP = 5
RECENT_SECONDS = 3600.0
RESOURCES = ("cpu", "memory", "io")
# Of the interval, for the files of all processes: a proxy may have a hundred thousand connections open.
OPEN_FILES_SECONDS = 0.25
IDLE = (0, 0)

_KILLED = re.compile(r"Killed process (\d+) \((.*?)\)")


@dataclass(frozen=True)
class Memory:
    """Bytes. `limit` and `limit_used` are those of the cgroup this namespace lives in, when it has one."""

    total: int
    available: int
    swap_total: int
    swap_free: int
    limit: int | None = None
    limit_used: int | None = None


@dataclass(frozen=True)
class OomKill:
    """`seconds_ago` is counted from the observation; `in_cgroup` when a cgroup's limit was the reason."""

    pid: int
    name: str
    seconds_ago: float
    in_cgroup: bool


@dataclass(frozen=True)
class Oom:
    """Kills since boot, in the interval, and those within the last hour (None: log cannot be read)."""

    since_boot: int
    in_interval: int
    recent: tuple[OomKill, ...] | None


@dataclass(frozen=True)
class Usage:
    """One process. `cpu_percent` is of one CPU over the interval, `rss` in bytes (shared pages counted).

    `disk_read` and `disk_written` in bytes a second.
    """

    pid: int
    name: str
    user: str | None
    unit: str | None
    state: str
    cpu_percent: float
    rss: int
    disk_read: float = 0.0
    disk_written: float = 0.0

    @property
    def disk(self) -> float:
        return self.disk_read + self.disk_written


@dataclass(frozen=True)
class Limited:
    """A group with a limit: `now` as it is, `periods`, `throttled`, `kills` are those of the interval."""

    now: Group
    periods: int
    throttled: int
    kills: int


@dataclass(frozen=True)
class Snapshot:
    """`None` stands for what this host does not tell; `unseen` maps a part to the reason it should have.

    Shares are percentages of all CPUs over `interval` seconds, `swap_in` is in bytes a second. `deleted` are
    files without a name that are still open; there are more groups with a limit when `groups_left_out`.
    """

    interval: float
    cpus: int | None = None
    load: tuple[float, float, float] | None = None
    busy: float | None = None
    iowait: float | None = None
    steal: float | None = None
    blocked: int | None = None
    pressure: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    memory: Memory | None = None
    swap_in: float | None = None
    oom: Oom | None = None
    uptime: float | None = None
    filesystems: tuple[Filesystem, ...] = ()
    by_cpu: tuple[Usage, ...] = ()
    by_memory: tuple[Usage, ...] = ()
    by_disk: tuple[Usage, ...] | None = None
    deleted: Deleted = field(default_factory=Deleted)
    limited: tuple[Limited, ...] = ()
    groups_left_out: bool = False
    others_hidden: bool = False
    unseen: Mapping[str, str] = field(default_factory=dict)


def observe(
    procfs: Procfs | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    statvfs: Callable[[str], Space] = space,
) -> Snapshot:
    """Everything at once; raises `Unreachable` only when the kernel tells nothing at all."""
    procfs = procfs or Procfs()
    parts = Parts()
    started = clock()
    cpu = parts.see("cpu", procfs.cpu_times)
    counters = parts.see("vmstat", procfs.vmstat)
    earlier = parts.see("processes", _processes, procfs) or []
    disk = _disk_io(procfs, earlier)
    limits = parts.see("cgroups", find_limits, procfs) or Limits({}, {}, {})
    groups = limits.read()
    load = parts.see("load", procfs.load)
    uptime = parts.see("uptime", procfs.uptime)
    memory = parts.see("memory", _memory, procfs)
    filesystems = parts.see("filesystems", filesystems_of, procfs, parts, statvfs) or ()
    pressure = {resource: parts.see("pressure", procfs.pressure, resource) for resource in RESOURCES}
    recent = _recent_kills(procfs, uptime)
    until = clock() + OPEN_FILES_SECONDS
    deleted = parts.see("open files", deleted_on, procfs, filesystems, lambda: clock() > until)
    sleep(max(0.0, INTERVAL - (clock() - started)))
    interval = max(0.01, clock() - started)
    cpu_now = parts.see("cpu", procfs.cpu_times)
    counters_now = parts.see("vmstat", procfs.vmstat)
    now = parts.see("processes", _processes, procfs) or []
    rates = _rates(disk, _disk_io(procfs, earlier), interval) if disk else {}
    usages = _usages(earlier, now, rates, interval)
    if cpu is None and memory is None and not earlier:
        raise Unreachable("/proc", "; ".join(parts.unseen.values()), "See that it is mounted.")
    shares = _shares(cpu, cpu_now)
    return Snapshot(
        interval=interval,
        cpus=cpu.cpus if cpu else None,
        load=load,
        busy=shares.get("busy"),
        iowait=shares.get("iowait"),
        steal=shares.get("steal"),
        blocked=cpu_now.blocked if cpu_now else None,
        pressure={resource: shares for resource, shares in pressure.items() if shares},
        memory=memory,
        swap_in=_swap_in(counters, counters_now, interval),
        oom=_oom(counters, counters_now, recent),
        uptime=uptime,
        filesystems=filesystems,
        by_cpu=_top(procfs, usages, lambda usage: usage.cpu_percent),
        by_memory=_top(procfs, usages, lambda usage: usage.rss),
        by_disk=_top(procfs, usages, lambda usage: usage.disk) if disk else None,
        deleted=deleted or Deleted(complete=False),
        limited=_limited(groups, limits.read()),
        groups_left_out=limits.left_out,
        others_hidden=procfs.others_hidden(),
        unseen=parts.unseen,
    )


def _memory(procfs: Procfs) -> Memory | None:
    found = procfs.memory()
    if "MemTotal" not in found or "MemAvailable" not in found:
        raise Unreachable(
            "/proc/meminfo", "it does not say what is available", "Look at it by hand: free --wide."
        )
    limit, used = procfs.cgroup_memory() or (None, None)
    return Memory(
        total=found["MemTotal"],
        available=found["MemAvailable"],
        swap_total=found.get("SwapTotal", 0),
        swap_free=found.get("SwapFree", 0),
        limit=limit,
        limit_used=used,
    )


def _shares(before: CpuTimes | None, after: CpuTimes | None) -> dict[str, float]:
    if before is None or after is None or after.total <= before.total:
        return {}
    total = after.total - before.total
    idle = after.idle - before.idle
    # The kernel corrects iowait downwards at times.
    iowait = max(0, after.iowait - before.iowait)
    return {
        "busy": _percent(total - idle - iowait, total),
        "iowait": _percent(iowait, total),
        "steal": _percent(after.steal - before.steal, total),
    }


def _percent(part: float, whole: float) -> float:
    return round(min(100.0, max(0.0, 100.0 * part / whole)), 1)


def _swap_in(
    before: Mapping[str, int] | None, after: Mapping[str, int] | None, interval: float
) -> float | None:
    if not before or not after or "pswpin" not in after:
        return None
    return (after["pswpin"] - before.get("pswpin", after["pswpin"])) * PAGE / interval


def _oom(
    before: Mapping[str, int] | None,
    after: Mapping[str, int] | None,
    recent: tuple[OomKill, ...] | None,
) -> Oom | None:
    if not before or not after or "oom_kill" not in after:
        return None if recent is None else Oom(len(recent), 0, recent)
    return Oom(after["oom_kill"], after["oom_kill"] - before.get("oom_kill", after["oom_kill"]), recent)


def _recent_kills(procfs: Procfs, uptime: float | None) -> tuple[OomKill, ...] | None:
    """None when the log cannot be read, which is the rule for ordinary users and in containers."""
    if uptime is None:
        return None
    try:
        messages = procfs.kernel_messages()
    except Unreachable:
        return None
    kills = []
    for message in messages:
        match = _KILLED.search(message.text)
        ago = max(0.0, uptime - message.at)
        if match and ago <= RECENT_SECONDS:
            kills.append(
                OomKill(int(match.group(1)), match.group(2), ago, message.text.startswith("Memory cgroup"))
            )
    return tuple(kills)


def _processes(procfs: Procfs) -> list[Process]:
    return list(procfs.processes())


def _usages(
    earlier: Sequence[Process],
    now: Sequence[Process],
    disk: Mapping[int, tuple[float, float]],
    interval: float,
) -> list[Usage]:
    ticks = {(process.pid, process.started): process.ticks for process in earlier}
    own = os.getpid()
    return [
        Usage(
            pid=process.pid,
            name=process.name,
            user=None,
            unit=None,
            state=process.state,
            cpu_percent=round(
                100.0
                * (process.ticks - ticks.get((process.pid, process.started), process.ticks))
                / TICKS
                / interval,
                1,
            ),
            rss=process.rss,
            disk_read=disk.get(process.pid, IDLE)[0],
            disk_written=disk.get(process.pid, IDLE)[1],
        )
        for process in now
        if process.pid != own
    ]


def _disk_io(procfs: Procfs, processes: Sequence[Process]) -> dict[int, tuple[int, int]]:
    """By pid; only root sees that of others. What a kernel thread writes is somebody else's."""
    found = ((process.pid, procfs.disk_io(process.pid)) for process in processes if process.rss)
    return {pid: counts for pid, counts in found if counts is not None and pid != os.getpid()}


def _rates(
    before: Mapping[int, tuple[int, int]], after: Mapping[int, tuple[int, int]], interval: float
) -> dict[int, tuple[float, float]]:
    """Bytes a second by pid, of those that read or wrote. Less than before: another one has the pid now."""
    return {
        pid: (
            round(max(0.0, (read - before[pid][0]) / interval)),
            round(max(0.0, (written - before[pid][1]) / interval)),
        )
        for pid, (read, written) in after.items()
        if pid in before and before[pid] != (read, written)
    }


def _limited(before: Mapping[str, Group], after: Mapping[str, Group]) -> tuple[Limited, ...]:
    return tuple(
        Limited(
            now,
            max(0, now.periods - before[path].periods),
            max(0, now.throttled - before[path].throttled),
            max(0, now.kills - before[path].kills),
        )
        for path, now in after.items()
    )


def _top(procfs: Procfs, usages: Iterable[Usage], key: Callable[[Usage], float]) -> tuple[Usage, ...]:
    """The first few, and only for them who owns them."""
    first = sorted((usage for usage in usages if key(usage) > 0), key=key, reverse=True)[:TOP]
    return tuple(replace(usage, user=procfs.owner(usage.pid), unit=procfs.unit(usage.pid)) for usage in first)
