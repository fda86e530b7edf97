# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import redis
from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.redis.decide import judge
from ansible_collections.firebreak.incident.plugins.module_utils.redis.observe import Problem, Slow, Snapshot

FIXTURES = Path(__file__).parents[3] / "fixtures" / "redis"
INFO = redis.info((FIXTURES / "info_7.0.txt").read_text())
LIMIT = 64 * 1024**2
NOW = 1_800_000_000
HEALTHY = Snapshot(
    subject="redis 127.0.0.1:6379",
    address="127.0.0.1:6379",
    configured=True,
    now=NOW,
    info=INFO,
    config={"save": "3600 1", "stop-writes-on-bgsave-error": "yes"},
)


def found(seen: Snapshot) -> dict[str, Finding]:
    data, findings = judge(seen)
    json.dumps(data)
    return {finding.id: finding for finding in findings}


def with_info(later: dict[str, Any] | None = None, **changed: Any) -> Snapshot:
    info = {**INFO, **{name: str(value) for name, value in changed.items()}}
    again = None if later is None else {**info, **{name: str(value) for name, value in later.items()}}
    return replace(HEALTHY, info=info, later=again)


@pytest.mark.parametrize("name", ["info_6.0.txt", "info_7.0.txt", "info_8.0.txt"])
def test_a_healthy_server_gives_no_finding(name: str) -> None:
    seen = replace(HEALTHY, info=redis.info((FIXTURES / name).read_text()))
    data, findings = judge(seen)
    assert list(findings) == []
    assert data is not None
    assert data["memory"]["limit"] == LIMIT
    assert data["role"] == "master"


def test_no_server_is_no_data_and_no_finding() -> None:
    assert judge(None) == (None, [])


@pytest.mark.parametrize(
    ("used", "policy", "ids"),
    [
        (0.5, "noeviction", []),
        (0.9, "noeviction", ["redis.memory.high"]),
        (0.995, "noeviction", ["redis.memory.full"]),
        (1.2, "noeviction", ["redis.memory.full"]),
        # A cache is full all day.
        (1.0, "allkeys-lru", []),
        # Nothing has an end, so nothing may be evicted.
        (1.0, "volatile-lru", ["redis.memory.full"]),
    ],
)
def test_memory_is_judged_by_what_the_policy_lets_go(used: float, policy: str, ids: list[str]) -> None:
    seen = with_info(used_memory=int(used * LIMIT), maxmemory_policy=policy, db0="keys=5,expires=0")
    assert list(found(seen)) == ids


def test_keys_with_an_end_make_room_under_a_volatile_policy() -> None:
    seen = with_info(used_memory=LIMIT, maxmemory_policy="volatile-lru", db0="keys=10,expires=10,avg_ttl=1")
    assert found(seen) == {}


def test_buffers_that_the_server_does_not_count_do_not_make_it_full() -> None:
    seen = with_info(used_memory=int(1.1 * LIMIT), mem_not_counted_for_evict=int(0.5 * LIMIT))
    assert found(seen) == {}


def test_writes_refused_between_two_looks_are_critical_whatever_the_memory() -> None:
    seen = with_info(
        {"errorstat_OOM": "count=9"}, maxmemory_policy="allkeys-lru", errorstat_OOM="count=4", used_memory=1
    )
    full = found(seen)["redis.memory.full"]
    assert (full.level, full.evidence["writes_refused_now"]) == ("critical", 5)


@pytest.mark.parametrize(
    ("release", "said"),
    [("6.0", "this release does not count how many"), ("7.0", "0 since the statistics began")],
)
def test_refused_writes_that_are_not_counted_are_not_told_as_none(release: str, said: str) -> None:
    info = redis.info((FIXTURES / f"info_{release}.txt").read_text())
    full = found(replace(HEALTHY, info={**info, "used_memory": str(LIMIT)}))["redis.memory.full"]
    assert said in full.summary
    assert full.evidence["writes_refused_total"] == {"6.0": None, "7.0": 0}[release]


def test_writes_refused_in_the_past_are_worth_a_notice() -> None:
    past = found(with_info({}, errorstat_OOM="count=4"))
    assert [(finding.id, finding.level) for finding in past.values()] == [("redis.writes.refused", "notice")]


def test_keys_evicted_now_are_told_and_those_of_the_past_are_not() -> None:
    assert found(with_info({}, evicted_keys=100, maxmemory_policy="allkeys-lru")) == {}
    seen = with_info({"evicted_keys": 170}, evicted_keys=100, maxmemory_policy="allkeys-lru")
    assert found(seen)["redis.keys.evicted"].evidence["evicted_now"] == 70


def test_without_maxmemory_the_machine_is_the_limit() -> None:
    seen = with_info(maxmemory=0, total_system_memory=1000, used_memory_rss=800)
    assert list(found(seen)) == ["redis.memory.high"]
    assert found(with_info(maxmemory=0, total_system_memory=1000, used_memory_rss=100)) == {}


def test_a_failed_save_that_stops_writes_is_critical_and_told_once() -> None:
    failed = with_info(rdb_last_bgsave_status="err")
    assert [(f.id, f.level) for f in found(failed).values()] == [("redis.writes.failing", "critical")]


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"save": "", "stop-writes-on-bgsave-error": "yes"},
        {"save": "1 1", "stop-writes-on-bgsave-error": "no"},
    ],
)
def test_a_failed_save_that_stops_no_write_is_a_warning(config: dict[str, str]) -> None:
    failed = replace(with_info(rdb_last_bgsave_status="err"), config=config)
    assert [(f.id, f.level) for f in found(failed).values()] == [("redis.persistence.failing", "warning")]


def test_an_aof_counts_only_where_it_is_on() -> None:
    assert found(with_info(aof_last_write_status="err")) == {}
    assert "redis.writes.failing" in found(with_info(aof_last_write_status="err", aof_enabled=1))
    assert "redis.persistence.failing" in found(with_info(aof_last_bgrewrite_status="err", aof_enabled=1))


def test_a_server_that_loads_is_critical() -> None:
    loading = found(with_info(loading=1, loading_loaded_perc="42.10", loading_eta_seconds=90))
    assert "42.10 % done, about 90 s left" in loading["redis.server.loading"].summary


@pytest.mark.parametrize(("sync", "level"), [(0, "warning"), (1, "notice")])
def test_a_replica_without_its_master_is_told(sync: int, level: str) -> None:
    seen = with_info(
        role="slave",
        master_link_status="down",
        master_host="10.0.0.1",
        master_port=6379,
        master_link_down_since_seconds=-1,
        master_sync_in_progress=sync,
    )
    finding = found(seen)["redis.replica.disconnected"]
    assert finding.level == level
    assert "10.0.0.1:6379 since it started" in finding.summary


def test_a_replica_that_falls_silent_is_told() -> None:
    seen = with_info(slave0="ip=10.0.0.2,port=6379,state=online,offset=1,lag=300", slave_priority=100)
    assert found(seen)["redis.replica.lagging"].evidence == {"replica": "10.0.0.2:6379", "lag_seconds": 300}


def test_writes_sent_to_a_replica_now_are_critical() -> None:
    seen = with_info({"errorstat_READONLY": "count=3"}, role="slave", errorstat_READONLY="count=1")
    assert found(seen)["redis.writes.misdirected"].evidence["refused_now"] == 2


@pytest.mark.parametrize(
    ("connected", "ids"),
    [(10, []), (85, ["redis.clients.high"]), (99, ["redis.clients.exhausted"])],
)
def test_clients_are_held_against_their_limit(connected: int, ids: list[str]) -> None:
    assert list(found(with_info(connected_clients=connected, maxclients=100))) == ids


def test_rejected_connections_of_the_past_are_a_notice() -> None:
    assert found(with_info(rejected_connections=3))["redis.clients.rejected"].level == "notice"


def test_only_slow_commands_of_the_last_hour_count() -> None:
    old, short = Slow(NOW - 4000, 9.0, "KEYS *"), Slow(NOW - 10, 0.02, "GET a")
    assert found(replace(HEALTHY, slow=(old, short))) == {}
    worst = Slow(NOW - 120, 1.5, "KEYS session:…")
    finding = found(replace(HEALTHY, slow=(old, short, worst)))["redis.commands.slow"]
    assert finding.level == "warning"
    assert finding.summary.startswith("KEYS session:… took 1.50 s 2 min ago")
    assert finding.evidence["count"] == 2


def test_a_server_that_forgot_its_password_is_told() -> None:
    assert found(replace(HEALTHY, open_to_all=True))["redis.auth.missing"].level == "warning"


@pytest.mark.parametrize(
    ("kind", "configured", "finding", "level"),
    [
        ("unreachable", True, "redis.server.unreachable", "critical"),
        ("unreachable", False, "redis.server.unreachable", "warning"),
        ("auth", True, "redis.auth.refused", "warning"),
        ("auth", False, "redis.auth.refused", "notice"),
        ("clients", True, "redis.clients.exhausted", "critical"),
        ("busy", True, "redis.server.busy", "critical"),
    ],
)
def test_what_could_not_be_asked_is_never_healthy(
    kind: str, configured: bool, finding: str, level: str
) -> None:
    seen = Snapshot("redis x", "x", configured, Problem(kind, "because"))
    data, findings = judge(seen)
    assert [(one.id, one.level) for one in findings] == [(finding, level)]
    assert data == {"address": "x", "answers": False, "reason": "because"}


def test_odd_values_break_nothing() -> None:
    odd = replace(
        HEALTHY, info={"redis_version": "?", "used_memory": "lots", "errorstat_OOM": "?", "db0": ""}
    )
    assert found(odd) == {}
