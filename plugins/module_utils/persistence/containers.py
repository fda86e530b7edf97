# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers through which one gets at their host."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Mapping
from urllib.parse import quote

from ..clients import docker
from ..errors import Unreachable
from .model import Exposure

# Who can write here can become root on the host.
SENSITIVE = frozenset({"/", "/etc", "/root", "/boot", "/usr", "/var", "/home", "/proc", "/run", "/var/run"})
STRONG = frozenset({"ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "DAC_READ_SEARCH", "SYS_RAWIO", "BPF"})
SOCKETS = ("/docker.sock", "/containerd.sock")


def observe_containers(path: Path | None, remaining: Callable[[], float]) -> tuple[Exposure, ...]:
    """The exposed ones, running or not; none where there is no engine. Raises `Unreachable`."""
    if path is None:
        return ()
    engine = docker.Engine(path, remaining)
    try:
        listed = engine.get("/containers/json?all=true")
        if not isinstance(listed, list):
            raise Unreachable(f"docker {path}", "its answer is no list", "See docker version.")
        inspected = (engine.get(f"/containers/{quote(str(item['Id']))}/json") for item in listed)
        return tuple(found for found in map(exposure, filter(None, inspected)) if found.how)
    finally:
        engine.close()


def exposure(found: Mapping[str, Any]) -> Exposure:
    """From what `docker inspect` knows."""
    host: Mapping[str, Any] = found.get("HostConfig") or {}
    how = ["privileged"] if host.get("Privileged") else []
    if host.get("PidMode") == "host":
        how.append("it sees the host's processes")
    added = {str(name).upper().replace("CAP_", "") for name in host.get("CapAdd") or ()}
    how += [f"capability {name}" for name in sorted(added & STRONG)]
    for mount in found.get("Mounts") or ():
        source = str(mount.get("Source") or "")
        if source.endswith(SOCKETS):
            how.append(f"it has the socket {source}")
        elif source in SENSITIVE and mount.get("Type") == "bind":
            how.append(f"it has {source} of the host, {'writable' if mount.get('RW') else 'read-only'}")
    return Exposure(
        name=str(found.get("Name", "")).lstrip("/"),
        image=str((found.get("Config") or {}).get("Image", "")),
        created=str(found.get("Created", "")),
        running=bool((found.get("State") or {}).get("Running")),
        how=tuple(how),
    )
