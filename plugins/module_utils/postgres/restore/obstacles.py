# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a restore from being done, or a database from being put in the place of another one."""

from __future__ import annotations

from typing import Iterator

from ...quantities import speak_list, speak_size
from ..sessions.protection import OURSELVES, Protection
from ..sessions.session import Session
from .model import Snapshot

LISTED = 3
# Of what a copy is expected to take.
MARGIN = 1.2
AUTOVACUUM = "autovacuum worker"


def ends_itself(session: Session) -> bool:
    """A rename ends autovacuum; a parallel worker goes with its leader."""
    return session.backend_type == AUTOVACUUM or session.leader_pid is not None


def of_copy(seen: Snapshot) -> list[str]:
    """Why no copy can be made."""
    return list(_of_copy(seen))


def _of_copy(seen: Snapshot) -> Iterator[str]:
    if seen.in_recovery:
        yield "the server is a standby: restore on its primary"
    if not seen.superuser:
        yield (
            f"{seen.server.administrator.user} is no superuser, and only one can give every object back to "
            f"its owner"
        )
    if seen.live is None:
        yield (
            f"there is no database {seen.name}, so its owner and encoding are not known: "
            f"CREATE DATABASE … OWNER …, empty as it is, and repeat"
        )
        return
    needed, free = needs(seen), seen.free
    if free is not None and free < needed:
        yield (
            f"a second copy needs about {speak_size(needed)}, and {speak_size(free)} are free in "
            f"{seen.location or seen.data}"
        )
        return
    # A server whose pg_wal is full stops.
    wal = _wal(seen)
    data = seen.room.data
    if data and data.free < wal + (needed if not seen.location else 0):
        yield (
            f"loading writes about {speak_size(wal)} to pg_wal beside the copy of {speak_size(needed)}, and "
            f"{speak_size(data.free)} are free in {seen.data}: full, it would stop the server"
        )


def needs(seen: Snapshot) -> int:
    """Bytes that a second copy is expected to take: as much as the first, or as its SQL when that is more."""
    size = seen.live.database.bytes if seen.live else 0
    return round(MARGIN * max(size or 0, seen.choice.text))


def _wal(seen: Snapshot) -> int:
    needed = needs(seen)
    return needed if seen.wal_kept is None else min(needed, seen.wal_kept)


def in_the_way(seen: Snapshot, protection: Protection) -> list[str]:
    """Why the database in use cannot be renamed."""
    return list(_in_the_way(seen, protection))


def _in_the_way(seen: Snapshot, protection: Protection) -> Iterator[str]:
    live = seen.live
    if live is None:
        return
    if live.slots:
        yield (
            f"logical replication reads it, and would go on reading the old one: slot "
            f"{speak_list(live.slots, LISTED)}"
        )
    if live.subscriptions:
        yield (
            f"it subscribes to another server, and the old one would go on doing so: "
            f"{speak_list(live.subscriptions, LISTED)}"
        )
    if live.prepared:
        yield (
            f"it has prepared transactions, to be committed or rolled back first: "
            f"{speak_list(live.prepared, LISTED)}"
        )
    for session in live.sessions:
        if ends_itself(session) or session.application == OURSELVES:
            continue
        because = protection.why_not(session)
        if because:
            yield f"{session.target} is connected to it and is never ended: {because}"
