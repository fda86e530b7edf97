# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether those who need the server get in, get on and get an answer; then what will stop it later."""

from __future__ import annotations

import re
from typing import Any, Iterator, Mapping, Sequence

from ..clients.postgres_session import DOWN, FULL, STOPPED
from ..finding import CRITICAL, NOTICE, WARNING, Finding
from ..quantities import speak_count, speak_duration
from .observe import Answer, Snapshot
from .upkeep import judge_upkeep

Facts = Mapping[str, Any]

# Share of the connections that ordinary roles may have.
CONNECTIONS_HIGH = 0.85
# Every busy server has somebody waiting for a moment; the query counts who waits for 2 s and more.
BLOCKED_MANY, BLOCKED_SECONDS = 5, 60
# Nobody works in a transaction that its client has left alone for so long; it keeps locks and dead rows.
IDLE_SECONDS, IDLE_LONG_SECONDS = 60, 300
TRANSACTION_SECONDS = 1800
PREPARED_SECONDS = 600
# They are long by nature.
TOOLS = re.compile(r"^(pg_dump|pg_dumpall|pg_restore|pg_basebackup|pgbackrest|barman|pg_repack)", re.I)
UPKEEP = re.compile(r"^\s*(vacuum|analyze|reindex|cluster|copy|create\s+(unique\s+)?index|alter\s)", re.I)


def judge(seen: Snapshot | None) -> tuple[Mapping[str, Any] | None, Sequence[Finding]]:
    if seen is None:
        return None, ()
    subject = _subject(seen)
    facts = seen.administrator.row
    findings = [*_administrator(seen, subject), *_application(seen, subject)]
    if facts is not None:
        for part in (_unseen, _connections, _blocked, _transactions, _idle, _prepared, judge_upkeep):
            findings += part(facts, subject)
    return _data(seen, subject), findings


def budget(facts: Facts) -> int:
    """How many sessions ordinary roles may have together."""
    return int(facts["max_connections"]) - int(facts["reserved"])


def _subject(seen: Snapshot) -> str:
    access = seen.server.administrator
    where = f"container {access.container}" if access.container else None
    return f"postgresql {access.database} {'in' if where else 'on'} {where or access.host}"


def _data(seen: Snapshot, subject: str) -> Mapping[str, Any]:
    facts = dict(seen.administrator.row or {})
    holders, limits = facts.pop("holders", None), facts.pop("limits", None)
    connections = None
    if facts:
        connections = {
            "max": facts.pop("max_connections"),
            "reserved": facts.pop("reserved"),
            "used": facts.pop("used"),
            "by_state": facts.pop("by_state"),
            "holders": holders,
            "limits": limits,
        }
        connections["budget"] = connections["max"] - connections["reserved"]
    return {
        "server": subject,
        "configured": seen.server.configured,
        "administrator": _login(seen.administrator),
        "application": seen.application and _login(seen.application),
        "connections": connections,
        **facts,
    }


def _login(answer: Answer) -> Mapping[str, Any]:
    return {
        "user": answer.user,
        "ok": answer.row is not None,
        "reason": answer.reason,
        "message": answer.said,
        "seconds": round(answer.seconds, 3),
    }


def _administrator(seen: Snapshot, subject: str) -> Iterator[Finding]:
    answer = seen.administrator
    if answer.row is not None:
        return
    evidence = {"user": answer.user, "reason": answer.reason, "message": answer.said}
    if answer.reason == FULL:
        yield Finding(
            id="postgres.connections.exhausted",
            level=CRITICAL,
            subject=subject,
            summary=f"every connection is taken, not even {answer.user} gets in, so nothing more is known: "
            f"{answer.said}",
            evidence=evidence,
        )
    elif answer.reason in DOWN:
        yield Finding(
            id="postgres.server.unreachable",
            level=CRITICAL,
            subject=subject,
            summary=f"nobody gets an answer: {answer.said}"
            + (f" To start it: {seen.server.start_command()}" if answer.reason == STOPPED else ""),
            evidence=evidence,
        )
    elif seen.server.configured:
        yield Finding(
            id="postgres.administrator.refused",
            level=WARNING,
            subject=subject,
            summary=f"nothing is known of its sessions and locks, {answer.user} is not let in: {answer.said}",
            evidence=evidence,
        )
    else:
        yield Finding(
            id="postgres.server.unknown",
            level=NOTICE,
            subject=subject,
            summary=f"a server is there and was not looked into, for firebreak_postgres does not say how to "
            f"get in: {answer.said}",
            evidence=evidence,
        )


def _application(seen: Snapshot, subject: str) -> Iterator[Finding]:
    answer, facts = seen.application, seen.administrator.row
    if answer is None:
        return
    if answer.row is not None:
        if answer.row["read_only"]:
            yield Finding(
                id="postgres.application.read_only",
                level=WARNING,
                subject=subject,
                summary=f"{answer.user} gets in and cannot write: "
                + ("the server is a standby" if facts and facts["in_recovery"] else "it is set read-only"),
                evidence={"user": answer.user, "in_recovery": facts["in_recovery"] if facts else None},
            )
        return
    # One reason, one finding: the server's own says it already.
    if seen.administrator.reason in (*DOWN, FULL):
        return
    if answer.reason == FULL and facts is not None and _full(facts):
        return
    yield Finding(
        id="postgres.application.refused",
        level=CRITICAL,
        subject=subject,
        summary=f"{answer.user}, as which the application logs in, is refused: {answer.said}",
        evidence={"user": answer.user, "reason": answer.reason, "message": answer.said},
    )


def _full(facts: Facts) -> bool:
    return bool(
        facts["used"] >= budget(facts) or any(limit["used"] >= limit["limit"] for limit in facts["limits"])
    )


def _unseen(facts: Facts, subject: str) -> Iterator[Finding]:
    if not facts["sees_all"]:
        yield Finding(
            id="postgres.sessions.unseen",
            level=WARNING,
            subject=subject,
            summary="the administrator is shown its own sessions only, so connections, locks and "
            "transactions are not known. GRANT pg_monitor to it",
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
        )
    elif used >= CONNECTIONS_HIGH * of:
        yield Finding(
            id="postgres.connections.high", level=WARNING, subject=subject, summary=said, evidence=evidence
        )


def _holder(facts: Facts, idle: int) -> str:
    first = facts["holders"][0] if facts["holders"] else None
    share = f", {idle} idle in transaction" if idle else ""
    if first is None:
        return share
    name = f"{first['user']}" + (f" ({first['application']})" if first["application"] else "")
    return f"{share}; most are {name}'s with {first['sessions']}"


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
        summary=f"{speak_count(facts['waiting'], 'session')} wait for locks, the longest for "
        f"{speak_duration(seconds)}, behind {behind}",
        evidence={
            "waiting": facts["waiting"],
            "longest_seconds": round(seconds, 1),
            "root_pids": [root["pid"] for root in roots],
            "roots": roots,
        },
    )


def _root(root: Mapping[str, Any], prepared: Sequence[Mapping[str, Any]]) -> str:
    # The lock manager calls every prepared transaction 0.
    if root["pid"] == 0:
        names = " or ".join(str(one["gid"]) for one in prepared) or "gone by now"
        return f"a prepared transaction ({names}, {root['blocked']} behind it)"
    if root["state"] is None:
        return f"pid {root['pid']} ({root['backend_type'] or 'gone by now'}, {root['blocked']} behind it)"
    since = f" for {speak_duration(root['state_seconds'])}" if root["state_seconds"] is not None else ""
    return f"pid {root['pid']} of {_who(root)} ({root['state']}{since}, {root['blocked']} behind it)"


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
            summary=f"a transaction of {_who(one)} runs for {speak_duration(seconds)}: {one['query']}",
            evidence=one,
        )


def _idle(facts: Facts, subject: str) -> Iterator[Finding]:
    late = [one for one in facts["idle_transactions"] if one["state_seconds"] >= IDLE_SECONDS]
    if not late:
        return
    first = late[0]
    more = f", and {len(late) - 1} more" if len(late) > 1 else ""
    yield Finding(
        id="postgres.transaction.idle",
        level=WARNING if first["state_seconds"] >= IDLE_LONG_SECONDS else NOTICE,
        subject=subject,
        summary=f"pid {first['pid']} of {_who(first)} is idle in transaction for "
        f"{speak_duration(first['state_seconds'])}{more}: it keeps its locks and every dead row since",
        evidence={"sessions": late},
    )


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
            )


def _who(one: Mapping[str, Any]) -> str:
    name = one["user"] or one["backend_type"]
    return f"{name} ({one['application']})" if one["application"] else str(name)
