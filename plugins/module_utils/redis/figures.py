# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures in a look at a server: what is returned of it, and what is judged."""

from __future__ import annotations

from math import isfinite
from typing import Any, Mapping

from ..clients.redis import fields
from .observe import Slow, Snapshot

SLOW_WINDOW = 3600
# Of the largest number with 64 bits.
DIGITS = 20


class Info:
    """Numbers out of INFO; 0 for what this version does not tell."""

    def __init__(self, found: Mapping[str, str]) -> None:
        self._found = found

    def text(self, name: str) -> str:
        return self._found.get(name, "")

    def number(self, name: str) -> int:
        value = self._found.get(name, "")
        return -whole(value[1:]) if value.startswith("-") else whole(value)

    def decimal(self, name: str) -> float | None:
        """None for inf and nan as well."""
        try:
            value = float(self._found[name])
        except (KeyError, ValueError):
            return None
        return value if isfinite(value) else None

    @property
    def counts_errors(self) -> bool:
        """Redis does since 6.2."""
        return bool(self.text("total_error_replies") or self.errors())

    def errors(self) -> dict[str, int]:
        """How often each kind of error was answered since the statistics were reset, by its code."""
        start = "errorstat_"
        return {
            name[len(start) :]: whole(fields(value).get("count"))
            for name, value in self._found.items()
            if name.startswith(start)
        }

    def databases(self) -> dict[str, dict[str, int]]:
        return {
            name: {kind: whole(fields(value).get(kind)) for kind in ("keys", "expires")}
            for name, value in self._found.items()
            if name.startswith("db") and _is_number(name[2:])
        }


def whole(text: str | None) -> int:
    """0 for what is no number that a server could mean."""
    return int(text) if text and _is_number(text) else 0


def _is_number(text: str) -> bool:
    return len(text) <= DIGITS and text.isascii() and text.isdigit()


def data(seen: Snapshot) -> dict[str, Any]:
    """Of a server that answered. Sizes in bytes; every `…_total` counts since its statistics were reset."""
    info = Info(seen.info)
    slow = within_the_hour(seen)
    worst = max(slow, key=lambda entry: entry.seconds, default=None)
    return {
        "address": seen.address or None,
        "answers": True,
        "ping_seconds": round(seen.ping_seconds, 4),
        "server": info.text("server_name") or "redis",
        "version": info.text("valkey_version") or info.text("redis_version") or None,
        "uptime_seconds": info.number("uptime_in_seconds"),
        "role": info.text("role") or None,
        "memory": memory_data(info),
        "keys": info.databases(),
        "clients": {
            "connected": info.number("connected_clients"),
            "blocked": info.number("blocked_clients"),
            "limit": client_limit(seen),
            "rejected_total": info.number("rejected_connections"),
        },
        "commands": {
            "per_second": info.number("instantaneous_ops_per_sec"),
            "evicted_total": info.number("evicted_keys"),
            "expired_total": info.number("expired_keys"),
            "errors_total": info.errors() if info.counts_errors else None,
            "slow_last_hour": len(slow),
            "slowest": {"command": worst.command, "seconds": worst.seconds} if worst else None,
        },
        "persistence": {
            "loading": info.number("loading") == 1,
            "rdb_last_save_ok": info.text("rdb_last_bgsave_status") != "err",
            "rdb_unsaved_changes": info.number("rdb_changes_since_last_save"),
            "aof_enabled": info.number("aof_enabled") == 1,
            "aof_last_write_ok": info.text("aof_last_write_status") != "err",
            "save": seen.config.get("save"),
        },
        "replication": {
            "link": info.text("master_link_status") or None,
            "replicas": info.number("connected_slaves"),
        },
    }


def memory_data(info: Info) -> dict[str, Any]:
    limit = info.number("maxmemory")
    return {
        "used": info.number("used_memory"),
        "peak": info.number("used_memory_peak"),
        "rss": info.number("used_memory_rss"),
        "limit": limit or None,
        "used_percent": round(used_percent(info), 1) if limit else None,
        "policy": info.text("maxmemory_policy") or None,
        "fragmentation_ratio": info.decimal("mem_fragmentation_ratio"),
    }


def used_percent(info: Info) -> float:
    """Of maxmemory, as the server counts it: buffers to replicas and to the AOF are left out."""
    counted = info.number("used_memory") - info.number("mem_not_counted_for_evict")
    return 100.0 * counted / max(1, info.number("maxmemory"))


def client_limit(seen: Snapshot) -> int | None:
    return Info(seen.info).number("maxclients") or whole(seen.config.get("maxclients")) or None


def within_the_hour(seen: Snapshot) -> list[Slow]:
    return [entry for entry in seen.slow if entry.time > seen.now - SLOW_WINDOW]
