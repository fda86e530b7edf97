# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what the module `fail2ban` needs for what it was asked."""

from __future__ import annotations

from typing import Any, Mapping

from ..addresses import canonical
from ..clients.network import protected_by
from ..guard import protect
from ..information import Context
from ..lifecycle import Job
from . import decide, observe
from .act import PERFORM
from .observe import Banned

PRESENT, ABSENT = "present", "absent"
SPEC: Mapping[str, Any] = {
    "addresses": {"type": "list", "elements": "str", "required": True},
    "state": {"type": "str", "choices": [PRESENT, ABSENT], "default": PRESENT},
    "jail": {"type": "str", "default": "sshd"},
}


def job(params: Mapping[str, Any]) -> Job[Banned]:
    """What to do about the addresses. Letting go is never guarded: nobody is harmed by it."""
    addresses = list(dict.fromkeys(canonical(text) for text in params["addresses"]))
    if params["state"] == ABSENT:
        return Job(
            observe=lambda: observe.banned(addresses),
            decide=lambda snapshot: decide.unban(snapshot, addresses),
            perform=PERFORM,
        )
    protected = protected_by(Context.from_params(params).protected)
    return Job(
        observe=lambda: observe.banned(addresses, params["jail"]),
        decide=lambda snapshot: decide.ban(snapshot, addresses),
        perform=PERFORM,
        guards=(protect(protected),),
    )
