# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.cgroups import Group
from ansible_collections.firebreak.incident.plugins.module_utils.clients.open_files import (
    Deleted,
    DeletedFile,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Space
from ansible_collections.firebreak.incident.plugins.module_utils.host.decide import judge
from ansible_collections.firebreak.incident.plugins.module_utils.host.filesystems import Filesystem
from ansible_collections.firebreak.incident.plugins.module_utils.host.observe import Limited, Snapshot, Usage
from ansible_collections.firebreak.incident.plugins.module_utils.host.shortage import group_name
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import GIB, MIB

NUMBER = "0123456789ab" + "c" * 52


def found(**given: Any) -> list[tuple[str, str]]:
    return [(finding.id, finding.level) for finding in judge(Snapshot(interval=0.4, **given))[1]]


def disk(available: int) -> Filesystem:
    space = Space(100 * GIB, available, available, 1000, 900)
    return Filesystem("/var", "ext4", "/dev/sda1", space, False, False, "8:1")


def limited(now: int = 0, stopped: int = 0, **given: Any) -> Limited:
    return Limited(Group("/system.slice/app.service", **given), periods=now, throttled=stopped, kills=0)


@pytest.mark.parametrize(
    ("left", "held", "expected"),
    [
        (GIB, 40 * GIB, [("host.filesystem.full", "critical"), ("host.disk.deleted_open", "warning")]),
        (GIB, GIB, [("host.filesystem.full", "critical")]),
        (50 * GIB, 9 * GIB, []),
        (50 * GIB, 10 * GIB, [("host.disk.deleted_open", "notice")]),
    ],
    ids=["why it is full", "not why", "no matter", "soon"],
)
def test_deleted_files_are_told_where_they_are_what_fills_a_disk(
    left: int, held: int, expected: list[tuple[str, str]]
) -> None:
    file = DeletedFile("/var/log/app.log", "8:1", held, 4242, "node", 2, "/var")
    elsewhere = DeletedFile("/x", "8:2", 90 * GIB, 1, "x", 1, "/srv")
    seen = {"filesystems": (disk(left),), "deleted": Deleted((elsewhere, file))}
    assert sorted(found(**seen)) == sorted(expected)


def test_who_holds_a_deleted_file_is_named() -> None:
    file = DeletedFile("/var/log/app.log", "8:1", 40 * GIB, 4242, "node", 2, "/var")
    seen = Snapshot(interval=0.4, filesystems=(disk(GIB),), deleted=Deleted((file,)))
    summary = judge(seen)[1][-1].summary
    assert "/var/log/app.log, 40.0 GiB, by node (pid 4242) and 1 more" in summary


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (limited(4, 4, cpus=0.5), [("host.cgroup.throttled", "warning")]),
        (limited(4, 3, cpus=0.5), [("host.cgroup.throttled", "warning")]),
        (limited(4, 2, cpus=0.5), []),
        (limited(2, 2, cpus=0.5), []),
        (limited(0, 0, cpus=0.5, periods=9, throttled=9), []),
        (limited(memory_limit=100 * MIB, memory=95 * MIB), [("host.cgroup.memory_full", "warning")]),
        (limited(memory_limit=100 * MIB, memory=94 * MIB, kills=7), []),
    ],
    ids=["always", "mostly", "a burst", "hardly ran", "long ago", "full", "killed long ago"],
)
def test_a_group_at_its_limit_is_named(group: Limited, expected: list[tuple[str, str]]) -> None:
    assert found(limited=(group,)) == expected


def test_a_kill_at_the_limit_just_now_is_critical() -> None:
    now = Limited(Group("/a.service", memory_limit=100 * MIB, memory=9 * MIB, kills=1), 0, 0, 1)
    assert found(limited=(now,)) == [("host.cgroup.memory_full", "critical")]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/system.slice/app.service", "app.service"),
        (f"/system.slice/docker-{NUMBER}.scope", "container 0123456789ab"),
        (f"/docker/{NUMBER}", "container 0123456789ab"),
        ("/", "this whole host"),
    ],
)
def test_a_group_is_called_what_people_call_it(path: str, name: str) -> None:
    assert group_name(path) == name


def test_the_process_that_writes_most_is_named_when_all_wait_for_the_disk() -> None:
    first = Usage(7, "node", "app", "app.service", "D", 1.0, MIB, disk_read=0, disk_written=40 * MIB)
    seen = Snapshot(interval=0.4, pressure={"io": {"some": 90.0, "full": 70.0}}, by_disk=(first,))
    summary = judge(seen)[1][0].summary
    assert "first is node (pid 7 of app.service) with 0 B read and 40.0 MiB written a second" in summary
