# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be asked over HTTP: the health of `firebreak_services`, and `firebreak_endpoints`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ..clients.http import ENDPOINT_PORTS, PORTS, Target, parse_target
from ..services import parse_services


@dataclass(frozen=True)
class Probe:
    """One URL to ask. `service` is the configured service whose health it tells, None for an endpoint."""

    target: Target
    verify: bool = True
    service: str | None = None
    essential: bool = True


def parse_probes(
    services: Mapping[str, Any] | None, endpoints: Sequence[Mapping[str, Any]] | None
) -> tuple[Probe, ...]:
    """The health of every service that has a URL for it, then every endpoint that speaks HTTP."""
    health = [
        Probe(parse_target(service.health), service=service.name, essential=service.essential)
        for service in parse_services(services)
        if service.health
    ]
    probes = [_endpoint(values) for values in endpoints or ()]
    return (*health, *(probe for probe in probes if probe.target.scheme in PORTS))


def _endpoint(values: Mapping[str, Any]) -> Probe:
    target = parse_target(values["url"], values.get("connect_to"), ENDPOINT_PORTS)
    return Probe(target, verify=values.get("verify") is not False)
