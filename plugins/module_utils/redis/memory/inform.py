# SPDX-License-Identifier: GPL-3.0-or-later
"""What `redis_memory_info` returns. Sizes in bytes, shares in percent."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Mapping, Sequence

from ...clients.redis import shown
from ...deadlines import Deadline
from ...errors import BadInput
from ...finding import Finding
from ...moments import iso_at
from ...quantities import parse_duration, share
from ..entry import SECONDS, reach
from ..figures import Info, memory_data
from .causes import causes, name_of, parts, unexplained
from .judge import judge
from .model import Client, Key, Memory, Pattern, Sample, Sampling
from .observe import SETTINGS, observe

SPEC: Mapping[str, Any] = {
    "database": {"type": "int"},
    "sample_keys": {"type": "int", "default": 10_000, "no_log": False},
    "sample_time": {"type": "str", "default": "5s"},
    "pattern": {"type": "str"},
}
# Of each kind of key so many are returned.
PATTERNS = 20
SHOWN_SETTINGS = ("save", "maxclients", *SETTINGS)
LONGEST_SAMPLE = 300


def look(params: Mapping[str, Any]) -> Memory:
    """At the server of `entry.SPEC`, as `SPEC` wishes. Raises `BadInput`."""
    wish = wished(params)
    server = reach(params)
    return observe(server, replace(wish, caches=server.caches), Deadline(SECONDS + wish.seconds))


def wished(params: Mapping[str, Any]) -> Sampling:
    seconds, keys = parse_duration(params["sample_time"]), params["sample_keys"]
    if not 0 < seconds <= LONGEST_SAMPLE:
        raise BadInput("sample_time", f"{params['sample_time']} is too little or too much", "Give 1s to 5m.")
    if keys < 0:
        raise BadInput("sample_keys", f"{keys} is no number of keys", "Give 0 for no sample, or more.")
    if params["database"] is not None and params["database"] < 0:
        raise BadInput("database", f"{params['database']} is none", "Give 0 or more.")
    return Sampling(keys, float(seconds), params["database"], params["pattern"] or None)


def inform(memory: Memory) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    info, snapshot = memory.info, memory.snapshot
    return {
        "server": {
            "subject": memory.subject,
            "address": str(memory.address),
            "name": info.text("server_name") or "redis",
            "version": info.text("valkey_version") or info.text("redis_version"),
            "role": info.text("role") or None,
            "cluster": memory.cluster,
            "loading": memory.loading,
            "run_id": memory.run_id or None,
            "uptime_seconds": info.number("uptime_in_seconds"),
            "config_file": memory.config_file,
            "ping_seconds": round(snapshot.ping_seconds, 4),
        },
        "memory": {**memory_data(info), "parts": parts(info), "allocator": _allocator(info)},
        "room": {
            "host": memory.room.total,
            "host_available": memory.room.available,
            "limit": memory.room.limit,
            "limit_used": memory.room.limit_used,
        },
        "settings": {name: memory.config.get(name) for name in SHOWN_SETTINGS},
        "settings_refused": memory.config_refused,
        "now": _now(memory),
        "keys": info.databases(),
        "clients": {
            kind: {
                "count": found.count,
                "output": found.output,
                "total": found.total,
                "biggest": [_client(client) for client in found.biggest],
            }
            for kind, found in memory.clients.items()
        },
        "causes": [
            {
                "cause": cause.kind,
                "bytes": cause.bytes,
                "percent_of_used": cause.share,
                "pattern": shown(cause.pattern.pattern) if cause.pattern else None,
            }
            for cause in causes(memory)
        ],
        "sample": _sample(memory, memory.sample) if memory.sample else None,
        "latency": [{**asdict(event), "time": iso_at(event.time)} for event in memory.latency],
        "slow": [
            {"command": one.command, "seconds": one.seconds, "time": iso_at(one.time)}
            for one in sorted(snapshot.slow, key=lambda one: one.seconds, reverse=True)[:PATTERNS]
        ],
        "doctor": memory.doctor,
        "statistics": dict(memory.statistics),
        "unseen": list(memory.unseen),
    }, judge(memory)


def _now(memory: Memory) -> dict[str, Any]:
    """What happened between the two readings of INFO."""
    seconds = memory.snapshot.interval
    refused, evicted, expired = memory.refused(), memory.during("evicted_keys"), memory.during("expired_keys")
    writes = {
        "writes_refused": refused,
        "writes_refused_per_second": round(refused / max(seconds, 0.001), 1),
        "writes_refused_total": memory.later.errors().get("OOM", 0),
    }
    return {
        "seconds": round(seconds, 3),
        **(writes if memory.later.counts_errors else dict.fromkeys(writes)),
        "evicted": evicted,
        "evicted_per_second": round(evicted / max(seconds, 0.001), 1),
        "expired": expired,
        "expired_stale_percent": memory.info.decimal("expired_stale_perc"),
        "expire_time_cap_reached": memory.during("expired_time_cap_reached_count"),
        "commands_per_second": memory.info.number("instantaneous_ops_per_sec"),
    }


def _allocator(info: Info) -> dict[str, Any]:
    allocated, active, resident = (
        info.number(f"allocator_{name}") for name in ("allocated", "active", "resident")
    )
    return {
        "name": info.text("mem_allocator") or None,
        "fragmented": max(0, active - allocated),
        "kept": max(0, resident - active),
    }


def _sample(memory: Memory, sample: Sample) -> dict[str, Any]:
    return {
        "keys": sample.keys,
        "total": sample.total,
        "matching": sample.matching,
        "percent": share(sample.keys, sample.total),
        "complete": sample.complete,
        "seconds": sample.seconds,
        "bytes": sample.bytes,
        "unexplained": unexplained(memory),
        "patterns": [_pattern(one) for one in sample.patterns[:PATTERNS]],
        "patterns_left_out": max(0, len(sample.patterns) - PATTERNS),
        "caches": [_pattern(one) for one in sample.caches],
        "biggest": [_key(one) for one in sample.biggest],
    }


def _pattern(one: Pattern) -> dict[str, Any]:
    return {
        **asdict(one),
        "pattern": shown(one.pattern),
        "types": dict(one.types),
        "biggest": _key(one.biggest),
    }


def _key(one: Key) -> dict[str, Any]:
    return {**asdict(one), "name": name_of(one)}


def _client(one: Client) -> dict[str, Any]:
    return asdict(one)
