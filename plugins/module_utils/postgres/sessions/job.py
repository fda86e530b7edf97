# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what `pg_sessions_info` and `pg_sessions` need."""

from __future__ import annotations

from typing import Any, Mapping

from ...clients.postgres_kept import connect_for_many
from ...errors import BadInput
from ...lifecycle import Job
from ..entry import SECONDS, access_to, reach
from ..entry import SPEC as ENTRY_SPEC
from ..server import describe
from . import act, observe
from .criteria import CANCEL, CRITERIA_SPEC, TERMINATE, parse_criteria
from .decide import Wish, decide
from .observe import Snapshot
from .protection import Protection

SPEC: Mapping[str, Any] = {
    **CRITERIA_SPEC,
    "method": {"type": "str", "choices": [CANCEL, TERMINATE], "default": TERMINATE},
    "free_connections": {"type": "int", "default": 0},
    **ENTRY_SPEC,
}


def job(params: Mapping[str, Any]) -> Job[Snapshot]:
    wish, server = parse_wish(params), reach(params)
    protection = Protection.of(server)
    # One connection for everything, each statement in it with a time of its own.
    connection = connect_for_many(access_to(server), lambda: SECONDS)
    return Job(
        observe=lambda: observe.sessions(connection, describe(server), protection),
        decide=lambda snapshot: decide(snapshot, wish),
        perform={
            "postgres.terminate": lambda identity: act.terminate(connection, identity),
            "postgres.cancel": lambda identity: act.cancel(connection, identity),
        },
    )


def parse_wish(params: Mapping[str, Any]) -> Wish:
    """Raises `BadInput`."""
    wish = Wish(parse_criteria(params), params["method"], params["free_connections"])
    if wish.free < 0:
        raise BadInput(f"free_connections {wish.free}", "it is negative", "Give 0 or a number.")
    if wish.free and wish.method == CANCEL:
        raise BadInput(
            f"free_connections {wish.free}", "a cancelled session keeps its connection", "Use terminate."
        )
    return wish
