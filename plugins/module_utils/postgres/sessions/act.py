# SPDX-License-Identifier: GPL-3.0-or-later
"""Cancels and ends one session at a time, if it is still the one that was meant.

The statement that signals is the one that checks: a moment later the pid may be somebody else's. `identity`
is what `Session.identity` gives. `condition` is what must be true besides, of the row that has its `pid`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Mapping

from ...clients.postgres_session import Row
from ...clients.postgres_session import Session as Connection
from ...errors import FirebreakError, IdentityChanged
from .session import ACTIVE

WAIT_SECONDS = 5.0
PAUSE, LONGEST_PAUSE = 0.002, 0.2

_THERE = """FROM pg_stat_activity
WHERE pid = %(pid)s AND backend_start = %(backend_start)s::timestamptz AND pid <> pg_backend_pid()"""
_SAME = """(%(state)s::text IS NULL OR state = %(state)s
  AND (%(state_change)s::text IS NULL OR state_change = %(state_change)s::timestamptz))"""


@dataclass(frozen=True)
class Condition:
    """`sql` is true where the session of that `pid` is still meant; `otherwise` says what it is if not."""

    sql: str
    otherwise: str


ALWAYS = Condition("true", "")


def terminate(
    connection: Connection,
    identity: Mapping[str, Any],
    seconds: float = WAIT_SECONDS,
    condition: Condition = ALWAYS,
) -> None:
    """End it and wait, for `seconds` at most, until it has gone.

    Raises `IdentityChanged`, `Failed` without the privilege, `FirebreakError` when it does not go.
    """
    given = {"state": None, "state_change": None, **identity}
    # The server's own way to wait, from 14 on, looks ten times a second; most have gone much sooner.
    _signal(connection, "pg_terminate_backend(pid)", given, condition)
    if not _comes_true(connection, f"SELECT NOT EXISTS (SELECT 1 {_THERE}) AS done", given, seconds):
        raise FirebreakError(
            _name(given),
            f"it was told to end and is still there after {seconds:g} s",
            "See its wait_event: what waits for a disk or a network share ends when that comes back.",
        )


def cancel(
    connection: Connection,
    identity: Mapping[str, Any],
    seconds: float = WAIT_SECONDS,
    condition: Condition = ALWAYS,
) -> None:
    """Cancel its query and wait, for `seconds` at most, until that runs no longer. The session stays.

    Raises `IdentityChanged`, also when it runs no query: nothing would happen. Else as `terminate`.
    """
    given = {"state_change": None, **identity, "state": ACTIVE}
    found = _signal(connection, "pg_cancel_backend(pid)", given, condition)
    ended = f"SELECT NOT EXISTS (SELECT 1 {_THERE} AND state = %(state)s AND query_start = %(began)s) AS done"
    if not _comes_true(connection, ended, {**given, "began": found["query_start"]}, seconds):
        raise FirebreakError(
            _name(given),
            f"its query was cancelled and still runs after {seconds:g} s",
            "Terminate the session.",
        )


def _signal(connection: Connection, signal: str, given: Mapping[str, Any], condition: Condition) -> Row:
    # OFFSET keeps the server from asking twice what is named twice.
    rows = connection.rows(
        f"""SELECT state, query_start, same, meant, CASE WHEN same AND meant THEN {signal} END AS done FROM (
  SELECT pid, state, query_start, {_SAME} AS same, ({condition.sql}) AS meant {_THERE} OFFSET 0) found""",
        given,
    )
    if not rows:
        raise IdentityChanged(_name(given), "it has ended meanwhile", "Look again.")
    if not rows[0]["same"]:
        now = (
            f"it is {rows[0]['state']} by now"
            if rows[0]["state"] != given["state"]
            else "it has worked since"
        )
        raise IdentityChanged(_name(given), now, "Look again.")
    if not rows[0]["meant"]:
        raise IdentityChanged(_name(given), condition.otherwise, "Look again.")
    return rows[0]


def _comes_true(connection: Connection, question: str, given: Mapping[str, Any], seconds: float) -> bool:
    end, pause = time.monotonic() + seconds, PAUSE
    while not connection.row(question, given)["done"]:
        if time.monotonic() >= end:
            return False
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
    return True


def _name(identity: Mapping[str, Any]) -> str:
    return f"pid {identity['pid']} (started {identity['backend_start']})"
