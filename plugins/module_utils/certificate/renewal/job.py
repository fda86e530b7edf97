# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what the module `certbot` needs."""

from __future__ import annotations

from typing import Any, Mapping

from ...clients import certbot, ocsp
from ...clients.nginx_service import NginxService
from ...deadlines import Deadline
from ...errors import BadInput, FirebreakError
from ...lifecycle import Job
from ...services import ENDPOINTS_SPEC, SERVICES_SPEC, Service, parse_services
from ..endpoints import Endpoint, parse_endpoints
from ..look import Snapshot, inspect
from .act import Workshop
from .decide import Scene, Wish, decide

SPEC: Mapping[str, Any] = {
    "name": {"type": "str"},
    "force": {"type": "bool", "default": False},
    "service": {"type": "str", "default": "nginx"},
    **SERVICES_SPEC,
    **ENDPOINTS_SPEC,
}
SECONDS = 30.0


def job(params: Mapping[str, Any]) -> Job[Scene]:
    """Raises `BadInput`."""
    wish = Wish(params["name"], params["force"])
    if wish.force and not wish.name:
        raise BadInput("force", "no lineage is named", "Give the name of the one lineage that is meant.")
    service = _service(params)
    endpoints = parse_endpoints(params["endpoints"])
    workshop = Workshop(NginxService(service))
    return Job(
        observe=lambda: _observe(endpoints, service, workshop, wish),
        decide=lambda scene: decide(scene, wish),
        perform=workshop.performers(),
    )


def _service(params: Mapping[str, Any]) -> Service:
    name = params["service"]
    services = parse_services(params["services"])
    for service in services:
        if service.name == name:
            return service
    raise BadInput(
        f"service {name}",
        "services holds none of that name",
        f"Add it, or give as service what ends TLS: {', '.join(each.name for each in services) or 'none'}.",
    )


def _observe(endpoints: tuple[Endpoint, ...], service: Service, workshop: Workshop, wish: Wish) -> Scene:
    seen = inspect(endpoints, Deadline(SECONDS))
    return Scene(
        seen=seen,
        service=service.name,
        place=workshop.server.place,
        broken=_broken(workshop.server),
        missing=None if certbot.program() else str(certbot.missing()),
        revoked=_revoked(seen, wish),
        hooks=workshop.hooks,
    )


def _broken(server: NginxService) -> str | None:
    try:
        return server.complaint()
    except FirebreakError as error:
        return f"its configuration cannot be tested ({error})"


def _revoked(seen: Snapshot, wish: Wish) -> frozenset[str]:
    """Asked for only where somebody wants to force it: it is a question to the authority."""
    found = set()
    for held in seen.lineages or () if wish.force else ():
        lineage = held.lineage
        if (
            lineage.name == wish.name
            and not lineage.problem
            and ocsp.revoked(lineage.certificate, lineage.chain)
        ):
            found.add(lineage.name)
    return frozenset(found)
