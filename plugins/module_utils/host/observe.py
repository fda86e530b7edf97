# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine itself is short of: measured twice within half a second, so that rates are of now."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field, replace
from typing import Callable, Iterable, Mapping, Sequence

from ..clients.procfs import PAGE, TICKS, CpuTimes, Process, Procfs, Space, space
from ..errors import Unreachable
from .filesystems import Filesystem, filesystems_of
from .parts import Parts

INTERVAL = 0.4
TOP = 5
RECENT_SECONDS = 3600.0
RESOURCES = ("cpu", "memory", "io")

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
    """One process. `cpu_percent` is of one CPU over the interval, `rss` in bytes (shared pages counted)."""

    pid: int
    name: str
    user: str | None
    unit: str | None
    state: str
    cpu_percent: float
    rss: int


@dataclass(frozen=True)
class Snapshot:
    """`None` stands for what this host does not tell; `unseen` maps a part to the reason it should have.

    Shares are percentages of all CPUs over `interval` seconds, `swap_in` is in bytes a second.
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
    load = parts.see("load", procfs.load)
    uptime = parts.see("uptime", procfs.uptime)
    memory = parts.see("memory", _memory, procfs)
    filesystems = parts.see("filesystems", filesystems_of, procfs, parts, statvfs) or ()
    pressure = {resource: parts.see("pressure", procfs.pressure, resource) for resource in RESOURCES}
    recent = _recent_kills(procfs, uptime)
    sleep(max(0.0, INTERVAL - (clock() - started)))
    interval = max(0.01, clock() - started)
    cpu_now = parts.see("cpu", procfs.cpu_times)
    counters_now = parts.see("vmstat", procfs.vmstat)
    usages = _usages(earlier, parts.see("processes", _processes, procfs) or [], interval)
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


def _usages(earlier: Sequence[Process], now: Sequence[Process], interval: float) -> list[Usage]:
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
        )
        for process in now
        if process.pid != own
    ]


def _top(procfs: Procfs, usages: Iterable[Usage], key: Callable[[Usage], float]) -> tuple[Usage, ...]:
    """The first few, and only for them who owns them."""
    first = sorted((usage for usage in usages if key(usage) > 0), key=key, reverse=True)[:TOP]
    return tuple(replace(usage, user=procfs.owner(usage.pid), unit=procfs.unit(usage.pid)) for usage in first)
