# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what the module `ip_block` needs for what it was asked."""

from __future__ import annotations

from typing import Any, Mapping

from ..clients.network import protected_by
from ..fail2ban.act import PERFORM as FAIL2BAN_PERFORM
from ..guard import protect
from ..information import Context
from ..lifecycle import Job
from . import act, decide, observe
from .observe import Snapshot
from .request import ABSENT, PRESENT, Request

SPEC: Mapping[str, Any] = {
    "addresses": {"type": "list", "elements": "str", "required": True},
    "state": {"type": "str", "choices": [PRESENT, ABSENT], "default": PRESENT},
    "duration": {"type": "str", "default": "24h"},
    "kill_connections": {"type": "bool", "default": True},
}


def job(params: Mapping[str, Any]) -> Job[Snapshot]:
    """What to do about the addresses. Letting go is not guarded: no protected address is harmed by it."""
    request = Request.of(params)
    if request.state == ABSENT:
        return Job(
            observe=observe.everything,
            decide=lambda snapshot: decide.release(snapshot, request),
            perform={**act.PERFORM, **FAIL2BAN_PERFORM},
        )
    protected = protected_by(Context.from_params(params).protected)
    return Job(
        observe=lambda: observe.for_blocking(request.addresses),
        decide=lambda snapshot: decide.block(snapshot, request),
        perform=act.performers(protected),
        guards=(protect(protected),),
    )
