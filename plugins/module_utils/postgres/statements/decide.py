# SPDX-License-Identifier: GPL-3.0-or-later
"""Which statements run for too long, which take the time, and how to have that collected."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ...clients.postgres_session import Row, identifier
from ...finding import NOTICE, WARNING, Finding, Remedy
from ...quantities import GIB, MIB, share, speak_count, speak_duration, speak_size
from ..server import Server, describe
from ..sessions.findings import TOOLS, UPKEEP, name_of
from ..sessions.protection import CLIENT, OURSELVES, Protection
from ..sessions.session import Session
from .observe import Snapshot

PLAYBOOK = "fix_database_performance"
# One statement among many that takes so much of the time is worth a look, once it is more than a moment's.
HEAVY_SHARE, HEAVY_SECONDS = 25.0, 10.0
# What does not fit into work_mem goes to the disk.
SPILLED_BYTES, SPILLED_EACH = GIB, 16 * MIB
_SHOWN = (
    *("pid", "backend_start", "user", "database", "application", "client", "backend_type"),
    *("query_seconds", "transaction_seconds", "wait_event_type", "wait_event", "workers", "query"),
)


def inform(seen: Snapshot, protection: Protection) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    subject = describe(seen.server)
    running = [_run(row, protection) for row in seen.running]
    slow = [row for row in running if not row["expected"] and not row["blocked"]]
    statements = [_statement(row, seen) for row in (seen.collected or {}).get("statements", ())]
    total = _total(seen.collected)
    data = {
        "server": subject,
        "version": seen.here["version"],
        "running": running,
        "running_count": seen.running[0]["of"] if seen.running else 0,
        "slow_pids": [row["pid"] for row in slow if row["protected"] is None],
        "extension": _extension(seen),
        "total": total,
        "statements": statements,
    }
    return data, [
        *_unseen(seen, subject),
        *_running(running, slow, subject),
        *_untracked(seen, subject),
        *_heavy(statements, total, subject),
        *_spilling(statements, subject),
    ]


def enabling(seen: Snapshot) -> Sequence[str]:
    """What is to be done, in order, until statements are collected and can be read; the words to type."""
    here, extension = seen.here, seen.extension
    steps: list[str] = []
    if not here["available"]:
        steps.append(f"install {_package(seen.server, here['version'])}")
    if not here["preloaded"]:
        # Each name in quotes of its own: all in one string are one name, and the server would not start.
        known = [name.strip().strip('"') for name in (here["libraries"] or "").split(",") if name.strip()]
        names = ", ".join("'" + name.replace("'", "''") + "'" for name in [*known, "pg_stat_statements"])
        steps.append(f"ALTER SYSTEM SET shared_preload_libraries = {names};")
        steps.append(f"restart the server, which ends all sessions: {_restart(seen.server)}")
    if extension is None:
        steps.append(f"in database {here['database']}: CREATE EXTENSION pg_stat_statements;")
    if here["track"] == "none":
        steps.append("ALTER SYSTEM SET pg_stat_statements.track = 'top'; SELECT pg_reload_conf();")
    if here["query_id"] == "off":
        steps.append("ALTER SYSTEM SET compute_query_id = 'auto'; SELECT pg_reload_conf();")
    return steps


def _unseen(seen: Snapshot, subject: str) -> Iterator[Finding]:
    user = identifier(seen.server.administrator.user).replace("%%", "%")
    if not seen.here["sees_all"]:
        yield Finding(
            id="postgres.statements.unseen",
            level=WARNING,
            subject=subject,
            summary=f"{seen.server.administrator.user} is shown its own statements only, so what others run "
            f"is not known. GRANT pg_monitor TO {user};",
        )
    elif seen.unread is not None and seen.extension is not None:
        yield Finding(
            id="postgres.statements.unseen",
            level=WARNING,
            subject=subject,
            summary=f"pg_stat_statements in schema {seen.extension.schema} of database "
            f"{seen.extension.database} was not read: {seen.unread}",
        )


def _running(running: Sequence[Row], slow: Sequence[Row], subject: str) -> Iterator[Finding]:
    if slow:
        protected = [row for row in slow if row["protected"]]
        spared = (
            f"; {len(protected)} of them will not be cancelled: {protected[0]['protected']}"
            if protected
            else ""
        )
        yield Finding(
            id="postgres.statement.running",
            level=WARNING,
            subject=subject,
            summary=f"{_said(slow)}{spared}",
            evidence={"statements": list(slow)},
            remedy=Remedy(PLAYBOOK) if len(protected) < len(slow) else None,
        )
    blocked = [row for row in running if row["blocked"] and not row["expected"]]
    if blocked:
        yield Finding(
            id="postgres.statement.waiting",
            level=NOTICE,
            subject=subject,
            summary=f"{_said(blocked)}; what waits for a lock is not slow, whoever holds the lock is",
            evidence={"statements": blocked},
        )
    expected = [row for row in running if row["expected"]]
    if expected:
        yield Finding(
            id="postgres.statement.running",
            level=NOTICE,
            subject=f"{subject}, upkeep",
            summary=f"{_said(expected)}; dumps and upkeep take their time",
            evidence={"statements": expected},
        )


def _said(rows: Sequence[Row]) -> str:
    first = rows[0]
    waits = f", waiting for {first['wait_event_type']} {first['wait_event']}" if first["wait_event"] else ""
    among = f" in {first['database']}" if first["database"] else ""
    what = (
        f"pid {first['pid']} of {name_of(first)}{among} for {speak_duration(first['query_seconds'])}{waits}"
    )
    count = speak_count(len(rows), "statement")
    lead = f"{count} run, the longest {what}" if len(rows) > 1 else f"a statement runs: {what}"
    return f"{lead}: {_short(first['query'])}"


def _untracked(seen: Snapshot, subject: str) -> Iterator[Finding]:
    steps = enabling(seen)
    if not steps:
        return
    where = ""
    if seen.extension is None and seen.unsearched > 0:
        where = f" ({speak_count(seen.unsearched, 'database')} more may have it and were not looked into)"
    yield Finding(
        id="postgres.statements.untracked",
        level=NOTICE,
        subject=subject,
        summary=f"which statements take the time is not known{where}. To have pg_stat_statements collect it: "
        + "; ".join(f"{number}. {step.rstrip(';')}" for number, step in enumerate(steps, 1)),
        evidence={
            "steps": list(steps),
            "preloaded": seen.here["preloaded"],
            "databases": list(seen.searched),
        },
    )


def _heavy(
    statements: Sequence[Mapping[str, Any]], total: Mapping[str, Any] | None, subject: str
) -> Iterator[Finding]:
    since = (total or {}).get("since")
    for one in statements:
        if not one["toplevel"] or one["share"] < HEAVY_SHARE or one["total_seconds"] < HEAVY_SECONDS:
            continue
        yield Finding(
            id="postgres.statement.heavy",
            level=NOTICE,
            subject=f"{subject}, statement {one['id']}",
            summary=f"{one['share']:g} % of all time{f' since {since}' if since else ''} goes to a "
            f"statement of {one['user']} in {one['database']}: {one['calls']} calls of "
            f"{one['mean_seconds'] * 1000:.1f} ms: {_short(one['query'])}",
            evidence=one,
        )


def _spilling(statements: Sequence[Mapping[str, Any]], subject: str) -> Iterator[Finding]:
    for one in statements:
        each = one["temp_bytes"] / max(1, one["calls"])
        if one["temp_bytes"] < SPILLED_BYTES or each < SPILLED_EACH:
            continue
        yield Finding(
            id="postgres.statement.spilling",
            level=NOTICE,
            subject=f"{subject}, statement {one['id']}",
            summary=f"a statement of {one['user']} in {one['database']} writes {speak_size(each)} of "
            f"temporary files at each of its {one['calls']} calls, for its sorts and hashes do not fit into "
            f"work_mem: {_short(one['query'])}",
            evidence=one,
        )


def _run(row: Row, protection: Protection) -> dict[str, Any]:
    application, query = row["application"] or "", row["query"] or ""
    upkeep = row["backend_type"] != CLIENT or TOOLS.match(application) or UPKEEP.match(query)
    return {
        **{name: row[name] for name in _SHOWN},
        "expected": bool(upkeep or application == OURSELVES),
        "blocked": row["wait_event_type"] == "Lock",
        "protected": protection.why_not(Session.of(row)),
    }


def _extension(seen: Snapshot) -> Mapping[str, Any]:
    found, info = seen.extension, (seen.collected or {}).get("info") or {}
    return {
        "available": seen.here["available"],
        "preloaded": seen.here["preloaded"],
        "database": found and found.database,
        "schema": found and found.schema,
        "version": found and found.version,
        "readable": seen.collected is not None,
        "track": seen.here["track"],
        "max": seen.here["max"],
        "deallocated": info.get("dealloc"),
        "io_timing": seen.here["io_timing"],
        "steps": list(enabling(seen)),
    }


def _total(collected: Row | None) -> Mapping[str, Any] | None:
    if collected is None:
        return None
    since = (collected["info"] or {}).get("stats_reset")
    return {
        "seconds": round(collected["seconds"], 3),
        "calls": collected["calls"] or 0,
        "statements": collected["entries"],
        "since": since and f"{since[:19]}Z",
        "since_seconds": collected["since_seconds"],
    }


def _statement(row: Row, seen: Snapshot) -> dict[str, Any]:
    """Without timing, what was read took no time as far as the server knows."""
    total = seen.collected["seconds"] if seen.collected else 0
    touched = row["hit_bytes"] + row["read_bytes"]
    return {
        **row,
        "read_seconds": row["read_seconds"] if seen.here["io_timing"] else None,
        "share": share(row["total_seconds"], total) if total else 0.0,
        "hit_share": share(row["hit_bytes"], touched) if touched else None,
    }


def _short(query: str) -> str:
    text = query.rstrip("; ")
    return text if len(text) <= 200 else f"{text[:200]}…"


def _restart(server: Server) -> str:
    if server.service:
        return f"docker compose restart {server.service.service}"
    return f"systemctl restart {server.unit or 'postgresql@<version>-main'}"


def _package(server: Server, version: str) -> str:
    if server.administrator.container:
        return "an image that has postgresql-contrib"
    return f"postgresql-contrib (Debian: postgresql-{version.split('.')[0].split()[0]})"
