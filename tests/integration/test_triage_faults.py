# SPDX-License-Identifier: GPL-3.0-or-later
"""A well lab has nothing to complain of; of whatever is broken in it, triage names that and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pytest

from firebreak_lab import FAULTS, Attacker, Lab, begin, broken, end

from .conftest import statuses

HOSTS = ("zekka1", "matrixon1")
# What users feel of an outage.
OUTAGE = frozenset({"workload.http.failing"})
REDIS_DOWN = OUTAGE | {"redis.server.unreachable"}
POSTGRES_DOWN = OUTAGE | {"postgres.server.unreachable", "workload.container.unhealthy"}
# The logs of the last minutes still tell of the fault before.
REMEMBERED = "logs.http.failing"
CPU_SHARED = ("host.pressure.high", "cpu")
SECURITY = {"playbook": "contain_security", "inputs": {}, "cures": True}
BREAK_IN = {"playbook": "contain_security", "inputs": {"threat": "compromise"}, "cures": False}
UNBLOCK = {"playbook": "fix_firewall", "inputs": {"address": "172.29.77.12"}, "cures": True}
LOCKS = {"playbook": "fix_database_locks", "inputs": {}, "cures": True}
MEMORY = {"playbook": "fix_redis_memory", "inputs": {}, "cures": True}
RENEWAL = {"playbook": "fix_certificate", "inputs": {"lineage": "api.zekka.example"}, "cures": True}
ROOM = {"playbook": "fix_disk_space", "inputs": {"path": "/var/tmp"}, "cures": True}
CONNECTIONS = {"playbook": "fix_database_connections", "inputs": {"free_connections": 6}, "cures": True}


@dataclass(frozen=True)
class Expected:
    """The finding of a fault. What follows from it may be critical too, and nothing else."""

    id: str
    says: str
    remedy: Mapping[str, Any] | None = None
    follows: frozenset[str] = frozenset()


OF_FAULT = {
    "redis-stopped": Expected("workload.service.down", "redis", follows=REDIS_DOWN),
    "postgres-stopped": Expected("workload.service.down", "postgres", follows=POSTGRES_DOWN),
    "app-stopped": Expected("workload.service.down", "app", follows=OUTAGE),
    "nginx-stopped": Expected("workload.service.down", "nginx", follows=OUTAGE),
    "fail2ban-stopped": Expected("firewall.fail2ban.down", "fail2ban"),
    "unit-failed": Expected("workload.unit.failed", "lab-nightly"),
    "unit-flapping": Expected("workload.unit.failed", "lab-flapping"),
    "cpu-throttled": Expected("host.cgroup.throttled", "lab-hog"),
    "memory-killed": Expected("workload.unit.failed", "lab-leak"),
    "redis-full": Expected("redis.memory.full", "", MEMORY, follows=OUTAGE),
    "pool-exhausted": Expected(
        "postgres.connections.exhausted", "", CONNECTIONS, follows=OUTAGE | {"postgres.application.refused"}
    ),
    "sessions-blocked": Expected("postgres.sessions.blocked", "3", LOCKS),
    "certificate-expired": Expected("certificate.served.expired", "", RENEWAL, follows=OUTAGE),
    "certificate-not-reloaded": Expected("certificate.served.differs", "reloaded", RENEWAL),
    "disk-full": Expected("host.filesystem.full", "/var/tmp", ROOM),
    "resolver-dead": Expected("network.dns.failing", "127.0.0.9"),
    "neighbour-blocked": Expected("firewall.protected.blocked", "172.29.77.12", UNBLOCK),
    "neighbour-banned": Expected("firewall.protected.blocked", "172.29.77.12", UNBLOCK),
    "database-stopped": Expected("workload.service.down", "postgres", follows=POSTGRES_DOWN),
    "container-crashing": Expected("workload.service.restarting", "lab-crashing"),
    "app-frozen": Expected("workload.service.down", "app", follows=OUTAGE),
    "store-full": Expected(
        "redis.memory.full", "", MEMORY, follows=OUTAGE | {"workload.container.unhealthy"}
    ),
    "engine-frozen": Expected("workload.runtime.unseen", "docker", follows=OUTAGE),
}

# What is broken at the same time. On a host at most one of them is an outage, none hides another, and no two
# have the same finding about the same thing.
TOGETHER = (
    ("redis-stopped", "unit-failed", "neighbour-blocked", "database-stopped"),
    ("postgres-stopped", "fail2ban-stopped", "disk-full", "container-crashing"),
    ("app-stopped", "unit-flapping", "sessions-blocked", "app-frozen"),
    ("nginx-stopped", "resolver-dead", "store-full"),
    ("redis-full", "memory-killed", "certificate-not-reloaded", "engine-frozen"),
    ("pool-exhausted", "neighbour-banned"),
    # Nobody is throttled who waits for a CPU: no other host is looked at meanwhile, on the same machine.
    ("certificate-expired", "cpu-throttled"),
)


@pytest.fixture(scope="module", autouse=True)
def well(lab: Lab) -> Iterator[None]:
    lab.reset()
    yield
    lab.reset()


def findings(play: Callable[..., Any], *hosts: str) -> list[list[dict[str, Any]]]:
    """Of each of the hosts."""
    done = play("triage", limit=",".join(hosts))
    assert (done.code, done.changed()) == (0, 0), done.output
    return [done.result(host, "triage_info")["findings"] for host in hosts]


def check(found: list[dict[str, Any]], *expected: Expected) -> None:
    """All of it is named, and nothing is critical but that and what follows from it."""
    for each in expected:
        named = [one for one in found if one["id"] == each.id and each.says in str(one)]
        assert named, [f"{one['id']}: {one['summary']}" for one in found if one["level"] != "notice"]
        assert named[0]["level"] != "notice"
        assert named[0]["remedy"] == each.remedy
    explained = {REMEMBERED}.union(*({each.id} | each.follows for each in expected))
    assert [
        one["summary"] for one in found if one["level"] == "critical" and one["id"] not in explained
    ] == []


def test_hosts_that_are_well_have_nothing_worse_than_notices(play: Callable[..., Any]) -> None:
    for found in findings(play, *HOSTS):
        # The controller and both hosts share the CPUs here: that one may be waited for is no fault of a host.
        worse = [each for each in found if each["level"] != "notice"]
        assert [each["summary"] for each in worse if (each["id"], each["subject"]) != CPU_SHARED] == []


def test_every_fault_of_the_lab_has_its_finding() -> None:
    assert set(OF_FAULT) == set(FAULTS)
    assert sorted(chain(*TOGETHER)) == sorted(FAULTS)


@contextmanager
def all_broken(lab: Lab, faults: Sequence[str]) -> Iterator[None]:
    with ThreadPoolExecutor(len(faults)) as pool:
        try:
            list(pool.map(lambda fault: begin(lab, fault), faults))
            yield
        finally:
            list(pool.map(lambda fault: end(lab, fault), faults))


@pytest.mark.parametrize("faults", TOGETHER, ids=" ".join)
def test_each_fault_is_named_and_nothing_else_is_critical(
    faults: Sequence[str], lab: Lab, play: Callable[..., Any]
) -> None:
    hosts = [host for host in HOSTS if host in {FAULTS[fault].host for fault in faults}]
    with all_broken(lab, faults):
        found = findings(play, *hosts)
    for host, on_host in zip(hosts, found, strict=True):
        check(on_host, *(OF_FAULT[fault] for fault in faults if FAULTS[fault].host == host))


@contextmanager
def alert(lab: Lab, severity: str) -> Iterator[None]:
    """An alert that fires at the lab's Alertmanager until it is sent again as resolved."""
    body = '[{"labels": {"alertname": "LabAlert", "severity": "%s"}%s}]'
    url = "http://172.29.77.50:9093/api/v2/alerts"

    def send(text: str) -> None:
        post = ["curl", "-sf", "-m", "5", "-H", "Content-Type: application/json", "-d", text, url]
        lab.run("client1", post).check("sending an alert")

    send(body % (severity, ""))
    try:
        yield
    finally:
        send(body % (severity, ', "endsAt": "2026-01-01T00:00:00Z"'))


def test_an_alert_of_the_monitoring_is_repeated(lab: Lab, play: Callable[..., Any]) -> None:
    with alert(lab, "critical"):
        (found,) = findings(play, "zekka1")
    check(found, Expected("monitoring.alert.firing", "LabAlert"))


def test_answers_5xx_are_told_from_the_logs_when_the_outage_is_over(
    lab: Lab, play: Callable[..., Any]
) -> None:
    with broken(lab, "redis-stopped"):
        assert min(statuses(lab, "https://172.29.77.11/api/items", 25)) >= 500
    check(findings(play, "zekka1")[0], Expected("logs.http.failing", ""))


def test_guessing_is_told_from_a_break_in(lab: Lab, attacker: Attacker, play: Callable[..., Any]) -> None:
    lab.reset("zekka1")
    attacker.attack("zekka1", 66)
    check(findings(play, "zekka1")[0], Expected("logins.source.brute_force", "172.29.77.66", SECURITY))
    attacker.failures_then_success("zekka1", 67)
    check(findings(play, "zekka1")[0], Expected("logins.source.success_after_failures", "deploy", BREAK_IN))
