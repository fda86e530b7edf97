# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes room without having a name, and which groups of processes are at their limits."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any, Iterator, Sequence

from ..clients.open_files import DeletedFile
from ..finding import CRITICAL, NOTICE, WARNING, Finding
from ..quantities import GIB, share, speak_size
from .filesystems import Filesystem
from .observe import Limited

# Of a filesystem that is short: below this it is not what fills it.
DELETED_SHARE = 2.0
# Of one that is not: worth knowing before it is.
DELETED_MUCH = 10.0
NAMED = 3
# The interval has about four periods of 100 ms. A group that is stopped in two of them has a burst.
THROTTLED_SHARE, THROTTLED_PERIODS = 75.0, 3
GROUP_FULL = 95.0

_CONTAINER = re.compile(r"(?:[a-z]+-)?([0-9a-f]{12})[0-9a-f]{52}(?:\.scope)?")


def group_name(path: str) -> str:
    """How people call a group: its unit, or the id of its container."""
    last = path.rstrip("/").rpartition("/")[2]
    container = _CONTAINER.fullmatch(last)
    return f"container {container.group(1)}" if container else last or "this whole host"


def deleted(filesystem: Filesystem, files: Sequence[DeletedFile], short: bool) -> Iterator[Finding]:
    """`files` are those on this filesystem, the biggest first; `short`: it is nearly full."""
    held = sum(file.bytes for file in files)
    of_all = share(held, filesystem.space.total)
    if of_all < DELETED_SHARE or not (short or (of_all >= DELETED_MUCH and held >= GIB)):
        return
    named = "; ".join(
        f"{file.path}, {speak_size(file.bytes)}, by {file.name} (pid {file.pid})"
        f"{f' and {file.holders - 1} more' if file.holders > 1 else ''}"
        for file in files[:NAMED]
    )
    yield Finding(
        id="host.disk.deleted_open",
        level=WARNING if short else NOTICE,
        subject=f"filesystem {filesystem.point}",
        summary=f"{speak_size(held)} of {filesystem.point} ({of_all:.0f} %) is taken by {len(files)} deleted "
        f"file{'' if len(files) == 1 else 's'} still open: {named}. It comes back when the process lets go: "
        f"truncate it through /proc/<pid>/fd, or restart the process",
        evidence={"point": filesystem.point, "bytes": held, "files": [asdict(file) for file in files[:10]]},
    )


def at_limits(seen: Sequence[Limited], interval: float) -> Iterator[Finding]:
    for limited in seen:
        yield from _throttled(limited, interval)
        yield from _full(limited)


def _throttled(limited: Limited, interval: float) -> Iterator[Finding]:
    part = share(limited.throttled, limited.periods) if limited.periods else 0.0
    if limited.periods < THROTTLED_PERIODS or part < THROTTLED_SHARE:
        return
    now = limited.now
    yield Finding(
        id="host.cgroup.throttled",
        level=WARNING,
        subject=group_name(now.path),
        summary=f"{group_name(now.path)} was stopped in {limited.throttled} of {limited.periods} periods "
        f"within {interval:.1f} s, for it may use {now.cpus or 0:.2g} CPUs: it is slow whatever the host has "
        f"left. Since it was started {share(now.throttled, now.periods):.0f} % of its periods",
        evidence=_evidence(limited),
    )


def _full(limited: Limited) -> Iterator[Finding]:
    now = limited.now
    part = share(now.memory, now.memory_limit) if now.memory_limit else 0.0
    if part < GROUP_FULL and not limited.kills:
        return
    killed = f"; {limited.kills} of its processes were killed just now" if limited.kills else ""
    before = f"; {now.kills} were killed since it was started" if now.kills and not limited.kills else ""
    yield Finding(
        id="host.cgroup.memory_full",
        level=CRITICAL if limited.kills else WARNING,
        subject=group_name(now.path),
        summary=f"{group_name(now.path)} uses {speak_size(now.memory)} of the "
        f"{speak_size(now.memory_limit or 0)} it may ({part:.0f} %), caches left out{killed}{before}",
        evidence=_evidence(limited),
    )


def _evidence(limited: Limited) -> dict[str, Any]:
    rates = {"periods": limited.periods, "throttled": limited.throttled, "kills": limited.kills}
    return {"group": asdict(limited.now), "in_interval": rates}
