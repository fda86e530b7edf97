# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database's settings and sessions amount to: who may write to it.

A fence, not a wall: the setting is what a session begins with, and any session may set it back.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..sessions.protection import OURSELVES, TOOLS
from ..sessions.session import Session
from .observe import Snapshot

PSQL = "psql"


@dataclass(frozen=True)
class View:
    """`closed`: new sessions begin read-only; `since` when, None when nobody wrote it down.

    `writable` is `closed`'s opposite, unless a new session met something else. `without` is what would hold
    if the database had no setting. `fenced` are the sessions that the fence is for: `writing` those that
    began before it, `reading` those after; without `since`, all of them are both. Where it was set back by
    hand, those that began after it may be `reading` still. `superusers` are outside.
    """

    closed: bool
    writable: bool
    without: str
    since: str | None
    fenced: tuple[Session, ...]
    writing: tuple[Session, ...]
    reading: tuple[Session, ...]
    superusers: tuple[Session, ...]
    overrides: tuple[str, ...]


def view(seen: Snapshot, application_user: str | None) -> View:
    everybody = next((each.value for each in seen.settings if not each.here and each.role is None), None)
    without = everybody or seen.default
    closed = is_on(seen.own or without)
    since = seen.mark if is_on(seen.own) else None
    tried = seen.proof.refused if seen.proof else None
    fenced = [each for each in seen.present if fences(each.session, application_user)]
    writing = [each for each in fenced if not closed or since is None or each.began < since]
    began_closed = since if closed else seen.mark
    reading = [each for each in fenced if (closed if began_closed is None else each.began >= began_closed)]
    return View(
        closed=closed,
        writable=not closed if tried is None else not tried,
        without=without,
        since=since,
        fenced=tuple(each.session for each in fenced),
        writing=tuple(each.session for each in writing),
        reading=tuple(each.session for each in reading),
        superusers=tuple(
            each.session
            for each in seen.present
            if each.session.superuser and not fences(each.session, application_user)
        ),
        overrides=_overrides(seen),
    )


def is_on(value: str | None) -> bool:
    """As the server reads a boolean."""
    word = (value or "").strip().lower()
    return word in ("on", "1") or (word != "" and ("true".startswith(word) or "yes".startswith(word)))


def fences(session: Session, application_user: str | None) -> bool:
    """Whether the fence is meant for it: not for those who look after the server, nor for their tools."""
    name = (session.application or "").strip()
    if name == OURSELVES or TOOLS.match(name):
        return False
    return not session.superuser or (session.user == application_user and name != PSQL)


def _overrides(seen: Snapshot) -> tuple[str, ...]:
    """The roles whose own setting lets them write; the one for this database counts before the other."""
    values: dict[str, str] = {}
    for each in sorted(seen.settings, key=lambda each: each.here):
        if each.role is not None and each.enters:
            values[each.role] = each.value
    return tuple(sorted(role for role, value in values.items() if not is_on(value)))
