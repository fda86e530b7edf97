# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of those that block others are to end, and why the rest is left alone. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable, Iterator, Optional, Sequence

from ...lifecycle import Decision
from ...plan import DESTRUCTIVE, DISRUPTIVE, Act, Plan
from ...quantities import speak_count, speak_duration
from ..sessions.session import Session
from .forest import Node
from .inform import forest, judge, longest, tree, waiting
from .look import PREPARED
from .snapshot import Prepared, Snapshot

AUTO, CANCEL, TERMINATE = "auto", "cancel", "terminate"
ROLLBACK, COMMIT = "rollback", "commit"
# Who was in the same state for so long stays in it until the act: it is held to it.
CALM_SECONDS = 2
IDLE = "idle"
# Work that is lost; the first that matches counts.
UPKEEP = (
    (
        r"(re|create\s+(unique\s+)?)index\b.*\bconcurrently",
        "what it has built stays behind as an invalid index",
    ),
    (
        r"vacuum|analyze|cluster|reindex|create\s+(unique\s+)?index|alter\s|refresh\s",
        "what it has done is lost",
    ),
)

WhyNot = Callable[[Session], Optional[str]]


@dataclass(frozen=True)
class Wish:
    """Roots whose longest waiter waits for `min_waiting` seconds; prepared transactions by name only."""

    min_waiting: int
    method: str = AUTO
    gids: tuple[str, ...] = ()
    resolve: str | None = None


def decide(snapshot: Snapshot, wish: Wish, why_not: WhyNot) -> Decision:
    """The symptom counts who waits for `min_waiting` and more, and the named transactions that are there."""
    nodes = forest(snapshot)
    roots = [node for node in nodes if node.depth == 0]
    # Before release 14, whoever may not see a session does not see either how long it waits.
    late = [root for root in roots if root.longest >= wish.min_waiting or _hidden(snapshot, root)]
    acts: list[Act] = []
    refusals: list[Act] = []
    for act, because in [*_sessions(snapshot, late, wish, why_not), *_transactions(snapshot, late, wish)]:
        if because is None:
            acts.append(act)
        else:
            refusals.append(act.refused(because))
    waiting_long = waiting(snapshot, wish.min_waiting if snapshot.sees_all else 0)
    state = {
        "waiting": snapshot.waiting,
        "waiting_long": waiting_long,
        "longest_seconds": longest(snapshot),
        "tree": tree(snapshot, nodes),
    }
    named = sum(one.gid in wish.gids for one in snapshot.prepared.values())
    plan = Plan(tuple(acts), tuple(refusals), sequential=False)
    return Decision(waiting_long + named, state, tuple(judge(snapshot, nodes)), plan)


def _sessions(
    snapshot: Snapshot, roots: Sequence[Node], wish: Wish, why_not: WhyNot
) -> Iterator[tuple[Act, str | None]]:
    """Each root that is no known prepared transaction, with the reason to leave it alone, if there is one."""
    for root in roots:
        session = snapshot.sessions.get(root.key)
        if session is not None:
            what = f"{_behind(root)}; {session.describe()}: {session.query.rstrip('; ')}"
            act = _act(session, what, wish)
            because = _spared(session, root, act) or why_not(session)
            yield act, because and f"{because}. It is the {what}"
        elif root.key >= PREPARED:
            gone = (
                "it is not shown to us: GRANT pg_monitor"
                if _hidden(snapshot, root)
                else "it had ended when it was looked up"
            )
            act = Act("postgres.terminate", f"pid {root.key}", {"pid": root.key}, DISRUPTIVE, _behind(root))
            yield act, f"{gone}. It is the {act.reason}"


def _hidden(snapshot: Snapshot, root: Node) -> bool:
    return not snapshot.sees_all and root.key >= PREPARED and root.key not in snapshot.sessions


def _act(session: Session, what: str, wish: Wish) -> Act:
    """A cancel does nothing to who is idle: only what runs is cancelled."""
    idle = (session.state or "").startswith(IDLE)
    lost = None if idle else next((left for pattern, left in UPKEEP if _runs(session, pattern)), None)
    reason = f"{what} ({lost})" if lost else what
    calm = session.identity(in_this_state=(session.state_seconds or 0.0) >= CALM_SECONDS)
    if wish.method == CANCEL:
        return Act("postgres.cancel", session.target, calm, DISRUPTIVE, reason)
    if wish.method == TERMINATE or idle:
        return Act("postgres.terminate", session.target, calm, DISRUPTIVE, reason)
    return Act(
        "postgres.cancel_or_terminate",
        session.target,
        session.identity(in_this_state=False),
        DISRUPTIVE,
        f"{reason}. Its statement is cancelled; if it blocks nevertheless, the session is ended",
    )


def _runs(session: Session, what: str) -> bool:
    return re.match(rf"\s*(?:{what})", session.query, re.IGNORECASE) is not None


def _behind(root: Node) -> str:
    waiting = speak_count(root.behind, "waiting session")
    return f"root of {waiting}, the longest for {speak_duration(root.longest)}"


def _spared(session: Session, root: Node, act: Act) -> str | None:
    """Why it is left alone although nothing protects it, or in better words than what protects it has."""
    if root.circular or session.wait_event_type == "Lock":
        return "it waits itself; the server breaks a deadlock after deadlock_timeout"
    if session.backend_type == "autovacuum worker":
        if "(to prevent wraparound)" in session.query:
            return "it is autovacuum against wraparound, which must get to its end and gives way to nobody"
        return "it is autovacuum, which gives way by itself after deadlock_timeout"
    if session.backend_type == "startup":
        return "it replays what the primary has done; max_standby_streaming_delay says for how long it waits"
    if act.action == "postgres.cancel" and (session.state or "").startswith(IDLE):
        return "it runs nothing, so that a cancel does nothing; method auto or terminate ends it"
    return None


def _transactions(snapshot: Snapshot, roots: Sequence[Node], wish: Wish) -> Iterator[tuple[Act, str | None]]:
    """Each prepared transaction that is named or a root; never resolved but by its name."""
    blocking = {root.key: root for root in roots}
    for key, one in snapshot.prepared.items():
        root = blocking.get(key)
        if one.gid not in wish.gids and root is None:
            continue
        because = None
        if one.gid not in wish.gids:
            because = (
                "whether it is to be committed is known by its coordinator only: name it in gids, and how in "
                "resolve (rollback or commit), with max_risk destructive"
            )
        elif wish.resolve is None:
            because = "say resolve rollback or commit, as its coordinator has decided"
        act = _resolution(one, root, wish)
        yield act, because and f"{because}. It is {act.reason}"


def _resolution(one: Prepared, root: Node | None, wish: Wish) -> Act:
    target = f"prepared transaction {one.gid} (since {one.since})"
    identity = {"gid": one.gid, "since": one.since, "database": one.database}
    behind = f"; {_behind(root)}" if root else ""
    reason = f"of {one.user} in {one.database}, prepared {speak_duration(one.seconds)} ago{behind}"
    if wish.resolve == COMMIT:
        return Act("postgres.prepared.commit", target, identity, DESTRUCTIVE, reason)
    return Act("postgres.prepared.rollback", target, identity, DESTRUCTIVE, reason)
