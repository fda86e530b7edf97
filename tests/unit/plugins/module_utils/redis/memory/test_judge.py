# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import redis
from ansible_collections.firebreak.incident.plugins.module_utils.clients.redis import Address
from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.redis import decide
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.estimate import estimate
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.inform import inform
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.judge import judge
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.model import (
    Client,
    Clients,
    Key,
    Memory,
    Room,
    Sample,
)
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.sample import Drawn
from ansible_collections.firebreak.incident.plugins.module_utils.redis.observe import Snapshot

FIXTURES = Path(__file__).parents[4] / "fixtures" / "redis"
MIB = 1024**2
LIMIT = 64 * MIB
FULL: dict[str, Any] = {"used_memory": LIMIT, "used_memory_dataset": LIMIT - MIB}


def memory(sample: Sample | None = None, later: dict[str, Any] | None = None, **changed: Any) -> Memory:
    info = redis.info((FIXTURES / "info_7.0.txt").read_text())
    info.update({name: str(value) for name, value in changed.items()})
    second = {**info, **{name: str(value) for name, value in (later or {}).items()}}
    seen = Snapshot("redis 127.0.0.1:6379", "127.0.0.1:6379", True, info=info, later=second, interval=1.0)
    return Memory("redis 127.0.0.1:6379", Address(), seen, sample=sample, room=Room(8 * 1024 * MIB))


def sample(*keys: Key, total: int | None = None, caches: tuple[str, ...] = ()) -> Sample:
    drawn = Drawn(0, total or len(keys), len(keys), total is None, keys)
    return estimate([drawn], caches, 0.1)


def session(number: int, size: int = 1000, ttl: float | None = None) -> Key:
    return Key(f"session:{number}", 0, "string", size, ttl is None, ttl)


def found(given: Memory) -> dict[str, Finding]:
    data, findings = inform(given)
    json.dumps(data)
    assert list(findings) == judge(given)
    return {finding.id: finding for finding in findings}


@pytest.mark.parametrize("name", ["info_7.0.txt", "info_8.0.txt"])
def test_a_healthy_server_gives_no_finding(name: str) -> None:
    given = memory(sample(session(1, ttl=60)))
    seen = replace(given.snapshot, info=redis.info((FIXTURES / name).read_text()), later=None)
    assert found(replace(given, snapshot=seen)) == {}


def test_full_is_said_in_the_words_of_triage() -> None:
    given = memory(**FULL)
    assert found(given)["redis.memory.full"] in list(decide.judge(given.snapshot)[1])


def test_the_data_is_named_by_its_patterns_with_the_size_of_the_sample() -> None:
    keys = [session(number, 900) for number in range(98)] + [Key("config", 0, "string", 11_800, True)]
    growth = found(memory(sample(*keys, total=9_900), **FULL))["redis.memory.growth"]
    assert "session:* 88.2 % of the bytes, about 9800 keys, 100 % without TTL" in growth.summary
    assert "(measured on 99 of 9900 keys)" in growth.summary
    assert growth.level == "warning"
    assert growth.remedy is not None
    assert growth.remedy.inputs == {"levers": ["raise"]}


def test_a_declared_cache_is_what_may_go() -> None:
    keys = [session(1, 9000, 60), Key("cache:1", 0, "string", 1000, False, 60.0)]
    growth = found(memory(sample(*keys, caches=("cache:*",)), **FULL))["redis.memory.growth"]
    assert growth.remedy is not None
    assert growth.remedy.inputs == {"levers": ["unlink"], "pattern": "cache:*", "database": 0}


def test_without_room_nothing_is_raised() -> None:
    growth = found(replace(memory(**FULL), room=Room(8 * 1024 * MIB, limit=LIMIT)))["redis.memory.growth"]
    assert growth.remedy is None


def test_sessions_that_never_end_are_named_with_the_ttl_of_the_others() -> None:
    keys = [
        *(session(number) for number in range(90)),
        *(session(number, ttl=3600) for number in range(90, 100)),
    ]
    forgotten = found(memory(sample(*keys), **FULL))["redis.memory.no_ttl"]
    assert "90 % of its keys have no TTL" in forgotten.summary
    assert forgotten.remedy is not None
    assert forgotten.remedy.inputs == {
        "levers": ["ttl"],
        "pattern": "session:*",
        "database": 0,
        "ttl": "3600s",
    }


def test_without_an_example_no_ttl_is_made_up() -> None:
    forgotten = found(memory(sample(session(1)), **FULL))["redis.memory.no_ttl"]
    assert forgotten.remedy is None


def test_data_without_a_ttl_is_data() -> None:
    keys = [Key(f"user:{number}:profile", 0, "hash", 1000, True) for number in range(50)]
    assert "redis.memory.no_ttl" not in found(memory(sample(*keys), **FULL))


def test_data_is_no_finding_while_there_is_room() -> None:
    keys = [session(number, 1000) for number in range(50)]
    assert found(memory(sample(*keys), used_memory=LIMIT // 2, used_memory_dataset=LIMIT // 2)) == {}


def test_one_key_that_holds_all_is_named_unless_its_name_is_a_secret() -> None:
    queue = Key("queue:mail", 0, "list", 40 * MIB, True)
    assert (
        "queue:mail in db0 (list), holds 40.0 MiB"
        in found(memory(sample(queue), **FULL))["redis.memory.big_key"].summary
    )
    token = Key("session:8f3a9c0d1e2b4f5a", 0, "hash", 40 * MIB, True)
    found_token = found(memory(sample(token), **FULL))["redis.memory.big_key"]
    assert "8f3a" not in json.dumps(found_token.as_dict())


def test_what_the_sample_does_not_account_for_is_said() -> None:
    keys = [session(number, 100) for number in range(100)]
    growth = found(memory(sample(*keys, total=10_000), db0="keys=10000,expires=0", **FULL))[
        "redis.memory.growth"
    ]
    assert "few big keys that the sample did not meet" in growth.summary
    assert growth.evidence["unexplained"] > 60 * MIB


def test_buffers_of_clients_are_named_with_who_holds_them() -> None:
    deaf = Client(7, "10.0.0.2:5", "web", "default", "normal", "get", 60, 50, 30 * MIB, 31 * MIB)
    given = memory(used_memory=LIMIT // 2, mem_clients_normal=31 * MIB)
    given = replace(given, clients={"normal": Clients(1, 30 * MIB, 31 * MIB, (deaf,))})
    held = found(given)["redis.memory.clients"]
    assert "client 7 web at 10.0.0.2:5 with 31.0 MiB (get, idle for 50 s)" in held.summary
    assert held.level == "notice"
    assert held.remedy is None


@pytest.mark.parametrize(
    ("changed", "name", "lever"),
    [
        ({"mem_clients_slaves": 20 * MIB, "mem_replication_backlog": MIB}, "replicas", None),
        ({"mem_aof_buffer": 20 * MIB}, "aof", None),
        ({"used_memory_scripts": 20 * MIB, "number_of_cached_scripts": 90_000}, "scripts", None),
        ({"expired_stale_perc": 35.5, "db0": "keys=1000,expires=900"}, "expired", "expire"),
        (
            {"allocator_active": 100 * MIB, "allocator_resident": 300 * MIB, "used_memory_rss": 310 * MIB},
            "allocator",
            "purge",
        ),
        ({"allocator_allocated": 100 * MIB, "allocator_active": 200 * MIB}, "fragmentation", None),
    ],
)
def test_other_causes_are_told_apart_each_with_its_lever(
    changed: dict[str, Any], name: str, lever: str | None
) -> None:
    one = found(memory(used_memory=LIMIT // 2, **changed))[f"redis.memory.{name}"]
    assert one.level == "notice"
    assert (one.remedy.inputs["levers"] if one.remedy else None) == ([lever] if lever else None)
    assert found(memory(**{**FULL, **changed}))[f"redis.memory.{name}"].level == "warning"


def test_purging_is_advised_only_where_the_allocator_can() -> None:
    wasted: dict[str, Any] = {
        "allocator_active": 100 * MIB,
        "allocator_resident": 300 * MIB,
        "used_memory_rss": 310 * MIB,
    }
    assert found(memory(mem_allocator="libc", **wasted))["redis.memory.allocator"].remedy is None


def test_a_server_without_a_limit_says_up_to_where_it_grows() -> None:
    unlimited = found(memory(maxmemory=0))
    assert unlimited["redis.memory.unlimited"].level == "notice"
    assert "8.0 GiB" in unlimited["redis.memory.unlimited"].summary


def test_the_container_is_the_machine_of_a_server_in_it() -> None:
    given = replace(
        memory(maxmemory=0, used_memory_rss=480 * MIB), room=Room(8 * 1024 * MIB, limit=512 * MIB)
    )
    assert "480 of the 512 MiB" in found(given)["redis.memory.high"].summary


def test_a_limit_that_the_container_does_not_have_is_wrong() -> None:
    given = replace(memory(), room=Room(8 * 1024 * MIB, limit=32 * MIB))
    assert found(given)["redis.memory.overcommitted"].level == "warning"


def test_a_policy_for_keys_with_a_ttl_needs_such_keys() -> None:
    wrong: dict[str, Any] = {"maxmemory_policy": "volatile-lru", "db0": "keys=1000,expires=20"}
    assert found(memory(**wrong))["redis.memory.policy"].level == "notice"
    assert found(memory(**{**wrong, "db0": "keys=1000,expires=900"})) == {}


def test_sessions_under_a_policy_that_evicts_anything_are_named() -> None:
    policy: dict[str, Any] = {"maxmemory_policy": "allkeys-lru"}
    keys = (session(1, ttl=60), Key("page:1", 0, "string", 10, True))
    assert found(memory(sample(*keys), **policy))["redis.memory.evictable"].level == "notice"
    evicting = memory(sample(*keys), {"evicted_keys": 70}, **policy)
    assert found(evicting)["redis.memory.evictable"].level == "warning"
    assert found(memory(sample(*keys, caches=("session:*",)), **policy)) == {}


def test_a_replica_gets_no_orders() -> None:
    on_replica = found(memory(sample(session(1, ttl=60)), role="slave", **FULL))
    assert "redis.memory.full" not in on_replica
    assert "make room on its master" in on_replica["redis.memory.high"].summary
    assert {finding.remedy for finding in on_replica.values()} == {None}


def test_a_server_that_loads_is_not_judged() -> None:
    assert list(found(memory(loading=1, **FULL))) == ["redis.server.loading"]


def test_what_could_not_be_seen_is_a_finding() -> None:
    given = replace(memory(), unseen=("MEMORY USAGE of keys: NOPERM",), config_refused="unknown command")
    unseen = found(given)["redis.memory.unseen"]
    assert "MEMORY USAGE of keys: NOPERM; its settings: unknown command" in unseen.summary


def test_writes_refused_are_counted_by_the_second() -> None:
    given = memory(later={"errorstat_OOM": "count=30"}, errorstat_OOM="count=10", **FULL)
    given = replace(given, snapshot=replace(given.snapshot, interval=2.0))
    now = inform(given)[0]["now"]
    assert (now["writes_refused"], now["writes_refused_per_second"]) == (20, 10.0)


def test_writes_refused_are_unknown_where_the_server_does_not_count_them() -> None:
    given = memory()
    old = redis.info((FIXTURES / "info_6.0.txt").read_text())
    now = inform(replace(given, snapshot=replace(given.snapshot, info=old, later=old)))[0]["now"]
    assert (now["writes_refused"], now["writes_refused_total"]) == (None, None)


def test_figures_of_other_versions_that_mean_nothing_break_nothing() -> None:
    found(memory(used_memory="lots", db0="", expired_stale_perc="?", maxmemory="", loading="no"))
