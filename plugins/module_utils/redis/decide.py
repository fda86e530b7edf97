# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a Redis or Valkey server. Pure."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ..clients.redis import fields
from ..finding import CRITICAL, NOTICE, WARNING, Finding, Remedy
from ..quantities import MIB, speak_duration
from .figures import Info, client_limit, data, memory_data, used_percent, whole, within_the_hour
from .observe import AUTH, BUSY, CLIENTS, Problem, Snapshot

# Percent of maxmemory, and of the machine's memory where there is no maxmemory.
# In the last percent the size of a write decides whether it is refused.
MEMORY_HIGH, MEMORY_FULL, MACHINE_HIGH = 85.0, 99.0, 75.0
CLIENTS_HIGH, CLIENTS_FULL = 80.0, 98.0
# One command at a time: while it runs, everybody waits.
SLOW_NOTICE, SLOW_WARNING = 0.1, 1.0
REPLICA_LAG = 60
NO_EVICTION = "noeviction"
PLAYBOOK = "fix_redis_memory"
# Why a server refuses writes that it could store.
REFUSALS: Mapping[str, str] = {"READONLY": "this is a replica", "NOREPLICAS": "too few replicas are in step"}


def judge(seen: Snapshot | None) -> tuple[Mapping[str, Any] | None, Sequence[Finding]]:
    if seen is None:
        return None, []
    if seen.problem:
        unknown = {"address": seen.address or None, "answers": False, "reason": seen.problem.reason}
        return unknown, [_unknown(seen, seen.problem)]
    findings = [
        *loading(seen),
        *memory(seen),
        *_writes(seen),
        *_persistence(seen),
        *_replication(seen),
        *_clients(seen),
        *_slow(seen),
        *_open(seen),
    ]
    return data(seen), findings


def _unknown(seen: Snapshot, problem: Problem) -> Finding:
    kind, reason = problem.kind, problem.reason
    evidence = {"address": seen.address or None, "reason": reason}
    if kind == AUTH and not seen.configured:
        return Finding(
            id="redis.auth.refused",
            level=NOTICE,
            subject=seen.subject,
            summary="a Redis server runs here and asks for a password; nothing is known of its memory, its "
            "errors and its persistence until firebreak_redis has the password",
            evidence=evidence,
        )
    if kind == AUTH:
        return Finding(
            id="redis.auth.refused",
            level=WARNING,
            subject=seen.subject,
            summary=f"the server refuses the login of firebreak_redis ({reason}): nothing is known of its "
            f"state, and who uses the same password is refused as well",
            evidence=evidence,
        )
    if kind == CLIENTS:
        return Finding(
            id="redis.clients.exhausted",
            level=CRITICAL,
            subject=seen.subject,
            summary=f"the server takes no more clients: {reason}",
            evidence=evidence,
        )
    if kind == BUSY:
        return Finding(
            id="redis.server.busy",
            level=CRITICAL,
            subject=seen.subject,
            summary=f"a script does not end and nothing else is answered: {reason}",
            evidence=evidence,
        )
    return Finding(
        id="redis.server.unreachable",
        level=CRITICAL if seen.configured else WARNING,
        subject=seen.subject,
        summary=f"the server does not answer: {reason}",
        evidence=evidence,
    )


def loading(seen: Snapshot) -> Iterator[Finding]:
    info = Info(seen.info)
    if info.number("loading") != 1:
        return
    left = info.number("loading_eta_seconds")
    yield Finding(
        id="redis.server.loading",
        level=CRITICAL,
        subject=seen.subject,
        summary=f"the server still reads its data from disk, {info.text('loading_loaded_perc') or '0'} % "
        f"done, about {speak_duration(left)} left; every command is refused until then",
        evidence={"loaded_bytes": info.number("loading_loaded_bytes"), "seconds_left": left},
    )


def memory(seen: Snapshot, most: int | None = None) -> Iterator[Finding]:
    """Whether there is room. `most` is what it can have where it runs: INFO knows nothing of containers."""
    info = Info(seen.info)
    limit, policy = info.number("maxmemory"), info.text("maxmemory_policy")
    if not limit:
        yield from _machine(seen.subject, info, most or info.number("total_system_memory"))
        return
    percent, refused_now = used_percent(info), _more(seen, "OOM")
    total = info.errors().get("OOM", 0)
    refused = {"writes_refused_now": refused_now, "writes_refused_total": total}
    evidence = {**memory_data(info), **(refused if info.counts_errors else dict.fromkeys(refused))}
    counted = (
        f"{total} since the statistics began, {refused_now} in the last {seen.interval:.2g} s"
        if info.counts_errors
        else "this release does not count how many"
    )
    state = f"{info.number('used_memory') / MIB:.0f} of {limit / MIB:.0f} MiB in use ({percent:.0f} %)"
    no_room = lets_nothing_go(info)
    if info.text("role") == "slave":
        if no_room and percent >= MEMORY_HIGH:
            yield Finding(
                id="redis.memory.high",
                level=WARNING,
                subject=seen.subject,
                summary=f"{state}; a replica takes what its master sends, but as a master it would refuse "
                f"writes: make room on its master",
                evidence=evidence,
            )
    elif refused_now or (no_room and percent >= MEMORY_FULL):
        yield Finding(
            id="redis.memory.full",
            level=CRITICAL,
            subject=seen.subject,
            summary=f"memory is full: {state}, policy {policy} lets nothing go, so writes are refused "
            f"({counted})",
            evidence=evidence,
            remedy=Remedy(PLAYBOOK),
        )
    elif no_room and percent >= MEMORY_HIGH:
        yield Finding(
            id="redis.memory.high",
            level=WARNING,
            subject=seen.subject,
            summary=f"{state}, and policy {policy} lets nothing go: at 100 % every write is refused",
            evidence=evidence,
            remedy=Remedy(PLAYBOOK),
        )
    elif total:
        yield Finding(
            id="redis.writes.refused",
            level=NOTICE,
            subject=seen.subject,
            summary=f"{total} writes were refused for lack of memory since the statistics began, none now; "
            f"{state}",
            evidence=evidence,
        )
    evicted = _later_number(seen, "evicted_keys") - info.number("evicted_keys")
    if seen.later is not None and evicted > 0:
        yield Finding(
            id="redis.keys.evicted",
            level=NOTICE,
            subject=seen.subject,
            summary=f"keys are thrown out to make room: {evicted} in {seen.interval:.2g} s ({policy}). "
            f"Right for a cache, lost sessions or jobs for anything else",
            evidence={**evidence, "evicted_now": evicted, "evicted_total": info.number("evicted_keys")},
        )


def lets_nothing_go(info: Info) -> bool:
    """Whether the eviction policy finds nothing that it may evict."""
    policy = info.text("maxmemory_policy")
    with_ttl = sum(database["expires"] for database in info.databases().values())
    return policy in ("", NO_EVICTION) or (policy.startswith("volatile") and not with_ttl)


def _machine(subject: str, info: Info, most: int) -> Iterator[Finding]:
    used = info.number("used_memory_rss")
    if most and 100.0 * used / most >= MACHINE_HIGH:
        yield Finding(
            id="redis.memory.high",
            level=WARNING,
            subject=subject,
            summary=f"without maxmemory it holds {used / MIB:.0f} of the {most / MIB:.0f} MiB where it runs: "
            f"the kernel will kill it, or its neighbours, before it refuses anything",
            evidence={**memory_data(info), "most": most},
            remedy=Remedy(PLAYBOOK),
        )


def _writes(seen: Snapshot) -> Iterator[Finding]:
    """Writes that are refused for another reason than memory."""
    for code, reason in REFUSALS.items():
        now = _more(seen, code)
        if now:
            yield Finding(
                id="redis.writes.misdirected",
                level=CRITICAL,
                subject=seen.subject,
                summary=f"writes are refused now, {now} in {seen.interval:.2g} s, because {reason} ({code})",
                evidence={"code": code, "refused_now": now, "role": Info(seen.info).text("role")},
            )


def _rdb_fails(info: Info) -> bool:
    return info.text("rdb_last_bgsave_status") == "err"


def _rdb_stops_writes(seen: Snapshot) -> bool:
    """Only where it is known: a user without CONFIG does not see it."""
    return bool(seen.config.get("save")) and seen.config.get("stop-writes-on-bgsave-error") == "yes"


def _persistence_evidence(info: Info) -> dict[str, Any]:
    return {
        "rdb_last_bgsave_status": info.text("rdb_last_bgsave_status"),
        "rdb_last_save_time": info.number("rdb_last_save_time"),
        "rdb_changes_since_last_save": info.number("rdb_changes_since_last_save"),
        "aof_last_write_status": info.text("aof_last_write_status"),
        "aof_last_bgrewrite_status": info.text("aof_last_bgrewrite_status"),
    }


def _persistence(seen: Snapshot) -> Iterator[Finding]:
    info = Info(seen.info)
    aof = info.number("aof_enabled") == 1
    aof_fails = aof and info.text("aof_last_write_status") == "err"
    if aof_fails or _more(seen, "MISCONF") or (_rdb_fails(info) and _rdb_stops_writes(seen)):
        cause = "append to its AOF" if aof_fails else "save its data (BGSAVE)"
        yield Finding(
            id="redis.writes.failing",
            level=CRITICAL,
            subject=seen.subject,
            summary=f"every write is refused (MISCONF), because the server cannot {cause}: see its log, most "
            f"often the disk is full or the directory is not its own",
            evidence=_persistence_evidence(info),
        )
    elif _rdb_fails(info) or (aof and info.text("aof_last_bgrewrite_status") == "err"):
        what = "save to disk (BGSAVE)" if _rdb_fails(info) else "rewriting of the AOF"
        unsaved = info.number("rdb_changes_since_last_save")
        yield Finding(
            id="redis.persistence.failing",
            level=WARNING,
            subject=seen.subject,
            summary=f"the last {what} failed; {unsaved} changes since the last good save are lost if it "
            f"restarts",
            evidence=_persistence_evidence(info),
        )


def _replication(seen: Snapshot) -> Iterator[Finding]:
    info = Info(seen.info)
    if info.text("role") == "slave" and info.text("master_link_status") == "down":
        down = info.number("master_link_down_since_seconds")
        master = f"{info.text('master_host')}:{info.text('master_port')}"
        syncs = info.number("master_sync_in_progress") == 1
        for_long = f"for {speak_duration(down)}" if down >= 0 else "since it started"
        yield Finding(
            id="redis.replica.disconnected",
            level=NOTICE if syncs else WARNING,
            subject=seen.subject,
            summary=f"no link to its master {master} {for_long}"
            + ("; it is being copied anew" if syncs else ": what it answers is old"),
            evidence={"master": master, "down_seconds": down, "syncing": syncs},
        )
    for name, value in seen.info.items():
        if name.startswith("slave") and name[5:].isdigit():
            yield from _replica(seen.subject, fields(value))


def _replica(subject: str, replica: Mapping[str, str]) -> Iterator[Finding]:
    lag = whole(replica.get("lag"))
    if replica.get("state") == "online" and lag > REPLICA_LAG:
        where = f"{replica.get('ip', '?')}:{replica.get('port', '?')}"
        yield Finding(
            id="redis.replica.lagging",
            level=WARNING,
            subject=subject,
            summary=f"its replica {where} was last heard of {speak_duration(lag)} ago",
            evidence={"replica": where, "lag_seconds": lag},
        )


def _clients(seen: Snapshot) -> Iterator[Finding]:
    info, limit = Info(seen.info), client_limit(seen)
    connected, rejected = info.number("connected_clients"), info.number("rejected_connections")
    evidence = {"connected": connected, "limit": limit, "rejected_total": rejected}
    percent = 100.0 * connected / limit if limit else 0.0
    if percent >= CLIENTS_FULL:
        yield Finding(
            id="redis.clients.exhausted",
            level=CRITICAL,
            subject=seen.subject,
            summary=f"{connected} of {limit} clients are connected; the next ones are turned away "
            f"({rejected} were since the statistics began)",
            evidence=evidence,
        )
    elif percent >= CLIENTS_HIGH:
        yield Finding(
            id="redis.clients.high",
            level=WARNING,
            subject=seen.subject,
            summary=f"{connected} of {limit} clients are connected; {rejected} were turned away since the "
            f"statistics began",
            evidence=evidence,
        )
    elif rejected:
        yield Finding(
            id="redis.clients.rejected",
            level=NOTICE,
            subject=seen.subject,
            summary=f"{rejected} connections were turned away since the statistics began; {connected} of "
            f"{limit} clients are connected now",
            evidence=evidence,
        )


def _slow(seen: Snapshot) -> Iterator[Finding]:
    recent = within_the_hour(seen)
    worst = max(recent, key=lambda entry: entry.seconds, default=None)
    if worst is None or worst.seconds < SLOW_NOTICE:
        return
    together = sum(entry.seconds for entry in recent)
    ago = speak_duration(seen.now - worst.time)
    yield Finding(
        id="redis.commands.slow",
        level=WARNING if worst.seconds >= SLOW_WARNING else NOTICE,
        subject=seen.subject,
        summary=f"{worst.command} took {worst.seconds:.2f} s {ago} ago, and everybody waited; {len(recent)} "
        f"slow commands within the hour, {together:.1f} s together",
        evidence={
            "slowest": worst.command,
            "slowest_seconds": worst.seconds,
            "count": len(recent),
            "total_seconds": round(together, 3),
        },
    )


def _open(seen: Snapshot) -> Iterator[Finding]:
    if seen.open_to_all:
        yield Finding(
            id="redis.auth.missing",
            level=WARNING,
            subject=seen.subject,
            summary="the server asks for no password, although firebreak_redis has one for it: whoever "
            "reaches it may read and change everything",
            evidence={"address": seen.address},
        )


def _later_number(seen: Snapshot, name: str) -> int:
    return Info(seen.later or {}).number(name)


def _more(seen: Snapshot, code: str) -> int:
    """How many more errors of a kind the second look saw."""
    if seen.later is None:
        return 0
    return max(0, Info(seen.later).errors().get(code, 0) - Info(seen.info).errors().get(code, 0))
