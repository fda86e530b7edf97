# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx as a service of the inventory: its configuration tested and loaded, as a unit or in a container."""

from __future__ import annotations

import re
from pathlib import Path

from ..deadlines import Deadline
from ..errors import FirebreakError, Unreachable
from ..services import SYSTEMD, Service
from . import docker, systemd
from .command import Completed, require, run
from .docker_exec import run_inside

SECONDS = 30.0
# With the time before it and numbers of processes in it, or with the name of the program before it.
_SERIOUS = re.compile(r"(\[(?:emerg|alert|crit)\])(?: \d+#\d+:)?( .*)")
NAMED = 3
RUNNING = ("active", "reloading")


class NginxService:
    """`place` says to a person which one it is."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.place = (
            service.target if service.runtime == SYSTEMD else f"container of the service {service.target}"
        )

    def complaint(self) -> str | None:
        """Why it could take nothing over: in nginx's own words, with file and line, or that it does not run.

        Raises `Unreachable`.
        """
        answer = self._nginx("-t")
        if not answer.ok:
            return complaint(answer)
        if self._service.runtime == SYSTEMD:
            state = systemd.show(self._service.target, ["ActiveState"]).get("ActiveState")
            if state not in RUNNING:
                return f"it does not run ({state}): systemctl start {self._service.target}"
        return None

    def reload(self) -> None:
        """Raises `FirebreakError`. That it was told to does not mean that it did."""
        if self._service.runtime == SYSTEMD:
            answer = systemd.control("reload", "--", self._service.target, timeout=SECONDS)
        else:
            answer = self._nginx("-s", "reload")
        if not answer.ok:
            raise FirebreakError(self.place, f"it does not reload: {complaint(answer)}", "See: nginx -t")

    def _nginx(self, *words: str) -> Completed:
        if self._service.runtime == SYSTEMD:
            return run([require("nginx", "nginx"), *words], SECONDS)
        path, name = self._container()
        return run_inside(path, name, ["nginx", *words], SECONDS)

    def _container(self) -> tuple[Path, str]:
        places = docker.running(Deadline(SECONDS).remaining)
        found = [
            place
            for place in places
            if place.service == self._service.service and self._service.project in (None, place.project)
        ]
        path = docker.socket_path()
        if len(found) != 1 or path is None:
            problem = f"{len(found)} containers of it run" if found else "no container of it runs"
            raise Unreachable(f"service {self._service.target}", problem, "See docker compose ps -a.")
        return path, found[0].name


def complaint(answer: Completed) -> str:
    """The lines that say what and where, not the last one, which says only that the test failed."""
    serious = ["".join(parts) for parts in _SERIOUS.findall(answer.stderr)[:NAMED]]
    return "; ".join(serious) or answer.complaint
