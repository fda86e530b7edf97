# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sessions are to end, and which of those that were asked for must not. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Mapping, Sequence

from ...lifecycle import Decision
from ...plan import DISRUPTIVE, REFUSED, Act, Plan
from ...quantities import speak_count
from .criteria import CANCEL, TERMINATE, Criteria
from .findings import budget, high, judge_sessions
from .inform import connections
from .observe import Snapshot
from .session import ABORTED, ACTIVE, IDLE, IN_TRANSACTION, Session

REFUSALS = 20
BUDGET = ("budget", "")
# The first to go where not all have to.
ORDER = {IN_TRANSACTION: 0, ABORTED: 0, IDLE: 1}


@dataclass(frozen=True)
class Wish:
    """`free` connections are wanted; 0 wants every session that matches ended."""

    criteria: Criteria
    method: str = TERMINATE
    free: int = 0


def decide(snapshot: Snapshot, wish: Wish) -> Decision:
    """The symptom counts what the wish is short of: connections, or sessions that are still there.

    Protected sessions do not count, or a criterion that happens to meet one could never be satisfied; named
    by their pid they do, for nothing else was wanted.
    """
    matching = [one for one in snapshot.sessions if wish.criteria.match(one)]
    protected = {
        one: because for one in matching for because in [snapshot.protection.why_not(one)] if because
    }
    refused = {**protected, **_pointless(matching, protected, wish)}
    candidates = sorted(
        (one for one in matching if one not in refused),
        key=lambda one: (ORDER.get(one.state or "", 2), -one.age),
    )
    refusals = _refusals(refused, wish)
    short = 0
    if wish.free:
        needs = _needs(snapshot.facts, wish.free)
        candidates, missing = _enough(candidates, needs)
        symptom = short = sum(needs.values())
        refusals = (
            [_missing(missing, snapshot.subject, wish, matching, protected), *refusals] if missing else []
        )
    else:
        named = wish.criteria.pids or ()
        symptom = sum(one not in protected or one.pid in named for one in matching)
    state = {
        "connections": connections(snapshot.facts),
        "matching": len(matching),
        "protected": len(protected),
        "short": short,
    }
    acts = tuple(_act(one, wish) for one in candidates)
    plan = Plan(acts, tuple(refusals), sequential=False)
    return Decision(symptom, state, tuple(judge_sessions(snapshot.facts, snapshot.subject)), plan)


def _pointless(
    matching: Sequence[Session], protected: Mapping[Session, str], wish: Wish
) -> Mapping[Session, str]:
    if wish.method != CANCEL:
        return {}
    return {
        one: f"it is {one.state} and runs no query: cancelling does nothing to it, method terminate ends it"
        for one in matching
        if one not in protected and one.state != ACTIVE
    }


def _needs(facts: Mapping[str, Any], free: int) -> Mapping[tuple[str, str], int]:
    """How many connections are short, of all and of each role and database that is close to its limit."""
    needs = {BUDGET: _short(facts["used"], budget(facts), free)}
    for limit in facts["limits"]:
        if high(limit["used"], limit["limit"]):
            needs[limit["kind"], limit["name"]] = _short(limit["used"], limit["limit"], free)
    return needs


def _short(used: int, of: int, free: int) -> int:
    """More than all are in use where superusers have taken some of those that are reserved for them."""
    return max(0, used - of + min(free, of))


def _enough(candidates: Sequence[Session], needs: Mapping[tuple[str, str], int]) -> tuple[list[Session], int]:
    """The first of them that meet the needs, and how many connections are missing even so."""
    left = dict(needs)
    chosen: dict[Session, None] = {}
    # For the limits first: whoever goes for one of them is a connection less in all as well.
    for limits in (True, False):
        for one in candidates:
            owners = (("role", str(one.user)), ("database", str(one.database)), BUDGET)
            wanted = owners[:-1] if limits else owners[-1:]
            if one not in chosen and any(left.get(owner, 0) > 0 for owner in wanted):
                chosen[one] = None
                left.update({owner: left[owner] - 1 for owner in owners if owner in left})
    return list(chosen), sum(max(0, number) for number in left.values())


def _act(one: Session, wish: Wish) -> Act:
    return Act(
        action="postgres.cancel" if wish.method == CANCEL else "postgres.terminate",
        target=one.target,
        identity=one.identity(wish.criteria.of_state),
        risk=DISRUPTIVE,
        reason=one.describe(),
    )


def _refusals(refused: Mapping[Session, str], wish: Wish) -> list[Act]:
    listed = [_act(one, wish).refused(f"{because} ({one.describe()})") for one, because in refused.items()]
    if len(listed) <= REFUSALS:
        return listed
    rest = replace(listed[-1], target=f"{len(listed) - REFUSALS} more sessions", identity={})
    return [*listed[:REFUSALS], rest.refused("they match and are protected as well")]


def _missing(
    missing: int, subject: str, wish: Wish, matching: Sequence[Session], protected: Mapping[Session, str]
) -> Act:
    because = next(iter(protected.values()), None)
    spared = f", {len(protected)} of them protected (the first: {because})" if because else ""
    return Act(
        action="postgres.terminate",
        target=subject,
        identity={},
        risk=DISRUPTIVE,
        reason=f"{wish.free} connections are to be free, and {missing} more would have to end for that: "
        f"{speak_count(len(matching), 'session')} match{spared}",
        status=REFUSED,
    )
