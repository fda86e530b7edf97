# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes with the users behind them, and signals that cannot hit the wrong one."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Iterator, Mapping

from ..errors import Unreachable
from .procfs import Procfs

PROC = Path("/proc")
NOBODY_LOGGED_IN = 2**32 - 1
READ_LIMIT = 65536


@dataclass(frozen=True)
class UserProcess:
    """`started`, in clock ticks since boot, tells it from another one that has taken its pid since.

    `uids` are the real, effective, saved and filesystem one; `login` is who logged in to start it, whatever
    it has become since. `nested`: it runs in a pid namespace below ours. `group` is its control group,
    relative to the one of the whole host.
    """

    pid: int
    parent: int
    name: str
    started: int
    uids: frozenset[int]
    login: int | None = None
    nested: bool = False
    group: str = "/"


def processes(root: Path = PROC) -> tuple[UserProcess, ...]:
    """Every living process. One that ends meanwhile is left out, and so are zombies."""
    procfs = Procfs(root)
    if procfs.others_hidden():
        raise Unreachable(str(root), "the processes of others are hidden", "Run as root (become: true).")
    host = {name: _whole(path) for name, path in _groups(procfs, 1).items()}
    found = (_process(procfs, pid, host) for pid in procfs.pids())
    return tuple(process for process in found if process is not None)


def ancestors(found: Iterable[UserProcess], pid: int | None = None) -> tuple[UserProcess, ...]:
    """A process (this one) and those it descends from, up to but without the first one of the host."""
    by_pid = {process.pid: process for process in found}
    line: list[UserProcess] = []
    current = by_pid.get(os.getpid() if pid is None else pid)
    while current is not None and current.pid > 1 and current not in line:
        line.append(current)
        current = by_pid.get(current.parent)
    return tuple(line)


def started(pid: int, root: Path = PROC) -> int | None:
    """When a process was started, in clock ticks since boot; None when there is none, or a zombie."""
    found = Procfs(root).process(pid)
    return None if found is None or found.state == "Z" else found.started


def send(pid: int, since: int, number: signal.Signals) -> bool:
    """Signal the process that has this pid since then; False when it has ended."""
    # With a descriptor of the process no other one can take its pid between the look and the signal.
    opener = getattr(os, "pidfd_open", None)
    sender = getattr(signal, "pidfd_send_signal", None)
    with contextlib.ExitStack() as stack:
        try:
            if opener is None or sender is None:
                if started(pid) != since:
                    return False
                os.kill(pid, number)
                return True
            descriptor = opener(pid)
            stack.callback(os.close, descriptor)
            if started(pid) != since:
                return False
            sender(descriptor, number)
        except ProcessLookupError:
            return False
        except PermissionError as error:
            raise Unreachable(
                f"pid {pid}", "it cannot be signalled", "Run as root (become: true)."
            ) from error
    return True


def _process(procfs: Procfs, pid: int, host: Mapping[str, str]) -> UserProcess | None:
    folder = procfs.root / str(pid)
    try:
        status = dict(_pairs(_read(folder / "status")))
    except OSError:
        return None
    groups = _groups(procfs, pid)
    since = started(pid, procfs.root)
    if since is None or "Uid" not in status:
        return None
    relative = [_relative(path, host.get(name, "")) for name, path in groups.items()]
    return UserProcess(
        pid=pid,
        parent=int(status.get("PPid", "0")),
        name=status.get("Name", ""),
        started=since,
        uids=frozenset(int(uid) for uid in status["Uid"].split()),
        login=_login(folder),
        nested=len(status.get("NSpid", "").split()) > 1,
        # Of the old and the new hierarchy only one may be in use: the other one says nothing.
        group=max(relative, key=len, default="/"),
    )


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, _colon, value = line.partition(":")
        yield name, value.strip()


def _groups(procfs: Procfs, pid: int) -> dict[str, str]:
    """Where the service manager put it, in the new hierarchy and in the old one."""
    return {name: path for name, path in procfs.groups(pid).items() if name in ("", "name=systemd")}


def _whole(path: str) -> str:
    """The group of the whole host, from the group of its first process."""
    suffix = "/init.scope"
    return path[: -len(suffix)] if path.endswith(suffix) else path.rstrip("/")


def _relative(path: str, host: str) -> str:
    return path[len(host) :] or "/" if path.startswith(host) else path


def _login(folder: Path) -> int | None:
    try:
        uid = int(_read(folder / "loginuid"))
    except (OSError, ValueError):
        return None
    return None if uid == NOBODY_LOGGED_IN else uid


def _read(path: Path) -> str:
    with path.open("rb") as stream:
        return stream.read(READ_LIMIT).decode("utf-8", "replace")
