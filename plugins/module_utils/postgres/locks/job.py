# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what the module `pg_locks` needs."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Mapping

from ...clients.postgres import connect
from ...clients.postgres_session import Session as Connection
from ...errors import BadInput
from ...lifecycle import Job, Performer
from ...quantities import parse_duration
from ..entry import SECONDS, access_to, reach
from ..entry import SPEC as ENTRY_SPEC
from ..server import describe
from ..sessions.protection import Protection
from .act import performers
from .decide import AUTO, CANCEL, COMMIT, ROLLBACK, TERMINATE, Wish, decide
from .observe import observe
from .snapshot import Snapshot

SPEC: Mapping[str, Any] = {
    "min_waiting": {"type": "str", "default": "5s"},
    "method": {"type": "str", "choices": [AUTO, CANCEL, TERMINATE], "default": AUTO},
    "gids": {"type": "list", "elements": "str", "default": []},
    "resolve": {"type": "str", "choices": [ROLLBACK, COMMIT]},
    **ENTRY_SPEC,
}
# Those who waited get on in their turn; they have so long until it is judged whether they did.
SETTLING, PAUSE = 3.0, 0.2


def job(params: Mapping[str, Any]) -> Job[Snapshot]:
    wish, server = _wish(params), reach(params)
    protection = Protection.of(server)
    subject = describe(server)
    # One connection for everything, each statement in it with a time of its own.
    connection = connect(access_to(server), lambda: SECONDS)
    acted: list[str] = []

    def perform(action: str, performer: Performer, identity: Mapping[str, Any]) -> None:
        acted.append(action)
        performer(identity)

    return Job(
        observe=lambda: (
            _settled(connection, subject, wish.min_waiting) if acted else observe(connection, subject)
        ),
        decide=lambda snapshot: decide(snapshot, wish, protection.why_not),
        perform={
            action: partial(perform, action, performer)
            for action, performer in performers(connection, server).items()
        },
    )


def _wish(params: Mapping[str, Any]) -> Wish:
    """Raises `BadInput`."""
    if params["resolve"] and not params["gids"]:
        raise BadInput(f"resolve {params['resolve']}", "no transaction is named", "Give gids.")
    return Wish(
        min_waiting=parse_duration(params["min_waiting"]),
        method=params["method"],
        gids=tuple(params["gids"]),
        resolve=params["resolve"],
    )


def _settled(connection: Connection, subject: str, min_waiting: int) -> Snapshot:
    end = time.monotonic() + SETTLING
    while True:
        snapshot = observe(connection, subject)
        if time.monotonic() >= end or all(wait.seconds < min_waiting for wait in snapshot.waits):
            return snapshot
        time.sleep(PAUSE)
