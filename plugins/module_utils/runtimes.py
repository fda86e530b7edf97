# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on this host, in both runtimes, for all who want to know: each is asked once."""

from __future__ import annotations

from typing import Sequence

from .clients import docker, systemd
from .clients.docker import Container
from .clients.systemd import Unit
from .deadlines import Deadline, Once
from .services import Service


class Runtimes:
    """`services` are those that are asked for even where their units are not loaded."""

    def __init__(self, services: Sequence[Service] = ()) -> None:
        self._named = [service.unit for service in services if service.unit]
        self._once = Once()

    def units(self, deadline: Deadline) -> tuple[Unit, ...] | None:
        """None where systemd does not run this host. Raises `Unreachable`."""
        return self._once.ask("systemd", self._units, deadline)

    def containers(self, deadline: Deadline) -> tuple[Container, ...] | None:
        """None where there is no engine. Raises `Unreachable`."""
        return self._once.ask("docker", _containers, deadline)

    def _units(self, deadline: Deadline) -> tuple[Unit, ...] | None:
        return systemd.units(self._named, deadline.remaining()) if systemd.booted() else None


def _containers(deadline: Deadline) -> tuple[Container, ...] | None:
    path = docker.socket_path()
    return docker.containers(path, deadline.remaining) if path else None
