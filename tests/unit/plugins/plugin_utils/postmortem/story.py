# SPDX-License-Identifier: GPL-3.0-or-later
"""A night with two hosts, as everybody who records would have recorded it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.desk import WORDS, Said, opening
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import Draft
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.timeline import Running
from ansible_collections.firebreak.incident.plugins.plugin_utils.severity.site import Scale

ID = "incident-20261121-220107"
START = datetime(2026, 11, 21, 22, 1, 7, tzinfo=UTC)
# Markup, a formula, turned-round text and the end of everything that text may be put into.
EVIL = "<script>alert(1)</script>'\"]]>|`*_#[x](javascript:x)\u202eexe.\x1b[2J\r\n<img src=//evil.test/x>"


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def when(minutes: float) -> str:
    return iso(at(minutes))


def said(minutes: float, word: str, **data: Any) -> Draft:
    actor = data.pop("actor", "ann@control")
    return Draft(f"{word}-{minutes}", when(minutes), WORDS[word], actor, None, {"text": "", **data})


def finding(name: str, level: str, subject: str, summary: str) -> dict[str, Any]:
    return {"id": name, "level": level, "subject": subject, "summary": summary, "evidence": {}}


def act(
    action: str, target: str, status: str = "done", undo: str | None = None, **given: Any
) -> dict[str, Any]:
    identity = {"object": target}
    back = {"action": undo, "identity": identity} if undo else None
    told = {"action": action, "target": target, "identity": identity, "risk": "disruptive", "status": status}
    return {**told, "reason": "it was in the way", "undo": back, **given}


def node(depth: int, pid: int, behind: int, **given: Any) -> dict[str, Any]:
    wanted = {"kind": "relation", "mode": "AccessExclusiveLock", "relation": "orders", "database": "shop"}
    known: dict[str, Any] = {
        "depth": depth,
        "pid": pid,
        "gid": None,
        "user": "web",
        "application": "checkout",
        "client": "192.0.2.14",
        "backend_type": "client backend",
        "state": "active" if depth else "idle in transaction",
        "state_seconds": 840.0,
        "wanted": {**wanted, "object": None} if depth else None,
        "waiting_seconds": 95.0 if depth else None,
        "waiting_behind": behind,
        "blocked_by": [],
        "circular": False,
        "query": "UPDATE orders SET state = 'paid' WHERE id = 4711",
    }
    return {**known, **given}


TREE = [
    node(0, 4250, 14),
    node(1, 4311, 12, query="ALTER TABLE orders ADD COLUMN note text"),
    *(node(2, 4400 + number, 0, query="SELECT * FROM orders WHERE id = $1") for number in range(12)),
    node(1, 4312, 0, application="report"),
]
SLOW = finding(
    "postgres.sessions.blocked", "critical", "shop on db1", "15 sessions wait for locks, the longest for 95 s"
)
FULL = finding("host.disk.full", "warning", "/var on db1", "/var is 91 % full, 4.1 GiB are left")
FLOOD = finding("http.errors.many", "critical", "nginx on web1", "12 % of the requests fail with 504")
GUESSES = finding(
    "ssh.logins.guessed", "warning", f"sshd on web1, user {EVIL}", f"412 guesses from 203.0.113.9 for {EVIL}"
)


def message(minutes: float, what: str, audience: str, kind: str = "message.sent", **given: Any) -> Draft:
    key = f"message:{what}:{audience}"
    told = {
        "notification": key,
        "event": what,
        "audience": audience,
        "person": None,
        "role": None,
        "because": "",
        "address": "Slack 3fa9c1",
        "deadline": when(minutes + 5),
        "delivery": f"{key}@1",
        "attempt": 1,
        **given,
    }
    return Draft(f"{key}#{kind}{minutes}", when(minutes), kind, "escalate@control", None, told)


def run(
    minutes: float, playbook: str, results: Sequence[tuple[str, Mapping[str, Any]]], **given: Any
) -> Iterator[Draft]:
    """Its hosts are those of the results, `hosts` names more; each task takes a few seconds."""
    running = Running(f"run-{playbook}-{minutes:g}", playbook, "ann@control", given.get("check", False))
    yield running.started(when(minutes))
    for number, (host, result) in enumerate(results, 1):
        yield from running.told(when(minutes + number * 0.1), host, f"task{number}", result)
    hosts = {*given.get("hosts", ()), *(host for host, _result in results)}
    stats = {host: {"ok": 3, "failures": 0, "unreachable": 0} for host in sorted(hosts)}
    yield running.finished(when(minutes + 0.1 * (len(results) + 1)), stats)


def opened(**given: Any) -> Draft:
    facts = {"error_percent": "10-15", "revenue_per_hour": 2500, "services": ["payment"]}
    title = "The shop answers with 504"
    told = {"title": title, "detected": when(0), "facts": facts, **given}
    return opening(Said("open", "open", "ann@control", at(2), **told), Scale())


def night() -> list[Draft]:
    """Acknowledged after 24 minutes, 9 too late; one block taken back; resolved, closed two days later."""
    locks = {"waiting": 14, "tree": TREE}
    return [
        opened(),
        message(3, "page", "person", person="ben", role="primary", address="PagerDuty 77aa01"),
        message(4, "initial", "incidents"),
        message(
            18,
            "escalation",
            "person",
            person="cleo",
            role="secondary",
            address="SMS 12be90",
            deadline=when(15),
        ),
        message(19, "initial", "status_page", address="status page", deadline=when(15)),
        said(24, "acknowledge", actor="cleo@control"),
        said(25, "role", role="incident_commander", person="cleo"),
        *run(26, "triage", [("db1", {"findings": [SLOW, FULL]}), ("web1", {"findings": [FLOOD, GUESSES]})]),
        said(30, "note", text=f"A deploy at 21:40 added a column; the log says {EVIL}"),
        *run(
            33,
            "contain_security",
            [
                (
                    "web1",
                    {
                        "actions": [
                            act(
                                "firewall.block", "203.0.113.9", undo="firewall.unblock", reason="412 guesses"
                            ),
                            act("firewall.block", "192.0.2.14", undo="firewall.unblock", reason="40 guesses"),
                            act("accounts.lock", "deploy", "refused", reason="it is protected here"),
                        ],
                        "verdict": "improved",
                        "before": {"guessing": 2},
                        "after": {"guessing": 0},
                    },
                )
            ],
        ),
        said(34, "contain"),
        *run(
            36,
            "undo",
            [
                (
                    "web1",
                    {
                        "actions": [
                            act(
                                "firewall.unblock",
                                "192.0.2.14",
                                undo="firewall.block",
                                reason="that is checkout",
                            )
                        ]
                    },
                )
            ],
        ),
        said(
            40,
            "update",
            text="Locks in the database hold up checkout. We are ending the transaction behind it.",
        ),
        message(41, "update", "incidents"),
        message(
            42,
            "update",
            "customers",
            "message.failed",
            outcome="refused",
            why="the server said 451",
            address="SMTP 0be1",
        ),
        *run(
            47,
            "fix_database_locks",
            [
                (
                    "db1",
                    {
                        "actions": [
                            act(
                                "postgres.terminate",
                                "pid 4250",
                                reason="14 behind it; idle in transaction for 14 min",
                            ),
                            act("postgres.cancel", "pid 4312", "failed", reason="it had ended"),
                        ],
                        "verdict": "resolved",
                        "before": locks,
                        "after": {"waiting": 0, "tree": []},
                    },
                )
            ],
        ),
        *run(55, "triage", [("db1", {"findings": [FULL]})], hosts=("web1",)),
        message(56, "update", "incidents", deadline=when(54)),
        said(88, "resolve", resolution="The transaction behind the others was ended."),
        message(89, "resolution", "status_page", address="status page"),
        said(2 * 1440 + 300, "close"),
    ]
