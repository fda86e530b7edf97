# SPDX-License-Identifier: GPL-3.0-or-later
"""What was done to this host lately, from what each part of it remembers."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence

from ..clients import docker
from ..clients.docker import Container
from ..clients.docker_logs import image_ids
from ..clients.git import Checkout, checkout
from ..clients.packages_log import Host, PackageChange, Run
from ..clients.procfs import TICKS, Procfs
from ..clients.systemd import Unit
from ..deadlines import Deadline, gather
from ..errors import Unreachable
from ..moments import utc_now
from ..runtimes import Runtimes
from ..services import Service

WINDOW = 86400.0
REBOOT_REQUIRED = Path("/run/reboot-required")
# A walk that finds more than this in /etc, or takes longer, ends: what is left out is said.
ETC, ETC_ENTRIES, ETC_SECONDS = "/etc", 6000, 0.2
# Written again and again by the system itself.
ETC_NOISE = frozenset({"mtab", "adjtime", "ld.so.cache", ".updated", ".pwd.lock", "blkid.tab"})


@dataclass(frozen=True)
class Packages:
    changes: tuple[PackageChange, ...]
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Containers:
    """`images` maps an image's name to what it stands for now."""

    found: tuple[Container, ...]
    images: Mapping[str, str]


@dataclass(frozen=True)
class Release:
    """Where a service is checked out. `link` is where a symbolic link leads that was made at `linked`.

    `linked` in seconds since the epoch.
    """

    service: str
    directory: str
    checkout: Checkout | None = None
    link: str | None = None
    linked: float = 0.0


@dataclass(frozen=True)
class Files:
    """Files below /etc with the time they were written. Not `complete` when the walk had to end."""

    written: tuple[tuple[str, float], ...] = ()
    complete: bool = True


@dataclass(frozen=True)
class Snapshot:
    """Times in seconds since the epoch, those of `units` on the clock of `monotonic`.

    `units` are the services, running or not. None where this host has no such thing; `unseen` maps a part
    to the reason why nothing is known of it. `reboot` are the packages that wait for one, or None.
    """

    now: datetime
    monotonic: float
    boot: float | None = None
    packages: Packages | None = None
    containers: Containers | None = None
    units: tuple[Unit, ...] | None = None
    releases: tuple[Release, ...] = ()
    files: Files = field(default_factory=Files)
    reboot: tuple[str, ...] | None = None
    unseen: Mapping[str, str] = field(default_factory=dict)


def observe(
    services: Sequence[Service],
    deadline: Deadline,
    clock: Callable[[], datetime] = utc_now,
    packages: Host | None = None,
    procfs: Procfs | None = None,
    runtimes: Runtimes | None = None,
) -> Snapshot:
    """All parts at once; one that cannot be seen hides no other."""
    now, procfs, runtimes = clock(), procfs or Procfs(), runtimes or Runtimes(services)
    since = now.timestamp() - WINDOW
    tasks: dict[str, Callable[[Deadline], Any]] = {
        "packages": lambda inner: _packages(packages or Host(), since, inner),
        "containers": partial(_containers, runtimes),
        "units": runtimes.units,
        "files": lambda _inner: files_since(ETC, since),
        "boot": lambda _inner: _boot(procfs, now),
    }
    directories = {f"release of {one.name}": one for one in services if one.directory}
    tasks.update({name: _release_of(service) for name, service in directories.items()})
    seen = gather(tasks, deadline.remaining())
    return Snapshot(
        now=now,
        monotonic=time.monotonic(),
        boot=seen["boot"].value,
        packages=seen["packages"].value,
        containers=seen["containers"].value,
        units=seen["units"].value,
        releases=tuple(filter(None, (seen[name].value for name in directories))),
        files=seen["files"].value or Files(complete=False),
        reboot=_reboot(REBOOT_REQUIRED),
        unseen={name: outcome.unseen for name, outcome in seen.items() if outcome.unseen},
    )


def _packages(host: Host, since: float, deadline: Deadline) -> Packages:
    return Packages(host.changes(since, deadline.remaining()), host.apt_runs())


def _containers(runtimes: Runtimes, deadline: Deadline) -> Containers | None:
    path, found = docker.socket_path(), runtimes.containers(deadline)
    if path is None or found is None:
        return None
    names = sorted(
        {one.image for one in found if one.state == "running" and not one.image.startswith("sha256:")}
    )
    return Containers(found, image_ids(path, names, deadline.remaining))


def _boot(procfs: Procfs, now: datetime) -> float:
    """When PID 1 began: a container is younger than the kernel it runs on."""
    first = procfs.process(1)
    return now.timestamp() - procfs.uptime() + (first.started / TICKS if first else 0.0)


def _release_of(service: Service) -> Callable[[Deadline], Release]:
    return lambda _deadline: release(service.name, str(service.directory))


def release(service: str, directory: str) -> Release:
    """Raises `Unreachable` when there is no such directory, or it must not be looked into."""
    path = Path(directory)
    try:
        if not path.is_dir():
            raise Unreachable(f"release {directory}", "it is no directory", "See firebreak_services.")
        link = os.readlink(str(path)) if path.is_symlink() else None
        return Release(service, directory, checkout(directory), link, path.lstat().st_mtime if link else 0.0)
    except OSError as error:
        raise Unreachable(
            f"release {directory}", str(error.strerror), "Run as root (become: true)."
        ) from error


def files_since(
    top: str, since: float, clock: Callable[[], float] = time.monotonic, entries: int = ETC_ENTRIES
) -> Files:
    """The files below `top` that were written after `since`, within the limits of a walk."""
    until = clock() + ETC_SECONDS
    written: list[tuple[str, float]] = []
    for count, entry in enumerate(_below(top)):
        if count >= entries or (count % 256 == 0 and clock() > until):
            return Files(tuple(written), complete=False)
        if entry.name in ETC_NOISE or entry.name.endswith("-"):
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        if status.st_mtime >= since:
            written.append((entry.path, status.st_mtime))
    return Files(tuple(written))


def _below(top: str) -> Iterator[os.DirEntry[str]]:
    """Every entry that is no directory."""
    waiting = [top]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        yield entry
        except OSError:
            continue


def _reboot(marker: Path) -> tuple[str, ...] | None:
    if not marker.exists():
        return None
    try:
        names = marker.with_name(f"{marker.name}.pkgs").read_text(errors="replace").split()
    except OSError:
        names = []
    return tuple(dict.fromkeys(names))
