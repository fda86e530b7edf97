# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes with the users behind them, and signals that cannot hit the wrong one."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Iterator

from ..errors import Unreachable

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
    if not (root / "1").exists():
        raise Unreachable(str(root), "the processes of others are hidden", "Run as root (become: true).")
    host = {name: _whole(path) for name, path in _groups(root / "1")}
    pids = (entry.name for entry in root.iterdir() if entry.name.isdigit())
    found = (_process(root / pid, host) for pid in pids)
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
    try:
        # The name stands in parentheses and may itself hold any character.
        fields = _read(root / str(pid) / "stat").rpartition(")")[2].split()
        return int(fields[19]) if fields[0] != "Z" else None
    except (OSError, IndexError, ValueError):
        return None


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


def _process(folder: Path, host: dict[str, str]) -> UserProcess | None:
    try:
        status = dict(_pairs(_read(folder / "status")))
        since = started(int(folder.name), folder.parent)
        groups = list(_groups(folder))
    except OSError:
        return None
    if since is None or "Uid" not in status:
        return None
    relative = [_relative(path, host.get(name, "")) for name, path in groups if name in ("", "name=systemd")]
    return UserProcess(
        pid=int(folder.name),
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


def _groups(folder: Path) -> Iterator[tuple[str, str]]:
    # 0::/user.slice/user-1001.slice/session-3.scope, or 1:name=systemd:/…
    for line in _read(folder / "cgroup").splitlines():
        _number, _colon, rest = line.partition(":")
        name, _colon, path = rest.partition(":")
        yield name, path


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
