# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what the module `ip_block` needs for what it was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping, Sequence

from ..addresses import ALWAYS, Protected, protect
from ..clients.network import protected_here
from ..fail2ban.act import PERFORM as FAIL2BAN_PERFORM
from ..guard import Guard
from ..lifecycle import Context, Decision, Performer
from . import act, decide, observe
from .observe import Snapshot
from .request import ABSENT, PRESENT, Request

SPEC: Mapping[str, Any] = {
    "addresses": {"type": "list", "elements": "str", "required": True},
    "state": {"type": "str", "choices": [PRESENT, ABSENT], "default": PRESENT},
    "duration": {"type": "str", "default": "24h"},
    "kill_connections": {"type": "bool", "default": True},
}


@dataclass(frozen=True)
class Job:
    """The functions that `run_change` takes."""

    observe: Callable[[], Snapshot]
    decide: Callable[[Snapshot], Decision]
    perform: Mapping[str, Performer]
    guards: Sequence[Guard] = ()


def job(params: Mapping[str, Any]) -> Job:
    """What to do about the addresses. Letting go is never guarded: nobody is harmed by it."""
    request = Request.of(params)
    if request.state == ABSENT:
        return Job(
            observe=observe.everything,
            decide=lambda snapshot: decide.release(snapshot, request),
            perform={**act.PERFORM, **FAIL2BAN_PERFORM},
        )
    protected = Protected.of(ALWAYS, protected_here(), Context.from_params(params).protected)
    return Job(
        observe=lambda: observe.for_blocking(request.addresses),
        decide=lambda snapshot: decide.block(snapshot, request),
        perform=act.performers(protected),
        guards=(protect(protected),),
    )
