# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what the modules `credentials` and `credentials_info` need."""

from __future__ import annotations

from functools import partial
from typing import Any, Mapping, Sequence

from ..clients.command import Completed, run
from ..errors import BadInput
from ..information import Context
from ..ledger import Ledger
from ..lifecycle import Job
from ..services import Service, parse_services
from . import observe
from .act import Case, Proof, performers
from .decide import decide
from .model import INFO_SPEC, POSTGRES, REDIS, Credential, Holder, parse_credentials
from .observe import Snapshot

SPEC: Mapping[str, Any] = {
    **INFO_SPEC,
    "names": {"type": "list", "elements": "str", "default": []},
    "store": {
        "type": "dict",
        "required": True,
        "options": {"command": {"type": "list", "elements": "str"}, "vault_file": {"type": "path"}},
        "mutually_exclusive": [["command", "vault_file"]],
        "required_one_of": [["command", "vault_file"]],
    },
    "hook_timeout": {"type": "int", "default": 120},
}


def job(params: Mapping[str, Any], ledger: Ledger | None = None) -> Job[Snapshot]:
    if params["hook_timeout"] < 1:
        raise BadInput("hook_timeout", "the site's commands need time", "Give 1 second or more.")
    context = Context.from_params(params)
    seconds = float(params["hook_timeout"])
    found = _cases(params)

    def hook(argv: Sequence[str], stdin: str) -> Completed:
        return run(argv, seconds, stdin=f"{stdin}\n" if stdin else "")

    return Job(
        observe=lambda: observe.observe(found, (ledger or Ledger()).entries, context.incident or context.run),
        decide=partial(decide, incident=context.incident),
        perform=performers(found, hook),
    )


def look(params: Mapping[str, Any]) -> Snapshot:
    """For the module that only looks."""
    return observe.observe(_cases(params), Ledger().entries, None)


def _cases(params: Mapping[str, Any]) -> tuple[Case, ...]:
    services = parse_services(params["services"])
    found = parse_credentials(params["credentials"])
    names = params.get("names") or [credential.name for credential in found]
    for name in names:
        if name not in [credential.name for credential in found]:
            raise BadInput(
                f"credential {name}", "this host has none of that name", "See firebreak_credentials."
            )
    return tuple(
        Case(credential, _holder(credential, params, services), Proof())
        for credential in found
        if credential.name in names
    )


def _holder(credential: Credential, params: Mapping[str, Any], services: Sequence[Service]) -> Holder:
    """Each kind loads what it needs itself."""
    if credential.kind == POSTGRES:
        from .in_postgres import PostgresHolder

        return PostgresHolder(params["postgres"], services, credential.user)
    if credential.kind == REDIS:
        from ..redis.server import parse_server
        from .in_redis import RedisHolder

        return RedisHolder(parse_server(params["redis"], services), credential.user)
    from .in_system import SystemHolder

    return SystemHolder(credential.user)
