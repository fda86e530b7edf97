# SPDX-License-Identifier: GPL-3.0-or-later
"""The units in question: whether they run, how they log now, and how much room their logs have."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Mapping, Sequence

from ..clients import dropins, systemd
from ..clients.command import find, run
from ..clients.dropins import Place
from ..clients.procfs import Procfs, Space, space
from ..errors import Unreachable
from ..moments import utc_now

PROPERTIES = ("Id", "LoadState", "ActiveState", "MainPID", "KillMode", "ExecStart")
# Debian's name, then everybody else's.
SSHD_UNITS = ("ssh.service", "sshd.service")
VERBOSE = "LogLevel=VERBOSE"
LOUD = frozenset({"VERBOSE", "DEBUG", "DEBUG1", "DEBUG2", "DEBUG3"})
SYSTEM_LOGS = "/var/log"
READ_LIMIT = 1 << 20
_ENDS = re.compile(r"^# Ends (\S+Z)", re.MULTILINE)


@dataclass(frozen=True)
class Wanted:
    """One thing that is to say more. `sshd`: a daemon that is told on its command line.

    `unit` is None when its runtime is not systemd. `logs` are file patterns.
    """

    name: str
    unit: str | None
    sshd: bool = False
    logs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Current:
    """One unit as it is. `environment` and `command` are those that its main process was started with.

    `until` and `armed` tell of a drop-in of ours: its end, and whether something will end it. `loud` is
    what sshd's own configuration says already.
    """

    unit: str
    load: str = "not-found"
    active: str = "inactive"
    pid: int = 0
    kill_mode: str = ""
    start: str = ""
    environment: Mapping[str, str] | None = None
    command: str = ""
    until: datetime | None = None
    armed: bool = False
    loud: bool = False


@dataclass(frozen=True)
class Room:
    """What a filesystem with logs has left."""

    path: str
    space: Space


@dataclass(frozen=True)
class Snapshot:
    """By name of what is wanted; `unseen` says of which places with logs the room is not known."""

    current: Mapping[str, Current]
    rooms: Mapping[str, tuple[Room, ...]]
    unseen: Mapping[str, str]
    now: datetime


def look(wanted: Sequence[Wanted]) -> Snapshot:
    """Raises `Unreachable` on a host that systemd does not run."""
    if not systemd.booted():
        raise Unreachable(
            "systemd", "it does not run this host", "Set the level where the services are started."
        )
    rooms: dict[str, tuple[Room, ...]] = {}
    unseen: dict[str, str] = {}
    for each in wanted:
        rooms[each.name] = tuple(_rooms(each.logs, unseen))
    current = {
        each.name: _sshd() if each.sshd else current_of(each.unit) for each in wanted if _is_unit(each)
    }
    return Snapshot(current, rooms, unseen, utc_now())


def everything() -> tuple[Current, ...]:
    """Every unit that has such a drop-in now."""
    if not systemd.booted():
        return ()
    return tuple(current_of(unit) for unit in dropins.all_units())


def current_of(unit: str | None) -> Current:
    shown = systemd.show(str(unit), PROPERTIES)
    place = Place(shown.get("Id", str(unit)))
    pid = int(shown.get("MainPID", "0") or 0)
    text = dropins.read(place)
    return Current(
        unit=place.unit,
        load=shown.get("LoadState", ""),
        active=shown.get("ActiveState", ""),
        pid=pid,
        kill_mode=shown.get("KillMode", ""),
        start=shown.get("ExecStart", ""),
        environment=_environment(pid),
        command=_proc(pid, "cmdline"),
        until=end_of(text) if text is not None else None,
        armed=text is not None and bool(systemd.waiting(place.timer)),
    )


def end_of(text: str) -> datetime | None:
    """When a drop-in says that it ends."""
    found = _ENDS.search(text)
    try:
        return datetime.strptime(found.group(1), "%Y-%m-%dT%H:%M:%S.%f%z") if found else None
    except ValueError:
        return None


def _is_unit(wanted: Wanted) -> bool:
    return wanted.sshd or wanted.unit is not None


def _sshd() -> Current:
    found = Current(SSHD_UNITS[0])
    for unit in SSHD_UNITS:
        found = current_of(unit)
        if found.load == "loaded":
            break
    return replace(found, loud=_configured_loud())


def _configured_loud() -> bool:
    program = find("sshd")
    if program is None:
        return False
    answer = run([program, "-T"], timeout=5.0)
    words = (line.split() for line in answer.stdout.lower().splitlines())
    return any(word[:1] == ["loglevel"] and word[1].upper() in LOUD for word in words if len(word) > 1)


def _environment(pid: int) -> Mapping[str, str] | None:
    if not pid:
        return None
    pairs = (item.partition("=") for item in _proc(pid, "environ").split("\0"))
    return {name: value for name, equals, value in pairs if equals}


def _proc(pid: int, name: str) -> str:
    if not pid:
        return ""
    try:
        with Path(f"/proc/{pid}/{name}").open("rb") as stream:
            return stream.read(READ_LIMIT).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise Unreachable(
            f"/proc/{pid}/{name}", str(error.strerror), "Run as root (become: true)."
        ) from error


def _rooms(patterns: Sequence[str], unseen: dict[str, str]) -> list[Room]:
    """Of the filesystems that the logs lie on, and of the system's own."""
    mounts = Procfs().mounts()
    found: dict[str, Room] = {}
    for path in (SYSTEM_LOGS, *map(_folder, patterns)):
        holding = [m for m in mounts if path == m.point or path.startswith(m.point.rstrip("/") + "/")]
        mount = max(holding, key=lambda one: len(one.point), default=None)
        # Asking a dead server for its room never ends.
        if mount is None or mount.remote:
            unseen[path] = "it is on a network filesystem" if mount else "no filesystem holds it"
            continue
        try:
            found.setdefault(mount.point, Room(path, space(mount.point)))
        except Unreachable as error:
            unseen[path] = str(error)
    return list(found.values())


def _folder(pattern: str) -> str:
    """The folder of a file pattern, without its wildcards."""
    folder = Path(pattern).parent
    while glob.has_magic(str(folder)):
        folder = folder.parent
    return str(folder)
