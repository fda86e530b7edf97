# SPDX-License-Identifier: GPL-3.0-or-later
"""Who waits for which lock, behind whom: asked of one server."""

from __future__ import annotations

from typing import Any, Mapping

from ...clients.postgres_session import Session as Connection
from ..entry import SECONDS, enter, reach
from ..look import ask
from ..server import describe
from ..sessions.look import SERVER
from .look import WAITS
from .snapshot import Snapshot, read


def look(params: Mapping[str, Any]) -> Snapshot:
    """At the server of `entry.SPEC`."""
    server = reach(params)
    with enter(server, SECONDS) as connection:
        return observe(connection, describe(server))


def observe(connection: Connection, subject: str) -> Snapshot:
    snapshot = read(ask(connection, WAITS, SERVER, timeout=SECONDS), subject)
    known = snapshot.sessions.keys() | snapshot.prepared.keys()
    if not snapshot.sees_all or all(known >= {*wait.blockers} for wait in snapshot.waits):
        return snapshot
    # A blocker that ended while it was looked up; what it held is free by now.
    return read(ask(connection, WAITS, SERVER, timeout=SECONDS), subject)
