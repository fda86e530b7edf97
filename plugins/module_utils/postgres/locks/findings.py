# SPDX-License-Identifier: GPL-3.0-or-later
"""Who waits for locks, and what is behind it."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ...finding import CRITICAL, WARNING, Finding, Remedy
from ...quantities import speak_duration
from ..sessions.findings import name_of

Facts = Mapping[str, Any]

# Every busy server has somebody waiting for a moment; the query counts who waits for 2 s and more.
BLOCKED_MANY, BLOCKED_SECONDS = 5, 60
PREPARED_SECONDS = 600
REMEDY = "fix_database_locks"


def judge_locks(facts: Facts, subject: str) -> Iterator[Finding]:
    """From the facts of inform.py."""
    yield from _blocked(facts, subject)
    yield from _prepared(facts, subject)


def _blocked(facts: Facts, subject: str) -> Iterator[Finding]:
    waiting, seconds = facts["waiting_long"], facts["waiting_seconds"] or 0
    if not waiting:
        return
    roots = facts["roots"]
    # A circle without a beginning is a deadlock, which the server breaks itself.
    behind = "; ".join(_root(root, facts["prepared"]) for root in roots[:3]) or "each other"
    yield Finding(
        id="postgres.sessions.blocked",
        level=CRITICAL if waiting >= BLOCKED_MANY or seconds >= BLOCKED_SECONDS else WARNING,
        subject=subject,
        summary=f"{_count(facts['waiting'])} for locks, the longest for "
        f"{speak_duration(seconds)}, behind {behind}",
        evidence={
            "waiting": facts["waiting"],
            "longest_seconds": round(seconds, 1),
            "root_pids": [root["pid"] for root in roots],
            "roots": roots,
        },
        remedy=Remedy(REMEDY),
    )


def _count(waiting: int) -> str:
    return "1 session waits" if waiting == 1 else f"{waiting} sessions wait"


def _root(root: Mapping[str, Any], prepared: Sequence[Mapping[str, Any]]) -> str:
    # The lock manager calls every prepared transaction 0; only who asks about its locks knows which it is.
    if root["pid"] == 0:
        names = root.get("gid") or " or ".join(str(one["gid"]) for one in prepared) or "gone by now"
        return f"a prepared transaction ({names}, {root['blocked']} behind it)"
    if root["state"] is None:
        return f"pid {root['pid']} ({root['backend_type'] or 'gone by now'}, {root['blocked']} behind it)"
    since = f" for {speak_duration(root['state_seconds'])}" if root["state_seconds"] is not None else ""
    return f"pid {root['pid']} of {name_of(root)} ({root['state']}{since}, {root['blocked']} behind it)"


def _prepared(facts: Facts, subject: str) -> Iterator[Finding]:
    for one in facts["prepared"]:
        if one["seconds"] >= PREPARED_SECONDS:
            yield Finding(
                id="postgres.transaction.prepared",
                level=WARNING,
                subject=f"{subject}, {one['gid']}",
                summary=f"the prepared transaction {one['gid']} of {one['user']} is neither committed nor "
                f"rolled back for {speak_duration(one['seconds'])}: it keeps its locks through any restart",
                evidence=one,
                # Without max_risk and how to resolve it, the playbook only tells what has to be decided.
                remedy=Remedy(REMEDY, {"gids": [one["gid"]]}),
            )
