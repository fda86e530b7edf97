# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what the module `fail2ban` needs for what it was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping, Sequence

from ..addresses import ALWAYS, Protected, canonical, protect
from ..clients.network import protected_here
from ..guard import Guard
from ..lifecycle import Context, Decision
from . import decide, observe
from .observe import Banned

PRESENT, ABSENT = "present", "absent"
SPEC: Mapping[str, Any] = {
    "addresses": {"type": "list", "elements": "str", "required": True},
    "state": {"type": "str", "choices": [PRESENT, ABSENT], "default": PRESENT},
    "jail": {"type": "str", "default": "sshd"},
}


@dataclass(frozen=True)
class Job:
    """The functions that `run_change` takes."""

    observe: Callable[[], Banned]
    decide: Callable[[Banned], Decision]
    guards: Sequence[Guard] = ()


def job(params: Mapping[str, Any]) -> Job:
    """What to do about the addresses. Letting go is never guarded: nobody is harmed by it."""
    addresses = list(dict.fromkeys(canonical(text) for text in params["addresses"]))
    if params["state"] == ABSENT:
        return Job(
            observe=lambda: observe.banned(addresses),
            decide=lambda snapshot: decide.unban(snapshot, addresses),
        )
    protected = Protected.of(ALWAYS, protected_here(), Context.from_params(params).protected)
    return Job(
        observe=lambda: observe.banned(addresses, params["jail"]),
        decide=lambda snapshot: decide.ban(snapshot, addresses),
        guards=(protect(protected),),
    )
