# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the machine is what users wait for: saturation first, utilisation only where it is missing."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Iterator, Mapping, Sequence

from ..finding import CRITICAL, NOTICE, WARNING, Finding
from ..quantities import MIB, share, speak_size
from .observe import Oom, Snapshot, Usage
from .room import inodes_used_percent, judge_deleted, judge_room, used_percent
from .shortage import at_limits, group_name


@dataclass(frozen=True)
class Pressure:
    """Percent of the last 10 s that tasks waited: some of them, or all of them at once."""

    some: float
    full_warning: float
    full_critical: float


# Half the time is a queue that users feel. Where *all* tasks wait nothing is done at all, so a fifth of
# the time is bad and most of the time is standstill. CPU has no useful `full` on a whole host.
PRESSURES: Mapping[str, Pressure] = {
    "cpu": Pressure(some=50.0, full_warning=101.0, full_critical=101.0),
    "memory": Pressure(some=20.0, full_warning=10.0, full_critical=40.0),
    "io": Pressure(some=50.0, full_warning=20.0, full_critical=60.0),
}
# Load counts tasks that run and tasks that wait for I/O: judged only where pressure is not measured.
LOAD_PER_CPU = 2.0
# One clock tick is about 1 % of so short an interval: below this a sample can be chance.
STEAL_PERCENT = 20.0
# The kernel begins to reclaim in the foreground near its watermarks, which are a few percent.
MEMORY_LOW, MEMORY_CRITICAL = 10.0, 3.0
# 4 MiB/s is a thousand page faults a second that wait for a disk.
SWAP_IN = 4.0 * MIB
# Percent of one CPU, percent of the memory: a process below is one of many.
BLAME_CPU, BLAME_MEMORY = 25.0, 10.0
# Bytes a second.
BLAME_DISK = MIB
FILES_TOLD = 10


def judge(seen: Snapshot) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    findings = [
        *_pressure(seen),
        *_load(seen),
        *_steal(seen),
        *_memory(seen),
        *_swapping(seen),
        *_killed(seen),
        *(finding for filesystem in seen.filesystems for finding in judge_room(filesystem)),
        *(finding for item in seen.filesystems for finding in judge_deleted(item, seen.deleted.files)),
        *at_limits(seen.limited, seen.interval),
        *_unseen(seen),
    ]
    return _data(seen), findings


def _data(seen: Snapshot) -> Mapping[str, Any]:
    data = asdict(seen)
    data["filesystems"] = [
        {
            **asdict(item),
            "used_percent": used_percent(item),
            "inodes_used_percent": inodes_used_percent(item),
        }
        for item in seen.filesystems
    ]
    data["pressure"] = {name: dict(shares) for name, shares in seen.pressure.items()} or None
    data["top_cpu"] = [asdict(usage) for usage in seen.by_cpu]
    data["top_memory"] = [asdict(usage) for usage in seen.by_memory]
    data["top_disk"] = None if seen.by_disk is None else [asdict(usage) for usage in seen.by_disk]
    data["deleted_open"] = {
        "bytes": sum(file.bytes for file in seen.deleted.files),
        "complete": seen.deleted.complete,
        "files": [asdict(file) for file in seen.deleted.files[:FILES_TOLD]],
    }
    del data["by_cpu"], data["by_memory"], data["by_disk"], data["deleted"]
    return data


def _pressure(seen: Snapshot) -> Iterator[Finding]:
    for resource, limits in PRESSURES.items():
        shares = seen.pressure.get(resource, {})
        some, full = shares.get("some", 0.0), shares.get("full", 0.0)
        if full >= limits.full_critical:
            level, said = CRITICAL, f"for {full:.0f} % of the last 10 s everything waited for {resource}"
        elif full >= limits.full_warning:
            level, said = WARNING, f"for {full:.0f} % of the last 10 s everything waited for {resource}"
        elif some >= limits.some:
            level, said = WARNING, f"for {some:.0f} % of the last 10 s some process waited for {resource}"
        else:
            continue
        yield Finding(
            id="host.pressure.high",
            level=level,
            subject=resource,
            summary=f"{said}{_blame(seen, resource)}",
            evidence={"resource": resource, "some_avg10": some, "full_avg10": full, "load": seen.load},
        )


def _blame(seen: Snapshot, resource: str) -> str:
    """Names the first user of a resource where it uses enough of it to be the reason."""
    if resource == "cpu" and seen.by_cpu and seen.by_cpu[0].cpu_percent >= BLAME_CPU:
        return f"; first is {_who(seen.by_cpu[0], resource)}"
    if resource == "io" and seen.by_disk and seen.by_disk[0].disk >= BLAME_DISK:
        return f"; first is {_who(seen.by_disk[0], resource)}"
    if resource == "memory" and seen.by_memory and seen.memory:
        first = seen.by_memory[0]
        if share(first.rss, seen.memory.total) >= BLAME_MEMORY:
            return f"; first is {_who(first, resource)}"
    return ""


def _who(usage: Usage, resource: str) -> str:
    unit = f" of {group_name(usage.unit)}" if usage.unit else ""
    much = {
        "cpu": f"{usage.cpu_percent:.0f} % of a CPU",
        "io": f"{speak_size(usage.disk_read)} read and {speak_size(usage.disk_written)} written a second",
    }.get(resource, speak_size(usage.rss))
    return f"{usage.name} (pid {usage.pid}{unit}) with {much}"


def _load(seen: Snapshot) -> Iterator[Finding]:
    if seen.pressure or seen.load is None or seen.cpus is None:
        return
    one, five, _fifteen = seen.load
    if min(one, five) < LOAD_PER_CPU * seen.cpus:
        return
    yield Finding(
        id="host.load.high",
        level=WARNING,
        subject="load",
        summary=f"load is {one:g} on {seen.cpus} CPUs ({five:g} over 5 min), {seen.blocked or 0} "
        f"processes wait for I/O{_blame(seen, 'cpu')}",
        evidence={"load": list(seen.load), "cpus": seen.cpus, "blocked": seen.blocked},
    )


def _steal(seen: Snapshot) -> Iterator[Finding]:
    if seen.steal is None or seen.steal < STEAL_PERCENT:
        return
    yield Finding(
        id="host.cpu.stolen",
        level=WARNING,
        subject="cpu",
        summary=f"the hypervisor kept back {seen.steal:.0f} % of the CPU time over {seen.interval:.1f} s: "
        f"the neighbours or the size of this machine, not its processes",
        evidence={"steal_percent": seen.steal, "interval_seconds": round(seen.interval, 2)},
    )


def _memory(seen: Snapshot) -> Iterator[Finding]:
    memory = seen.memory
    if memory is None:
        return
    whole, left, of = memory.total, memory.available, "the host's memory"
    if memory.limit is not None and memory.limit_used is not None and memory.limit < memory.total:
        in_group = max(0, memory.limit - memory.limit_used)
        if in_group / max(1, memory.limit) < left / max(1, whole):
            whole, left, of = memory.limit, in_group, "the memory this container is allowed"
    part = share(left, whole)
    if part >= MEMORY_LOW:
        return
    yield Finding(
        id="host.memory.low",
        level=CRITICAL if part < MEMORY_CRITICAL else WARNING,
        subject="memory",
        summary=f"{speak_size(left)} of {speak_size(whole)} is available ({part:.1f} % of {of})"
        f"{_blame(seen, 'memory')}",
        evidence={"available": left, "total": whole, "swap_free": memory.swap_free},
    )


def _swapping(seen: Snapshot) -> Iterator[Finding]:
    if seen.swap_in is None or seen.swap_in < SWAP_IN:
        return
    yield Finding(
        id="host.memory.swapping",
        level=WARNING,
        subject="swap",
        summary=f"{speak_size(seen.swap_in)} a second comes back from swap: memory in use does not fit",
        evidence={"swap_in_bytes_per_second": round(seen.swap_in)},
    )


def _killed(seen: Snapshot) -> Iterator[Finding]:
    oom = seen.oom
    if oom is None:
        return
    if oom.recent:
        victims = Counter(kill.name for kill in oom.recent)
        named = ", ".join(f"{name} {count} times" if count > 1 else name for name, count in victims.items())
        last = min(kill.seconds_ago for kill in oom.recent)
        limits = sum(kill.in_cgroup for kill in oom.recent)
        yield _oom_kill(
            CRITICAL,
            f"{_were_killed(len(oom.recent))} within the last hour ({named}), {limits} at the limit of "
            f"their cgroup; the last {last / 60:.0f} min ago",
            oom,
        )
    elif oom.in_interval:
        yield _oom_kill(CRITICAL, f"{_were_killed(oom.in_interval)} just now", oom)
    elif oom.since_boot and oom.recent is None:
        days = f" ({seen.uptime / 86400:.1f} days)" if seen.uptime else ""
        yield _oom_kill(
            NOTICE,
            f"{_were_killed(oom.since_boot)} since boot{days}; when is not known, for the kernel log cannot "
            f"be read",
            oom,
        )


def _were_killed(count: int) -> str:
    return f"{count} process{'' if count == 1 else 'es'} killed for lack of memory"


def _oom_kill(level: str, summary: str, oom: Oom) -> Finding:
    return Finding(
        id="host.memory.oom_kill", level=level, subject="memory", summary=summary, evidence=asdict(oom)
    )


def _unseen(seen: Snapshot) -> Iterator[Finding]:
    if not seen.unseen:
        return
    yield Finding(
        id="host.part.unseen",
        level=WARNING,
        subject="host",
        summary="not looked at: " + "; ".join(f"{part} ({reason})" for part, reason in seen.unseen.items()),
        evidence=dict(seen.unseen),
    )
