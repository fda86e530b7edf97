# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody must know about a database that is read-only, or should be."""

from __future__ import annotations

from typing import Iterator, Sequence

from ...finding import NOTICE, WARNING, Finding
from ...quantities import speak_count, speak_list
from ..sessions.session import Session
from .observe import Snapshot
from .view import View

LISTED = 10


def judge(seen: Snapshot, meaning: View, subject: str) -> tuple[Finding, ...]:
    if seen.in_recovery:
        return (_standby(subject),)
    if not meaning.closed:
        return tuple(_reading(seen, meaning, subject))
    return (
        _read_only(seen, meaning, subject),
        *_writing(meaning, subject),
        *_overridden(seen, meaning, subject),
        *_unproven(seen, subject),
        _not_enforced(meaning, subject),
    )


def _standby(subject: str) -> Finding:
    return Finding(
        id="postgres.database.standby",
        level=NOTICE,
        subject=subject,
        summary="this server is a standby: nobody writes to it, and nothing can be set here. What is set on "
        "its primary reaches it by itself",
    )


def _read_only(seen: Snapshot, meaning: View, subject: str) -> Finding:
    if seen.own is None:
        by = "the server's own configuration"
    else:
        since = f"since {meaning.since[:19]}Z" if meaning.since else "nobody wrote down since when"
        by = f"ALTER DATABASE, {since}"
    return Finding(
        id="postgres.database.read_only",
        level=WARNING,
        subject=subject,
        summary=f"new sessions of it begin read-only ({by}): users can read, and whatever they write fails",
        evidence={"setting": seen.own, "since": meaning.since, "sessions": len(meaning.fenced)},
    )


def _reading(seen: Snapshot, meaning: View, subject: str) -> Iterator[Finding]:
    if meaning.reading:
        yield Finding(
            id="postgres.database.reading_sessions",
            level=WARNING,
            subject=subject,
            summary=f"it was set read-only at {str(seen.mark)[:19]}Z and set back by hand since: "
            f"{speak_count(len(meaning.reading), 'session')} may have begun in between and read only: "
            f"{_pids(meaning.reading)}. undo, or state read_write, ends them so that they come back",
            evidence={"since": seen.mark, "sessions": [each.as_dict() for each in meaning.reading[:LISTED]]},
        )


def _writing(meaning: View, subject: str) -> Iterator[Finding]:
    if meaning.writing:
        unknown = " or may have begun" if meaning.since is None else ""
        yield Finding(
            id="postgres.database.writing_sessions",
            level=WARNING,
            subject=subject,
            summary=f"{speak_count(len(meaning.writing), 'session')} began{unknown} before it was set "
            f"read-only and may still write: {_pids(meaning.writing)}",
            evidence={"sessions": [each.as_dict() for each in meaning.writing[:LISTED]]},
        )


def _overridden(seen: Snapshot, meaning: View, subject: str) -> Iterator[Finding]:
    proof = seen.proof
    if meaning.overrides:
        roles = speak_list(meaning.overrides, LISTED)
        yield Finding(
            id="postgres.database.writable_override",
            level=WARNING,
            subject=subject,
            summary=f"{roles} may write to it all the same, by default_transaction_read_only = off of their "
            f"own, which counts before the database's: see ALTER ROLE … RESET, with and without IN DATABASE",
            evidence={"roles": list(meaning.overrides)},
        )
    if proof is not None and proof.refused is False and proof.user not in meaning.overrides:
        yield Finding(
            id="postgres.database.writable",
            level=WARNING,
            subject=subject,
            summary=f"it is set read-only, and a new session of {proof.user} may write all the same: "
            "something sets it back, such as a pooler or the options of the connection",
            evidence={"user": proof.user, "transaction_read_only": proof.read_only},
        )


def _unproven(seen: Snapshot, subject: str) -> Iterator[Finding]:
    proof = seen.proof
    if proof is not None and not proof.application:
        by = f"a new session of {proof.user}" if proof.refused is not None else "nobody"
        yield Finding(
            id="postgres.database.unproven",
            level=NOTICE,
            subject=subject,
            summary=f"whether the application can write was tried by {by}, not as itself: {proof.problem}",
            evidence={"user": proof.user, "problem": proof.problem},
        )


def _not_enforced(meaning: View, subject: str) -> Finding:
    there = f". Superusers are in it: {_pids(meaning.superusers)}" if meaning.superusers else ""
    return Finding(
        id="postgres.database.not_enforced",
        level=NOTICE,
        subject=subject,
        summary=f"it is a fence, not a wall: whoever means to write can set it back in their session{there}",
        evidence={"superuser_pids": [each.pid for each in meaning.superusers]},
    )


def _pids(sessions: Sequence[Session]) -> str:
    return speak_list([f"pid {each.pid}" for each in sessions], 5)
