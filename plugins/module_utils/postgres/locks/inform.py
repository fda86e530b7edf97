# SPDX-License-Identifier: GPL-3.0-or-later
"""What the locks of a server mean to a reader. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Iterator, Mapping, Sequence

from ...finding import WARNING, Finding
from .findings import judge_locks
from .forest import Node, grow
from .look import PREPARED
from .snapshot import Prepared, Snapshot, Wait

# The finding counts who waits for so long, as triage does.
LONG_SECONDS = 2


def inform(snapshot: Snapshot) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    nodes = forest(snapshot)
    data = {
        "server": snapshot.subject,
        "waiting": snapshot.waiting,
        "longest_seconds": longest(snapshot),
        "roots": sum(node.depth == 0 for node in nodes),
        "tree": tree(snapshot, nodes),
        "prepared": [_prepared(one) for one in snapshot.prepared.values()],
    }
    return data, list(judge(snapshot, nodes))


def forest(snapshot: Snapshot) -> list[Node]:
    return grow(
        {wait.pid: wait.blockers for wait in snapshot.waits},
        {wait.pid: wait.seconds for wait in snapshot.waits},
    )


def longest(snapshot: Snapshot) -> float:
    """The longest wait, in seconds."""
    return round(max((wait.seconds for wait in snapshot.waits), default=0.0), 1)


def waiting(snapshot: Snapshot, seconds: float) -> int:
    """How many have waited for so long."""
    waits = [*(wait.seconds for wait in snapshot.waits), *snapshot.beyond]
    return sum(each >= seconds for each in waits)


def tree(snapshot: Snapshot, nodes: Sequence[Node]) -> list[dict[str, Any]]:
    waits = {wait.pid: wait for wait in snapshot.waits}
    return [{**_place(node), **_lock(waits.get(node.key)), **_holder(snapshot, node.key)} for node in nodes]


def _place(node: Node) -> dict[str, Any]:
    return {
        "depth": node.depth,
        "waiting_behind": node.behind,
        "blocked_by": [max(key, PREPARED) for key in node.blocked_by],
        "circular": node.circular,
    }


def _lock(wait: Wait | None) -> dict[str, Any]:
    if wait is None:
        return {"wanted": None, "waiting_seconds": None}
    return {"wanted": asdict(wait.wanted), "waiting_seconds": round(wait.seconds, 1)}


def _holder(snapshot: Snapshot, key: int) -> dict[str, Any]:
    prepared, session = snapshot.prepared.get(key), snapshot.sessions.get(key)
    shown: dict[str, Any] = dict.fromkeys(_HOLDER)
    shown["pid"] = max(key, PREPARED)
    if session is not None:
        shown.update((name, value) for name, value in session.as_dict().items() if name in shown)
    if prepared is not None:
        shown.update(gid=prepared.gid, user=prepared.user, database=prepared.database)
        shown.update(state="prepared", state_seconds=prepared.seconds)
    for name in ("state_seconds", "transaction_seconds"):
        shown[name] = None if shown[name] is None else round(shown[name], 1)
    return shown


_HOLDER = (
    "pid",
    "gid",
    "backend_start",
    "user",
    "database",
    "application",
    "client",
    "backend_type",
    "state",
    "state_seconds",
    "transaction_seconds",
    "query",
)


def _prepared(one: Prepared) -> dict[str, Any]:
    return {**asdict(one), "seconds": round(one.seconds, 1)}


def judge(snapshot: Snapshot, nodes: Sequence[Node]) -> Iterator[Finding]:
    if not snapshot.sees_all:
        yield Finding(
            id="postgres.sessions.unseen",
            level=WARNING,
            subject=snapshot.subject,
            summary="the administrator is shown its own sessions only, so who blocks is known by its pid and "
            "no more. GRANT pg_monitor to it",
        )
    yield from judge_locks(facts_of(snapshot, nodes), snapshot.subject)


def facts_of(snapshot: Snapshot, nodes: Sequence[Node]) -> dict[str, Any]:
    """What is judged: who waits, and behind which roots."""
    roots = [node for node in nodes if node.depth == 0 and not node.circular]
    return {
        "waiting": snapshot.waiting,
        "waiting_long": waiting(snapshot, LONG_SECONDS),
        "waiting_seconds": longest(snapshot),
        "roots": [{**_holder(snapshot, node.key), "blocked": node.behind} for node in roots],
        "prepared": [_prepared(one) for one in snapshot.prepared.values()],
    }
