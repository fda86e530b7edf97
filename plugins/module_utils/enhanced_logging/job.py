# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what the module `enhanced_logging` needs for what it was asked."""

from __future__ import annotations

import re
from typing import Any, Mapping

from ..errors import BadInput
from ..lifecycle import Job
from ..quantities import parse_duration
from ..services import SYSTEMD, Service, parse_services
from .act import PERFORM
from .decide import Request, enhance
from .observe import Snapshot, Wanted, look

SPEC: Mapping[str, Any] = {
    "services": {"type": "dict", "default": {}},
    "targets": {"type": "list", "elements": "str"},
    "environment": {"type": "dict", "default": {"LOG_LEVEL": "debug"}},
    "duration": {"type": "str", "default": "1h"},
}
SSHD = "sshd"
# What says more when nobody says what: a restart for nothing is no help, and few services ask for a level.
USUAL = ("app", SSHD)
SHORTEST, LONGEST = 60, 7 * 86400
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VALUE = re.compile(r"[\w.,:/@=*+-]*", re.ASCII)


def job(params: Mapping[str, Any]) -> Job[Snapshot]:
    request = parse(params)
    return Job(lambda: look(request.wanted), lambda seen: enhance(seen, request), PERFORM)


def parse(params: Mapping[str, Any]) -> Request:
    """Raises `BadInput` that names what cannot be meant."""
    services = {service.name: service for service in parse_services(params["services"])}
    names = params["targets"]
    if names is None:
        names = [name for name in USUAL if name in services or name == SSHD]
    seconds = parse_duration(params["duration"])
    if not SHORTEST <= seconds <= LONGEST:
        raise BadInput(
            f"duration {params['duration']}", "it is below a minute or above a week", "Write 1h or 1d."
        )
    environment = {str(name): str(value) for name, value in params["environment"].items()}
    for name, value in environment.items():
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise BadInput(
                f"environment {name}", "it has a name or a value that needs quotes", "Write LOG_LEVEL: debug."
            )
    wanted = tuple(_wanted(name, services) for name in dict.fromkeys(names))
    return Request(wanted, environment, seconds, params["max_risk"])


def _wanted(name: str, services: Mapping[str, Service]) -> Wanted:
    service = services.get(name)
    if service is None:
        if name == SSHD:
            return Wanted(name, None, sshd=True)
        raise BadInput(
            f"target {name!r}",
            "there is no such service",
            f"The services are {', '.join([*services, SSHD])}.",
        )
    return Wanted(name, service.unit if service.runtime == SYSTEMD else None, logs=service.logs)
