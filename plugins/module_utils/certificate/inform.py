# SPDX-License-Identifier: GPL-3.0-or-later
"""What `certificate_info` is asked and returns."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Mapping, Sequence

from ..deadlines import Deadline
from ..errors import BadInput
from ..finding import Finding
from ..moments import parse_iso
from ..services import ENDPOINTS_SPEC
from .classify import classify
from .decide import data_of, due, file_data, said_of
from .endpoints import parse_endpoints
from .holdings import judge_host
from .look import Held, Inspected, Pointed, Snapshot, inspect

SPEC: Mapping[str, Any] = {
    **ENDPOINTS_SPEC,
    "lineages": {"type": "bool", "default": True},
    "now": {"type": "str"},
    "timeout": {"type": "int", "default": 15},
}


def observe(params: Mapping[str, Any]) -> Snapshot:
    if params["timeout"] <= 0:
        raise BadInput(f"timeout {params['timeout']}", "it takes time to look", "Give 1 second or more.")
    now = parse_iso(params["now"]).timestamp() if params["now"] else None
    seen = inspect(parse_endpoints(params["endpoints"]), Deadline(params["timeout"]), now)
    if params["lineages"] or seen.lineages is None:
        return seen
    used = [each.held for each in seen.endpoints]
    return replace(seen, lineages=tuple(held for held in seen.lineages if held in used))


def judge(seen: Snapshot) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    classified = [(each, classify(each, seen)) for each in seen.endpoints]
    findings = [finding for _each, one in classified for finding in one.findings]
    findings += judge_host(seen)
    show = partial(_held, seen)
    return {
        "endpoints": [_endpoint(each, one.state, seen.now) for each, one in classified],
        "lineages": None if seen.lineages is None else [show(held) for held in seen.lineages],
        "nginx": [
            {
                "container": each.container,
                "broken": each.broken,
                "certificates": len(each.certificates),
            }
            for each in seen.nginx
        ],
        "scheduled": list(seen.renewal.scheduled) if seen.renewal else None,
        "complaints": list(seen.renewal.complaints) if seen.renewal else None,
    }, findings


def _endpoint(each: Inspected, state: str, now: float) -> dict[str, Any]:
    return {
        **data_of(each.seen, now),
        "state": state,
        "files": [_pointed(pointed, now) for pointed in each.pointed],
        "lineage": each.held.lineage.name if each.held else None,
    }


def _pointed(pointed: Pointed, now: float) -> dict[str, Any]:
    return {
        **file_data(pointed.filed, now),
        "place": pointed.source.place,
        "container": pointed.source.container,
        "configured": pointed.source.certificate,
        "chain_length": len(pointed.filed.chain),
        "key_fits": pointed.key.fits,
    }


def _held(seen: Snapshot, held: Held) -> dict[str, Any]:
    lineage, certificate = held.lineage, held.filed.certificate
    return {
        "name": lineage.name,
        "certificate": said_of(certificate, seen.now) if certificate else None,
        "due": due(certificate, seen.now) if certificate else None,
        "fullchain": lineage.fullchain,
        "key": lineage.key,
        "key_fits": held.key.fits,
        "server": lineage.server,
        "authenticator": lineage.authenticator,
        "webroots": dict(lineage.webroots),
        "account": lineage.account,
        "account_present": lineage.account_present,
        "renews": lineage.renews,
        "hook": lineage.hook,
        "version": lineage.version,
        "endpoints": [
            f"{each.seen.endpoint.name}:{each.seen.endpoint.port}"
            for each in seen.endpoints
            if each.held is held
        ],
        "problem": lineage.problem or held.filed.unseen or held.key.unseen,
    }
