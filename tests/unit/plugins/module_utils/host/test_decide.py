# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Space
from ansible_collections.firebreak.incident.plugins.module_utils.host.decide import judge
from ansible_collections.firebreak.incident.plugins.module_utils.host.filesystems import Filesystem
from ansible_collections.firebreak.incident.plugins.module_utils.host.observe import (
    Memory,
    Oom,
    OomKill,
    Snapshot,
    Usage,
)
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import GIB, MIB

KILL = OomKill(pid=4242, name="node", seconds_ago=720.0, in_cgroup=False)
HOG = Usage(4242, "node", "zekka", "zekka.service", "R", 180.0, 12 * GIB)


def snapshot(**given: Any) -> Snapshot:
    return Snapshot(**{"interval": 0.4, "cpus": 4, **given})


def memory(available: int, total: int = 16 * GIB, **given: Any) -> Memory:
    return Memory(total=total, available=available, swap_total=0, swap_free=0, **given)


def filesystem(point: str = "/var", **given: Any) -> Filesystem:
    space = {
        "total": 100 * GIB,
        "free": 50 * GIB,
        "available": 45 * GIB,
        "inodes": 1_000_000,
        "inodes_available": 900_000,
    }
    flags = {name: given.pop(name) for name in ("read_only", "remounted") if name in given}
    return Filesystem(
        point,
        "ext4",
        "/dev/sda1",
        Space(**{**space, **given}),
        flags.get("read_only", False),
        flags.get("remounted", False),
    )


def found(seen: Snapshot) -> list[tuple[str, str]]:
    return [(finding.id, finding.level) for finding in judge(seen)[1]]


QUIET = snapshot(
    load=(0.5, 0.4, 0.3),
    steal=0.0,
    pressure={"cpu": {"some": 3.0, "full": 0.0}, "io": {"some": 1.0, "full": 1.0}},
    memory=memory(8 * GIB),
    swap_in=0.0,
    oom=Oom(0, 0, ()),
    filesystems=(filesystem(),),
)


def test_a_healthy_host_has_no_findings() -> None:
    assert found(QUIET) == []


@pytest.mark.parametrize(
    ("pressure", "level"),
    [
        ({"cpu": {"some": 49.9}}, None),
        ({"cpu": {"some": 50.0}}, "warning"),
        ({"cpu": {"some": 99.0, "full": 99.0}}, "warning"),
        ({"memory": {"some": 19.0, "full": 9.0}}, None),
        ({"memory": {"some": 20.0, "full": 0.0}}, "warning"),
        ({"memory": {"some": 12.0, "full": 10.0}}, "warning"),
        ({"memory": {"some": 80.0, "full": 40.0}}, "critical"),
        ({"io": {"some": 49.0, "full": 19.0}}, None),
        ({"io": {"some": 70.0, "full": 60.0}}, "critical"),
        ({}, None),
    ],
)
def test_pressure_is_judged_by_resource(pressure: dict[str, dict[str, float]], level: str | None) -> None:
    expected = [("host.pressure.high", level)] if level else []
    assert found(snapshot(pressure=pressure)) == expected


def test_the_process_to_blame_is_named_with_its_unit() -> None:
    summary = judge(snapshot(pressure={"cpu": {"some": 90.0}}, by_cpu=(HOG,)))[1][0].summary
    assert "node (pid 4242 of zekka.service) with 180 % of a CPU" in summary


def test_a_process_that_does_little_is_not_blamed() -> None:
    little = Usage(7, "sh", "root", None, "S", 2.0, MIB)
    summary = judge(snapshot(pressure={"cpu": {"some": 90.0}}, by_cpu=(little,)))[1][0].summary
    assert "pid 7" not in summary


@pytest.mark.parametrize(
    ("load", "pressure", "expected"),
    [
        ((9.0, 8.5, 2.0), {}, [("host.load.high", "warning")]),
        ((9.0, 7.9, 2.0), {}, []),
        ((7.9, 9.0, 9.0), {}, []),
        ((90.0, 90.0, 90.0), {"cpu": {"some": 1.0}}, []),
    ],
    ids=["high", "only just now", "over already", "pressure knows better"],
)
def test_load_counts_only_where_pressure_is_not_measured(
    load: tuple[float, float, float], pressure: Any, expected: list[tuple[str, str]]
) -> None:
    assert found(snapshot(load=load, pressure=pressure)) == expected


@pytest.mark.parametrize(("steal", "count"), [(None, 0), (19.0, 0), (20.0, 1)])
def test_steal_is_the_hypervisors_doing(steal: float | None, count: int) -> None:
    assert found(snapshot(steal=steal)) == [("host.cpu.stolen", "warning")] * count


@pytest.mark.parametrize(
    ("seen", "level"),
    [
        (memory(int(1.7 * GIB)), None),
        (memory(int(1.5 * GIB)), "warning"),
        (memory(int(0.4 * GIB)), "critical"),
        (memory(8 * GIB, limit=GIB, limit_used=GIB - 10 * MIB), "critical"),
        (memory(8 * GIB, limit=GIB, limit_used=GIB // 2), None),
        (memory(GIB // 4, limit=GIB, limit_used=GIB // 2), "critical"),
        (memory(8 * GIB, limit=32 * GIB, limit_used=32 * GIB), None),
    ],
    ids=["room", "low", "out", "at the limit", "below the limit", "host out", "limit above the host"],
)
def test_memory_is_judged_by_what_is_available(seen: Memory, level: str | None) -> None:
    assert found(snapshot(memory=seen)) == ([("host.memory.low", level)] if level else [])


@pytest.mark.parametrize(("rate", "count"), [(None, 0), (4.0 * MIB - 1, 0), (4.0 * MIB, 1)])
def test_swapping_in_is_a_warning(rate: float | None, count: int) -> None:
    assert found(snapshot(swap_in=rate)) == [("host.memory.swapping", "warning")] * count


@pytest.mark.parametrize(
    ("oom", "level", "said"),
    [
        (Oom(0, 0, ()), None, ""),
        (Oom(0, 0, None), None, ""),
        (Oom(7, 0, ()), None, ""),
        (
            Oom(7, 0, None),
            "notice",
            "7 processes killed for lack of memory since boot (2.0 days); when is not",
        ),
        (Oom(7, 1, None), "critical", "1 process killed for lack of memory just now"),
        (
            Oom(2, 0, (KILL, KILL)),
            "critical",
            "(node 2 times), 0 at the limit of their cgroup; the last 12 min",
        ),
    ],
    ids=["none", "none, unread", "long ago", "unknown when", "just now", "within the hour"],
)
def test_oom_kills_are_critical_when_they_are_recent(oom: Oom, level: str | None, said: str) -> None:
    findings = judge(snapshot(oom=oom, uptime=2 * 86400.0))[1]
    assert [finding.level for finding in findings] == ([level] if level else [])
    assert all(said in finding.summary for finding in findings)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (filesystem(free=9 * GIB, available=9 * GIB), [("host.filesystem.full", "warning")]),
        (filesystem(free=GIB, available=GIB), [("host.filesystem.full", "critical")]),
        (filesystem(free=5 * GIB, available=0), [("host.filesystem.full", "critical")]),
        (filesystem(total=10_000 * GIB, free=250 * GIB, available=250 * GIB), []),
        (filesystem(total=800 * MIB, free=60 * MIB, available=60 * MIB), []),
        (
            filesystem("/boot", total=800 * MIB, free=9 * MIB, available=9 * MIB),
            [("host.filesystem.full", "warning")],
        ),
        (filesystem(inodes_available=99_000), [("host.filesystem.inodes", "warning")]),
        (filesystem(inodes_available=9_000), [("host.filesystem.inodes", "critical")]),
        (filesystem(inodes=0, inodes_available=0), []),
        (filesystem(read_only=True, free=0, available=0), []),
        (filesystem(read_only=True, remounted=True), [("host.filesystem.read_only", "critical")]),
    ],
    ids=[
        "low",
        "out",
        "only root can write",
        "a little of much",
        "much of a little",
        "boot",
        "files low",
        "files out",
        "no inodes to run out of",
        "an image",
        "gave up writing",
    ],
)
def test_room_on_a_filesystem(seen: Filesystem, expected: list[tuple[str, str]]) -> None:
    assert found(snapshot(filesystems=(seen,))) == expected


def test_blocks_kept_for_root_are_named() -> None:
    summary = judge(snapshot(filesystems=(filesystem(free=5 * GIB, available=0),)))[1][0].summary
    assert summary == "/var is 100 % full: 0 B of 100.0 GiB is left; 5.0 GiB more is kept for root"


def test_what_could_not_be_seen_is_a_finding_and_never_healthy() -> None:
    findings = judge(snapshot(unseen={"memory": "/proc/meminfo: permission denied"}))[1]
    assert [finding.id for finding in findings] == ["host.part.unseen"]
    assert "/proc/meminfo: permission denied" in findings[0].summary


def test_the_data_is_plain_json() -> None:
    data, _findings = judge(QUIET)
    assert json.loads(json.dumps(data))["filesystems"][0]["used_percent"] == 52.6
    assert json.loads(json.dumps(judge(snapshot())[0]))["pressure"] is None


@given(
    total=st.integers(1, 10**15),
    free=st.floats(0, 1),
    available=st.floats(0, 1),
)
def test_more_room_is_never_judged_worse(total: int, free: float, available: float) -> None:
    order = ["critical", "warning", None]
    less = int(total * free * available)
    levels = []
    for left in (less, min(int(total * free), less * 2 + 1)):
        seen = filesystem(total=total, free=max(left, int(total * free)), available=left, inodes=0)
        levels.append(next((level for _id, level in found(snapshot(filesystems=(seen,)))), None))
    assert order.index(levels[0]) <= order.index(levels[1])
