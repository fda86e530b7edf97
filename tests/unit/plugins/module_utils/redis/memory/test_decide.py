# SPDX-License-Identifier: GPL-3.0-or-later
"""Which levers are moved, how far, and which are refused with what reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import redis
from ansible_collections.firebreak.incident.plugins.module_utils.clients.redis import Address
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import Decision
from ansible_collections.firebreak.incident.plugins.module_utils.plan import Act
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.decide import (
    EFFORT,
    LEVERS,
    MAXMEMORY,
    POLICY,
    View,
    Wish,
    decide,
)
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.model import (
    Key,
    Memory,
    Pattern,
    Room,
    Sample,
)
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.removal import Tally
from ansible_collections.firebreak.incident.plugins.module_utils.redis.observe import Snapshot

FIXTURES = Path(__file__).parents[4] / "fixtures" / "redis"
INFO = redis.info((FIXTURES / "info_7.0.txt").read_text())
MIB = 1024**2
LIMIT = 64 * MIB
SERVER = {"server": {"host": "127.0.0.1", "port": 6379, "socket": None, "tls": False}}
DEFAULT = ("expire", "purge", "raise")
STALE: dict[str, Any] = {"expired_stale_perc": "40.00", "used_memory": LIMIT // 2}
CONFIG = {MAXMEMORY: str(LIMIT), POLICY: "noeviction", EFFORT: "1", "save": ""}


def memory(config: dict[str, str] | None = None, room: Room | None = None, **changed: Any) -> Memory:
    """Full of sessions, on a host with plenty."""
    full: dict[str, Any] = {
        "used_memory": LIMIT,
        "mem_not_counted_for_evict": 0,
        "used_memory_rss": LIMIT + 10 * MIB,
    }
    full.update(maxmemory=LIMIT, maxmemory_policy="noeviction", db0="keys=1000,expires=1000,avg_ttl=9")
    info = {**INFO, **{name: str(value) for name, value in {**full, **changed}.items()}}
    return Memory(
        subject="redis 127.0.0.1:6379",
        address=Address(),
        snapshot=Snapshot(
            "redis 127.0.0.1:6379",
            "127.0.0.1:6379",
            True,
            info=info,
            config=CONFIG if config is None else config,
        ),
        config_refused="NOPERM" if config == {} else None,
        room=room or Room(total=8192 * MIB, available=4096 * MIB, pid=7),
    )


def wish(*levers: str, **more: Any) -> Wish:
    return Wish(levers=levers or DEFAULT, way_in=SERVER, **more)


def only(decision: Decision) -> Act:
    (act,) = (*decision.plan.acts, *decision.plan.refusals)
    return act


def refusal(view: View | Memory, asked: Wish | None = None) -> str:
    decision = decide(view if isinstance(view, View) else View(view), asked or wish())
    assert decision.plan.acts == ()
    return decision.plan.refusals[0].reason


def counted(matching: int = 1000, lasting: int = 0, **types: int) -> dict[str, Any]:
    survey = Tally(
        matching=matching, lasting=lasting, types=Counter(types or {"string": matching}), whole=True
    )
    return {"survey": survey, "matching": matching}


def pattern(name: str, keys: int = 500, without_ttl: float = 100.0) -> Pattern:
    biggest = Key(name.replace("*", "1"))
    fields: dict[str, Any] = dict.fromkeys(Pattern.__dataclass_fields__)
    fields.update(
        database=0,
        pattern=name,
        sampled=keys,
        keys=keys,
        bytes=keys * 100,
        share=50.0,
        margin=1.0,
        without_ttl=without_ttl,
        types={"string": keys},
        biggest=biggest,
        persistent_bytes=0,
    )
    return Pattern(**{name: value for name, value in fields.items() if name in Pattern.__dataclass_fields__})


class TestRaise:
    def test_a_full_store_is_raised_to_three_quarters_of_use_and_saved(self) -> None:
        decision = decide(View(memory(config_file="/etc/redis/redis.conf")), wish())
        raised, saved = decision.plan.acts
        assert raised.identity["to"] == str(86 * MIB)
        assert raised.identity["run_id"] == INFO["run_id"]
        assert (raised.action, saved.action) == ("redis.maxmemory", "redis.persist")
        assert raised.undo is not None and saved.undo is not None
        assert raised.undo.identity == {**saved.undo.identity, "rewrite": False}
        assert "password" not in str(raised.identity)

    def test_nothing_is_planned_for_a_healthy_server(self) -> None:
        decision = decide(View(memory(used_memory=LIMIT // 2)), wish())
        assert (decision.symptom, decision.plan.acts, decision.plan.refusals) == (0, (), ())

    def test_a_refused_write_outweighs_any_percentage(self) -> None:
        assert decide(View(memory()), wish()).symptom > 100
        assert 0 < decide(View(memory(used_memory=int(LIMIT * 0.9))), wish()).symptom < 15

    def test_a_policy_that_makes_room_is_no_symptom(self) -> None:
        evicting = memory({**CONFIG, POLICY: "allkeys-lru"}, maxmemory_policy="allkeys-lru")
        assert decide(View(evicting), wish()).symptom == 0

    def test_without_a_configuration_file_nothing_is_written_to_one(self) -> None:
        decision = decide(View(memory(config_file="")), wish())
        assert only(decision).action == "redis.maxmemory"

    @pytest.mark.parametrize(
        ("room", "config", "at_most"),
        [
            # What a container may have counts, not the host around it, and a fork needs its part.
            (Room(8192 * MIB, 4096 * MIB, 128 * MIB, 76 * MIB, 7), {**CONFIG, "save": "300 1"}, 75 * MIB),
            (Room(8192 * MIB, 4096 * MIB, 128 * MIB, 90 * MIB, 7), CONFIG, 110 * MIB),
            # The host has little left.
            (Room(1024 * MIB, 60 * MIB, None, None, 7), CONFIG, 72 * MIB),
        ],
    )
    def test_it_is_raised_by_no_more_than_there_is(
        self, room: Room, config: dict[str, str], at_most: int
    ) -> None:
        act = only(decide(View(memory(config, room, config_file="")), wish()))
        assert (act.status, LIMIT < int(act.identity["to"]) <= at_most) == ("planned", True), act

    def test_without_room_it_is_refused_with_the_figures(self) -> None:
        reason = refusal(memory(room=Room(8192 * MIB, 4096 * MIB, 80 * MIB, 76 * MIB, 7)))
        assert reason.startswith(
            "there is no room to raise maxmemory from 64.0 MiB: it can hold 74.0 MiB of the 80.0 MiB"
        )

    def test_on_another_host_nothing_is_raised_blindly(self) -> None:
        assert "nothing is raised blindly" in refusal(memory(room=Room()))
        # In a container that cannot be asked about, the memory of the host is not its own.
        around = Room(total=8192 * MIB, available=4096 * MIB)
        assert "what limits its memory cannot be seen" in refusal(memory(room=around))
        named = only(decide(View(memory(room=Room(), config_file="")), wish(maxmemory=100 * MIB)))
        assert (named.status, named.identity["to"]) == ("planned", str(100 * MIB))

    @pytest.mark.parametrize(
        ("named", "reason"),
        [
            (32 * MIB, "less than the 64.0 MiB in use"),
            (LIMIT, "is 64.0 MiB already"),
            (16 * 1024 * MIB, "is more than is safe"),
        ],
    )
    def test_a_named_limit_is_held_against_the_same_figures(self, named: int, reason: str) -> None:
        assert reason in refusal(memory(), wish(maxmemory=named))

    def test_a_managed_server_is_told_where_to_set_it(self) -> None:
        assert "refuses CONFIG (NOPERM): set it where the server is rented" in refusal(memory(config={}))

    def test_a_replica_is_left_alone_and_its_master_named(self) -> None:
        replica = memory(role="slave", master_host="10.0.0.1", master_port=6379)
        assert "its master 10.0.0.1:6379" in refusal(replica)


class TestMildest:
    def test_what_is_past_due_is_looked_for_harder_until_it_is_taken_back(self) -> None:
        act = only(decide(View(memory(**STALE)), wish()))
        assert (act.action, act.risk, act.identity["to"]) == ("redis.expire_effort", "reversible", "10")
        assert act.undo is not None
        assert (act.undo.action, act.undo.identity["from"]) == ("redis.set_back", "1")

    def test_a_server_that_tries_its_hardest_is_not_asked_for_more(self) -> None:
        hardest = memory({**CONFIG, EFFORT: "10"}, **STALE)
        assert (decide(View(hardest), wish()).symptom, decide(View(hardest), wish()).plan.acts) == (0, ())
        after = decide(View(hardest, done=frozenset(["redis.expire_effort"])), wish())
        assert after.symptom > 0
        assert "redis.expire_effort.raised" in {finding.id for finding in after.findings}

    def test_the_configuration_is_written_before_anything_temporary_is_set(self) -> None:
        both = memory(expired_stale_perc="40.00", config_file="/etc/redis/redis.conf")
        assert [act.action for act in decide(View(both), wish()).plan.acts] == [
            "redis.maxmemory",
            "redis.persist",
            "redis.expire_effort",
        ]

    @pytest.mark.parametrize(("allocator", "planned"), [("jemalloc-5.3.0", True), ("libc", False)])
    def test_only_much_waste_is_purged_and_only_where_the_allocator_can(
        self, allocator: str, planned: bool
    ) -> None:
        waste: dict[str, Any] = {
            "allocator_resident": 300 * MIB,
            "allocator_active": 60 * MIB,
            "used_memory_rss": 310 * MIB,
        }
        wasted = memory(mem_allocator=allocator, used_memory=LIMIT // 2, **waste)
        decision = decide(View(wasted), wish())
        assert [act.action for act in decision.plan.acts] == (["redis.purge"] if planned else [])
        assert (decision.symptom > 0) is planned
        # Fragmentation by ratio is nothing in a small server.
        small = memory(mem_fragmentation_ratio="9.0", used_memory=MIB, used_memory_rss=9 * MIB)
        assert decide(View(small), wish()).plan.acts == ()


class TestKeys:
    def test_a_declared_cache_goes_with_less_leave_than_anything_else(self) -> None:
        view = View(memory(), **counted(5000))
        cache = only(decide(view, wish("unlink", pattern="cache:a:*", caches=["cache:*"])))
        other = only(decide(view, wish("unlink", pattern="session:*", caches=["cache:*"])))
        assert (cache.risk, other.risk) == ("disruptive", "destructive")
        assert "5000 keys (string), not of a declared cache" in other.reason

    def test_the_keys_that_are_there_count_as_the_symptom(self) -> None:
        calm = memory(used_memory=LIMIT // 2)
        assert decide(View(calm, **counted(5000)), wish("unlink", pattern="c:*")).symptom == 5000
        gone = decide(View(calm, **counted(0)), wish("unlink", pattern="c:*"))
        assert (gone.symptom, gone.plan.acts) == (0, ())

    def test_what_could_not_be_counted_is_not_called_done(self) -> None:
        view = View(memory(used_memory=LIMIT // 2), unsurveyed="NOPERM")
        decision = decide(view, wish("unlink", pattern="c:*"))
        assert (decision.symptom, only(decision).status) == (1, "refused")

    def test_a_ttl_is_for_keys_without_one_and_undo_knows_the_moment(self) -> None:
        asked = wish("ttl", pattern="cache:*", ttl=3600, moment=1000, spread=360, caches=["cache:*"])
        calm = memory(used_memory=LIMIT // 2)
        act = only(decide(View(calm, **counted(100, lasting=40)), asked))
        assert "about 40 keys" in act.reason
        assert act.undo is not None
        assert (act.undo.identity["at"], act.undo.identity["spread"]) == (1000, 360)
        # The digest of a plan is the same when it is made again a minute later.
        assert "at" not in act.identity
        assert decide(View(memory(), **counted(100)), asked).plan.acts == ()

    def test_a_ttl_takes_memory_that_must_be_there(self) -> None:
        asked = wish("ttl", pattern="cache:*", ttl=3600, caches=["cache:*"])
        view = View(memory(used_memory=LIMIT - 2 * MIB), **counted(100_000, lasting=100_000))
        assert refusal(view, asked).startswith("a TTL takes memory too, about 6.1 MiB")
        assert decide(view, replace(asked, max_keys=10_000)).plan.acts

    def test_a_flush_names_its_database_and_how_much_is_lost(self) -> None:
        act = only(decide(View(memory()), wish("flush", database=0)))
        assert (act.risk, act.identity["keys"]) == ("destructive", 1000)
        assert "all of its 1000 keys" in act.reason
        assert decide(View(memory()), wish("flush", database=3)).plan.acts == ()


class TestEvict:
    def sampled(self, *patterns: Pattern, **changed: Any) -> Memory:
        keys = sum(one.keys for one in patterns)
        sample = Sample(keys=keys, total=keys, matching=keys, bytes=keys * 100, patterns=patterns)
        return replace(memory(**changed), sample=sample)

    def test_only_declared_caches_may_be_thrown_out(self) -> None:
        caches = self.sampled(pattern("cache:*"))
        act = only(decide(View(caches), wish("evict", policy="allkeys-lru", caches=["cache:*"])))
        assert (act.risk, act.status) == ("disruptive", "planned")
        mixed = self.sampled(pattern("cache:*"), pattern("session:*"))
        reason = refusal(mixed, wish("evict", policy="allkeys-lru", caches=["cache:*"]))
        assert "no declared cache: session:*" in reason

    def test_what_has_no_ttl_is_out_of_reach_of_a_volatile_policy(self) -> None:
        mixed = self.sampled(pattern("cache:*", without_ttl=0.0), pattern("jobs:*"))
        act = only(decide(View(mixed), wish("evict", policy="volatile-lru", caches=["cache:*"])))
        assert act.status == "planned"

    def test_a_few_keys_with_a_ttl_among_thousands_without_are_within_its_reach(self) -> None:
        jobs = replace(pattern("jobs:*", without_ttl=100.0), ttl_seconds=900)
        mixed = self.sampled(pattern("cache:*", without_ttl=0.0), jobs)
        asked = wish("evict", policy="volatile-lru", caches=["cache:*"])
        assert "no declared cache: jobs:*" in refusal(mixed, asked)

    def test_keys_that_were_not_all_looked_at_may_be_lost_and_that_is_destructive(self) -> None:
        caches = self.sampled(pattern("cache:*"))
        assert caches.sample is not None
        partly = replace(caches, sample=replace(caches.sample, total=5_000_000, complete=False))
        act = only(decide(View(partly), wish("evict", policy="allkeys-lru", caches=["cache:*"])))
        assert act.risk == "destructive"
        assert "of the 5000000 there are, others may be lost" in act.reason

    def test_a_database_that_nobody_looked_into_may_hold_anything(self) -> None:
        caches = self.sampled(pattern("cache:*"))
        assert caches.sample is not None
        unmet = replace(caches.sample, databases={0: 10, 3: 5_000_000}, complete=False)
        asked = wish("evict", policy="allkeys-lru", caches=["cache:*"])
        assert "no key of db3 was looked at" in refusal(replace(caches, sample=unmet), asked)

    def test_a_volatile_policy_without_ttls_is_useless(self) -> None:
        lasting = self.sampled(pattern("cache:*"), db0="keys=1000,expires=0,avg_ttl=0")
        reason = refusal(lasting, wish("evict", policy="volatile-lru", caches=["cache:*"]))
        assert reason.startswith("no key has a TTL")

    def test_without_a_sample_nobody_knows(self) -> None:
        assert "could not be looked at" in refusal(memory(), wish("evict", policy="allkeys-lru"))


class TestAfterwards:
    def test_a_refused_write_is_never_resolved(self) -> None:
        calm = memory(used_memory=LIMIT // 2)
        refused = decide(View(calm, probe="OOM", done=frozenset(["redis.maxmemory"])), wish())
        assert refused.symptom > decide(View(calm, **counted(5_000_000)), wish("unlink")).symptom
        assert "redis.probe.refused" in {finding.id for finding in refused.findings}
        assert decide(View(calm, probe="ok"), wish()).symptom == 0

    def test_a_user_without_the_right_to_probe_proves_nothing_either_way(self) -> None:
        decision = decide(View(memory(used_memory=LIMIT // 2), probe="NOPERM"), wish())
        assert decision.symptom == 0
        assert "redis.probe.unknown" in {finding.id for finding in decision.findings}

    @pytest.mark.parametrize(
        ("done", "unsaved"), [(["redis.maxmemory"], True), (["redis.maxmemory", "redis.persist"], False)]
    )
    def test_what_a_restart_forgets_is_said(self, done: list[str], unsaved: bool) -> None:
        view = View(memory(used_memory=LIMIT // 2), probe="ok", done=frozenset(done))
        found = {finding.id for finding in decide(view, wish()).findings}
        assert ("redis.maxmemory.unsaved" in found) is unsaved

    def test_one_node_does_not_speak_for_its_cluster(self) -> None:
        view = View(memory(cluster_enabled=1), probe="ok", done=frozenset(["redis.unlink"]))
        assert "redis.cluster.one_node" in {finding.id for finding in decide(view, wish()).findings}


def test_the_levers_come_mildest_first() -> None:
    assert LEVERS == ("expire", "purge", "raise", "ttl", "unlink", "evict", "flush")
