# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether there is room for the next session, and who sits in a transaction for too long."""

from __future__ import annotations

import math
import re
from typing import Any, Iterator, Mapping

from ...finding import CRITICAL, NOTICE, WARNING, Finding, Remedy
from ...quantities import speak_count, speak_duration
from .look import IDLE_SECONDS

Facts = Mapping[str, Any]

# Share of the connections that ordinary roles may have.
CONNECTIONS_HIGH = 0.85
IDLE_LONG_SECONDS = 300
TRANSACTION_SECONDS = 1800
# They are long by nature.
TOOLS = re.compile(r"^(pg_dump|pg_dumpall|pg_restore|pg_basebackup|pgbackrest|barman|pg_repack)", re.I)
PLAYBOOK = "fix_database_connections"
UPKEEP = re.compile(r"^\s*(vacuum|analyze|reindex|cluster|copy|create\s+(unique\s+)?index|alter\s)", re.I)


def judge_sessions(facts: Facts, subject: str) -> Iterator[Finding]:
    """From a row of the looks SERVER, BUDGET and TRANSACTIONS."""
    yield from _unseen(facts, subject)
    yield from _untracked(facts, subject)
    yield from _connections(facts, subject)
    yield from _transactions(facts, subject)
    yield from _idle(facts, subject)


def budget(facts: Facts) -> int:
    """How many sessions ordinary roles may have together."""
    return int(facts["max_connections"]) - int(facts["reserved"])


def high(used: int, of: int) -> bool:
    return used >= CONNECTIONS_HIGH * of


def full(facts: Facts) -> bool:
    return bool(
        facts["used"] >= budget(facts) or any(limit["used"] >= limit["limit"] for limit in facts["limits"])
    )


def name_of(one: Mapping[str, Any]) -> str:
    """Whose session it is."""
    name = one["user"] or one["backend_type"]
    return f"{name} ({one['application']})" if one["application"] else str(name)


def _unseen(facts: Facts, subject: str) -> Iterator[Finding]:
    if not facts["sees_all"]:
        yield Finding(
            id="postgres.sessions.unseen",
            level=WARNING,
            subject=subject,
            summary="the administrator is shown its own sessions only, so connections, locks and "
            "transactions are not known. GRANT pg_monitor to it",
        )


def _untracked(facts: Facts, subject: str) -> Iterator[Finding]:
    number = facts["by_state"].get("disabled", 0)
    if number and facts["sees_all"]:
        yield Finding(
            id="postgres.sessions.untracked",
            level=NOTICE,
            subject=subject,
            summary=f"of {speak_count(number, 'session')} nobody sees whether they are idle or work, for "
            "track_activities is off for them: none of them is counted or ended as idle",
            evidence={"sessions": number},
        )


def _connections(facts: Facts, subject: str) -> Iterator[Finding]:
    if not facts["sees_all"]:
        return
    idle = sum(number for state, number in facts["by_state"].items() if state.startswith("idle in"))
    evidence = {
        "max": facts["max_connections"],
        "reserved": facts["reserved"],
        "budget": budget(facts),
        "used": facts["used"],
        "by_state": facts["by_state"],
        "idle_in_transaction": idle,
        "holders": facts["holders"],
    }
    of = f"{facts['used']} of {budget(facts)} client connections are in use{_holder(facts, idle)}"
    yield from _used_up(facts["used"], budget(facts), subject, of, evidence)
    for limit in facts["limits"]:
        owner = f"{limit['kind']} {limit['name']}"
        said = f"{limit['used']} of the {limit['limit']} connections of {owner} are in use"
        yield from _used_up(limit["used"], limit["limit"], f"{subject}, {owner}", said, limit)


def _used_up(used: int, of: int, subject: str, said: str, evidence: Mapping[str, Any]) -> Iterator[Finding]:
    if used >= of:
        yield Finding(
            id="postgres.connections.exhausted",
            level=CRITICAL,
            subject=subject,
            summary=f"{said}: the next one is refused",
            evidence=evidence,
            remedy=_remedy(of),
        )
    elif high(used, of):
        yield Finding(
            id="postgres.connections.high",
            level=WARNING,
            subject=subject,
            summary=said,
            evidence=evidence,
            remedy=_remedy(of),
        )


def _remedy(of: int) -> Remedy:
    """With as many connections free, nobody has to be told of them any more."""
    return Remedy(PLAYBOOK, {"free_connections": of - math.ceil(CONNECTIONS_HIGH * of) + 1})


def _holder(facts: Facts, idle: int) -> str:
    first = facts["holders"][0] if facts["holders"] else None
    share = f", {idle} idle in transaction" if idle else ""
    if first is None:
        return share
    name = f"{first['user']}" + (f" ({first['application']})" if first["application"] else "")
    return f"{share}; most are {name}'s with {first['sessions']}"


def _transactions(facts: Facts, subject: str) -> Iterator[Finding]:
    for one in facts["transactions"]:
        seconds = one["transaction_seconds"]
        if seconds < TRANSACTION_SECONDS:
            continue
        expected = TOOLS.match(one["application"] or "") or UPKEEP.match(one["query"] or "")
        yield Finding(
            id="postgres.transaction.long",
            level=NOTICE if expected else WARNING,
            subject=f"{subject}, pid {one['pid']}",
            summary=f"a transaction of {name_of(one)} runs for {speak_duration(seconds)}: {one['query']}",
            evidence=one,
        )


def _idle(facts: Facts, subject: str) -> Iterator[Finding]:
    late = [one for one in facts["idle_transactions"] if one["state_seconds"] >= IDLE_SECONDS]
    if not late:
        return
    first = late[0]
    number = max(len(late), facts.get("idle_late", 0))
    more = f", and {number - 1} more" if number > 1 else ""
    yield Finding(
        id="postgres.transaction.idle",
        level=WARNING if first["state_seconds"] >= IDLE_LONG_SECONDS else NOTICE,
        subject=subject,
        summary=f"pid {first['pid']} of {name_of(first)} is idle in transaction for "
        f"{speak_duration(first['state_seconds'])}{more}: it keeps its locks and every dead row since",
        evidence={"number": number, "sessions": late},
        remedy=Remedy(PLAYBOOK),
    )
