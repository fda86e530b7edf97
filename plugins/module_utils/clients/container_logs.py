# SPDX-License-Identifier: GPL-3.0-or-later
"""The files in which Docker's json-file driver keeps what containers print."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Mapping
from urllib.parse import quote

from ..errors import FirebreakError, IdentityChanged, Unreachable
from . import beneath
from .docker import Engine, complaint

DRIVER = "json-file"
POLL_SECONDS = 0.5
STOP_SECONDS = 10


@dataclass(frozen=True)
class ContainerLog:
    """`bytes` is the room that `path` takes, on `device`; `max_size` is empty where nothing limits it."""

    container: str
    name: str
    path: str
    device: int
    inode: int
    bytes: int
    running: bool
    started: str
    max_size: str


def container_logs(path: Path, remaining: Callable[[], float]) -> tuple[ContainerLog, ...]:
    """Of all containers whose log is such a file, the biggest first. Raises `Unreachable`."""
    engine = Engine(path, remaining)
    try:
        listed = engine.get("/containers/json?all=true") or ()
        inspected = [engine.get(f"/containers/{quote(item['Id'])}/json") for item in listed]
    finally:
        engine.close()
    found = (_log(item) for item in inspected if item)
    return tuple(sorted((each for each in found if each), key=lambda each: -each.bytes))


def _log(found: Mapping[str, Any]) -> ContainerLog | None:
    config: Mapping[str, Any] = (found.get("HostConfig") or {}).get("LogConfig") or {}
    path, state = str(found.get("LogPath") or ""), found.get("State") or {}
    if config.get("Type") != DRIVER or not path:
        return None
    try:
        status = Path(path).lstat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return ContainerLog(
        container=str(found.get("Id", "")),
        name=str(found.get("Name", "")).lstrip("/"),
        path=path,
        device=status.st_dev,
        inode=status.st_ino,
        bytes=status.st_blocks * 512,
        running=bool(state.get("Running")),
        started=str(state.get("StartedAt", "")),
        max_size=str((config.get("Config") or {}).get("max-size") or ""),
    )


def truncate(path: str, device: int, inode: int) -> None:
    """The engine has it open to append, so that it goes on at the new beginning. Raises `IdentityChanged`."""
    with beneath.directory(str(Path(path).parent)) as folder:
        try:
            descriptor = beneath.opened(Path(path).name, folder, os.O_WRONLY)
        except OSError as error:
            raise IdentityChanged(f"container log {path}", str(error.strerror), "Look again.") from error
        try:
            status = os.fstat(descriptor)
            if (status.st_dev, status.st_ino) != (device, inode):
                raise IdentityChanged(f"container log {path}", "it is another file by now", "Look again.")
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)


def restart(
    path: Path,
    container: str,
    started: str,
    remaining: Callable[[], float],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Restart a container that still runs since `started`, and wait until it runs and is healthy again."""
    subject = f"container {container[:12]}"
    engine = Engine(path, remaining)
    try:
        state = (engine.get(f"/containers/{quote(container)}/json") or {}).get("State") or {}
        if not state.get("Running") or state.get("StartedAt") != started:
            raise IdentityChanged(subject, "it was stopped or restarted meanwhile", "Look again.")
        status, answer = engine.ask("POST", f"/containers/{quote(container)}/restart?t={STOP_SECONDS}")
        if status not in (200, 204):
            raise FirebreakError(subject, complaint(status, answer), "See docker logs for it.")
        while True:
            state = (engine.get(f"/containers/{quote(container)}/json") or {}).get("State") or {}
            health = (state.get("Health") or {}).get("Status", "none")
            if state.get("Running") and health in ("none", "healthy"):
                return
            if remaining() < 1:
                said = f"it is {state.get('Status')}, {health}" if state else "it is gone"
                raise Unreachable(subject, f"{said} after its restart", "See docker logs for it.")
            sleep(POLL_SECONDS)
    finally:
        engine.close()
