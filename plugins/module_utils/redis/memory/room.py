# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory there is where a server runs, if that is this host."""

from __future__ import annotations

import socket
from typing import Callable

from ...clients import cgroups, docker, tcp
from ...clients.procfs import Procfs
from ...clients.redis import Address
from ...errors import Unreachable
from ..server import NAMES
from .model import Room

PROCESSES = (*NAMES, "keydb")


def room(
    address: Address,
    container: str | None,
    process_id: int,
    remaining: Callable[[], float],
    procfs: Procfs | None = None,
) -> tuple[Room, str | None]:
    """`process_id` as the server itself says. With why something is not known."""
    procfs = procfs or Procfs()
    here = bool(container) or _here(address, remaining)
    if not container and not (here and _is_server(procfs, process_id)):
        container = _container_at(address, remaining)
    if not container and not here:
        return Room(), "it runs on another host, whose memory is not known"
    try:
        memory = procfs.memory()
        pid, limit, used, unseen = _confined(procfs, container, process_id, remaining)
    except Unreachable as error:
        return Room(), f"the memory of the host: {error.problem}"
    return Room(memory.get("MemTotal"), memory.get("MemAvailable"), limit, used, pid), unseen


def _confined(
    procfs: Procfs, container: str | None, process_id: int, remaining: Callable[[], float]
) -> tuple[int | None, int | None, int | None, str | None]:
    """Its pid on this host, the limit around it, what counts against that, and what is not known."""
    path = docker.socket_path()
    pid, limit = process_id, None
    if container and path:
        pid, limit = docker.confines(path, container, remaining)
    elif not _is_server(procfs, pid):
        return None, limit, None, "its process was not found on this host, and so no limit around it"
    group = cgroups.memory_around(procfs, pid)
    if group is None or group.memory_limit is None:
        return pid, limit, None, None
    return pid, min(group.memory_limit, limit or group.memory_limit), group.memory, None


def _container_at(address: Address, remaining: Callable[[], float]) -> str | None:
    """The container of this host that answers there, at an address of its own or at a published port."""
    try:
        places = docker.running(remaining) if not address.socket else ()
    except Unreachable:
        return None
    host = "127.0.0.1" if address.host == "localhost" else address.host
    for place in places:
        published = [at for group in place.published.values() for at in group]
        # One with the network of the host has that of everybody else.
        own = host in place.addresses and host not in ("127.0.0.1", "::1")
        if own or (host, address.port) in published:
            return place.name
    return None


def _is_server(procfs: Procfs, pid: int) -> bool:
    """Behind a published port another process has the number that the server has in its container."""
    name = procfs.name(pid) or ""
    return name.startswith(PROCESSES)


def _here(address: Address, remaining: Callable[[], float]) -> bool:
    """Whether an address is this host's own: only then a socket can be bound to it."""
    if address.socket:
        return True
    found, _problem = tcp.resolve(address.host, 0, remaining())
    for family, kind, protocol, _name, where in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.bind(where)
                return True
        except OSError:
            continue
    return False
