# SPDX-License-Identifier: GPL-3.0-or-later
"""The free space under a server's data, seen from where the server runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Mapping, Sequence

from ...clients import docker
from ...clients.command import Completed
from ...clients.docker_exec import run_inside
from ...clients.procfs import space
from ...errors import FirebreakError
from ..server import Server

SECONDS = 5.0
# postmaster.pid holds the data directory in its second line, the start in its third, the port in its fourth.
PID_FILE, PID_BYTES = "postmaster.pid", 4096
# Between the start of the process and the moment that it calls its start.
START_SECONDS = 60


@dataclass(frozen=True)
class Volume:
    """`device` is the same for two paths on one filesystem; `free` are the bytes a server may still use."""

    path: str
    device: str
    free: int


@dataclass(frozen=True)
class Room:
    """Under the data directory and, by their location, under the tablespaces; or why none is seen."""

    data: Volume | None = None
    tablespaces: Mapping[str, Volume] = field(default_factory=dict)
    unseen: str | None = None

    def at(self, location: str) -> Volume | None:
        """Of an index: an empty location is the data directory."""
        return self.tablespaces.get(location) if location else self.data


def look(
    server: Server,
    settings: Mapping[str, str],
    started: int,
    locations: Sequence[str] = (),
    inside: Callable[..., Completed] = run_inside,
) -> Room:
    """`settings` are the server's own, `started` is when it says it started, in seconds since the epoch."""
    data = settings.get("data_directory")
    if not data:
        return Room(unseen="the administrator may not see data_directory: GRANT pg_read_all_settings to it")
    paths = [data, *sorted({location for location in locations if location})]
    container = server.administrator.container
    try:
        if container:
            volumes = _inside(container, paths, inside)
        else:
            unlike = _elsewhere(data, settings.get("port", ""), started)
            if unlike:
                return Room(unseen=unlike)
            volumes = [_here(path) for path in paths]
    except FirebreakError as error:
        return Room(unseen=str(error))
    except (OSError, ValueError, IndexError) as error:
        return Room(unseen=f"{data}: {error}")
    return Room(volumes[0], dict(zip(paths[1:], volumes[1:])))


def _elsewhere(data: str, port: str, started: int) -> str | None:
    """Why the data directory of that name on this host is not that server's. None when it is."""
    path = Path(data) / PID_FILE
    try:
        with path.open("rb") as stream:
            lines = stream.read(PID_BYTES).decode("utf-8", "replace").split("\n")
    except OSError as error:
        return f"{path}: {error.strerror}: it runs elsewhere, or this is not run as root"
    fits = len(lines) > 3 and lines[3].strip() == port and lines[2].strip().isdigit()
    if fits and abs(int(lines[2]) - started) <= START_SECONDS:
        return None
    return f"{path} is of another server: this one runs elsewhere"


def _here(path: str) -> Volume:
    return Volume(path, str(Path(path).stat().st_dev), space(path).available)


def _inside(container: str, paths: Sequence[str], inside: Callable[..., Completed]) -> list[Volume]:
    engine = docker.socket_path()
    if engine is None:
        raise OSError("there is no Docker Engine on this host")
    done = inside(engine, container, ["df", "-P", "-k", *paths], SECONDS, env={"LC_ALL": "C"})
    if not done.ok:
        raise OSError(f"df in container {container}: {done.complaint}")
    return volumes(paths, done.stdout)


def volumes(paths: Sequence[str], said: str) -> list[Volume]:
    """From `df -P -k`: after the heading, one line for each path, in order. Raises `ValueError`."""
    # /dev/vda  264212084 26446116  79944796      25% /var/lib/postgresql/data
    lines = [line.split() for line in said.splitlines()[1:] if line.strip()]
    if len(lines) != len(paths):
        raise ValueError("df says something else than a line for each path")
    return [Volume(path, words[0], int(words[3]) * 1024) for path, words in zip(paths, lines)]
