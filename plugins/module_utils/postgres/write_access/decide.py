# SPDX-License-Identifier: GPL-3.0-or-later
"""What must happen so that a database may be written to no more, or again. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from ...finding import Finding
from ...lifecycle import Decision
from ...plan import DISRUPTIVE, Act, Plan, Undo
from ...quantities import speak_count
from ..sessions.protection import Protection
from .findings import judge
from .observe import Snapshot
from .view import View, is_on, view

READ_ONLY, READ_WRITE = "read_only", "read_write"


@dataclass(frozen=True)
class Request:
    """`target` names the database and, where that is not plain, its server.

    `way_in` is what `identity_of` says of the server: it goes into the identity of every act.
    """

    target: str
    state: str = READ_ONLY
    protection: Protection = field(default_factory=Protection)
    way_in: Mapping[str, Any] = field(default_factory=dict)


def inform(
    seen: Snapshot, subject: str, application_user: str | None
) -> tuple[Mapping[str, Any], tuple[Finding, ...]]:
    meaning = view(seen, application_user)
    return _state(seen, meaning), judge(seen, meaning, subject)


def decide(seen: Snapshot, subject: str, request: Request) -> Decision:
    """The symptom of read_only: 1 when new sessions may write, and 1 for each from before that may still.

    Of read_write: 1 when new sessions may not write, and 1 for each that began so.
    """
    meaning = view(seen, request.protection.application_user)
    state, found = _state(seen, meaning), judge(seen, meaning, subject)
    if seen.in_recovery:
        return Decision(0, state, found)
    if request.state == READ_ONLY:
        symptom = int(meaning.writable) + len(meaning.writing)
        return Decision(symptom, state, found, _closing(seen, meaning, request))
    symptom = int(not meaning.writable) + len(meaning.reading)
    return Decision(symptom, state, found, _opening(seen, meaning, request))


def _closing(seen: Snapshot, meaning: View, request: Request) -> Plan:
    acts: list[Act] = []
    refusals = _not_covered(seen, meaning, request)
    if not is_on(seen.own) or (meaning.since is None and meaning.writing):
        why = "it is set, and nobody wrote down since when" if meaning.closed else "new sessions may write"
        identity = _identity(seen, request, seen.own)
        undo = Undo("postgres.write_access.read_write", identity)
        acts.append(
            Act("postgres.write_access.read_only", request.target, identity, DISRUPTIVE, why, undo),
        )
    for session in meaning.writing:
        act = Act(
            action="postgres.terminate",
            target=session.target,
            identity={**request.way_in, **session.identity(in_this_state=False)},
            risk=DISRUPTIVE,
            reason=f"it began before the setting and may still write: {session.describe()}",
        )
        because = request.protection.why_not(session)
        if because is None:
            acts.append(act)
        else:
            refusals.append(act.refused(f"{because}; it may still write"))
    return Plan(tuple(acts), tuple(refusals), sequential=False)


def _not_covered(seen: Snapshot, meaning: View, request: Request) -> list[Act]:
    """Whom the database's setting does not reach, or has not reached: nothing is changed about roles."""
    user = seen.proof.user if seen.proof else None
    overrides = user in meaning.overrides
    if user is None or not (overrides or (meaning.closed and meaning.writable)):
        return []
    why = "default_transaction_read_only = off of its own" if overrides else "something that sets it back"
    identity = _identity(seen, request, seen.own)
    act = Act(
        "postgres.write_access.read_only",
        f"role {user}, {request.target}",
        identity,
        DISRUPTIVE,
        "",
        Undo("postgres.write_access.read_write", identity),
    )
    return [act.refused(f"it may write all the same, by {why}, and roles are left as they are")]


def _opening(seen: Snapshot, meaning: View, request: Request) -> Plan:
    if not (meaning.closed or meaning.reading):
        return Plan()
    began = speak_count(len(meaning.reading), "session")
    why = (
        f"new sessions may not write; {began} that began so are ended"
        if meaning.closed
        else f"it was set back by hand; {began} that may have begun read-only are ended"
    )
    # Where everybody begins read-only, taking the setting away would change nothing.
    identity = _identity(seen, request, "off" if is_on(meaning.without) else None)
    undo = Undo("postgres.write_access.read_only", identity)
    return Plan((Act("postgres.write_access.read_write", request.target, identity, DISRUPTIVE, why, undo),))


def _identity(seen: Snapshot, request: Request, open_value: str | None) -> dict[str, Any]:
    """The same for closing and opening. `open` is the database's own setting when it is open."""
    return {
        **request.way_in,
        "system": seen.system,
        "name": seen.database,
        "oid": seen.oid,
        "open": open_value,
        "application_user": request.protection.application_user,
        "application_is_superuser": request.protection.application_is_superuser,
    }


def _state(seen: Snapshot, meaning: View) -> dict[str, Any]:
    proof = seen.proof and {
        "user": seen.proof.user,
        "transaction_read_only": seen.proof.read_only,
        "write_refused": seen.proof.refused,
        "problem": seen.proof.problem,
    }
    return {
        "database": seen.database,
        "standby": seen.in_recovery,
        "read_only": seen.in_recovery or not meaning.writable,
        "setting": seen.own,
        "since": meaning.since,
        "overrides": list(meaning.overrides),
        "sessions": len(meaning.fenced),
        "sessions_writing": len(meaning.writing),
        "superuser_sessions": len(meaning.superusers),
        "proof": proof,
    }
