# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what the modules `lock_users` and `end_sessions` need for what they were asked."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ..addresses import Protected
from ..clients.network import protected_by
from ..information import Context
from ..ledger import Entry, Ledger, carried_out
from ..lifecycle import Job
from . import decide, ending, observe
from .act import PERFORM
from .ending import Request
from .observe import Sessions, Users

LOCKED, UNLOCKED = "locked", "unlocked"
INFO_SPEC: Mapping[str, Any] = {"users": {"type": "list", "elements": "str", "default": []}}
LOCK_SPEC: Mapping[str, Any] = {
    "users": {"type": "list", "elements": "str", "required": True},
    "state": {"type": "str", "choices": [LOCKED, UNLOCKED], "default": LOCKED},
}
END_SPEC: Mapping[str, Any] = {
    "users": {"type": "list", "elements": "str"},
    "addresses": {"type": "list", "elements": "str"},
    "sessions": {"type": "list", "elements": "str"},
    "all_but_mine": {"type": "bool", "default": False},
    "keep": {"type": "list", "elements": "str", "default": []},
    "processes": {"type": "bool", "default": True},
}


def lock_job(params: Mapping[str, Any], ledger: Ledger) -> Job[Users]:
    names = list(dict.fromkeys(params["users"]))
    if params["state"] == LOCKED:
        return Job(lambda: observe.users(names), lambda seen: decide.lock(seen, names), PERFORM)
    earlier = own_locks(ledger.entries())
    return Job(lambda: observe.users(names), lambda seen: decide.unlock(seen, names, earlier), PERFORM)


def end_job(params: Mapping[str, Any]) -> Job[Sessions]:
    """What comes from a protected address is not ended for that; whoever is named is, wherever they are."""
    site = Context.from_params(params).protected
    request = Request.of(params, protected_by(site) if params["addresses"] else Protected(()))
    return Job(lambda: observe.sessions(request.users), lambda seen: ending.end(seen, request), PERFORM)


def own_locks(entries: Sequence[Entry]) -> Mapping[str, Mapping[str, Any]]:
    """For each user whom Firebreak locked last, and did not unlock since, what takes that back."""
    found: dict[str, Mapping[str, Any]] = {}
    for entry in carried_out(entries):
        if entry.action == "accounts.lock" and entry.undo:
            found[entry.target] = entry.undo["identity"]
        elif entry.action == "accounts.unlock":
            found.pop(entry.target, None)
    return found
