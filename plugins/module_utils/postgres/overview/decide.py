# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether those who need the server get in, get on and get an answer; then what will stop it later."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ...clients.postgres_session import DOWN, FULL, STOPPED
from ...finding import CRITICAL, NOTICE, WARNING, Finding
from ..locks.findings import judge_locks
from ..locks.inform import facts_of, forest
from ..locks.look import WAITS
from ..locks.snapshot import read
from ..server import describe
from ..sessions.findings import full, judge_sessions
from ..storage.upkeep import judge_upkeep
from .observe import Answer, Snapshot

Facts = Mapping[str, Any]


def judge(seen: Snapshot | None) -> tuple[Mapping[str, Any] | None, Sequence[Finding]]:
    if seen is None:
        return None, ()
    subject = describe(seen.server)
    facts = _facts(seen.administrator.row, subject)
    findings = [*_administrator(seen, subject), *_application(seen, subject)]
    if facts is not None:
        for part in (judge_sessions, judge_locks, judge_upkeep):
            findings += part(facts, subject)
    return _data(seen, facts, subject), findings


def _facts(row: Facts | None, subject: str) -> Facts | None:
    """The row, with who waits for whom in place of what the lock manager says."""
    if row is None:
        return None
    locks = read(row, subject)
    others = {name: value for name, value in row.items() if name not in WAITS.columns}
    return {**others, **facts_of(locks, forest(locks))}


def _data(seen: Snapshot, found: Facts | None, subject: str) -> Mapping[str, Any]:
    facts = dict(found or {})
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
    if answer.reason == FULL and facts is not None and full(facts):
        return
    yield Finding(
        id="postgres.application.refused",
        level=CRITICAL,
        subject=subject,
        summary=f"{answer.user}, as which the application logs in, is refused: {answer.said}",
        evidence={"user": answer.user, "reason": answer.reason, "message": answer.said},
    )
