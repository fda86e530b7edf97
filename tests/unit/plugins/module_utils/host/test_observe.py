# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import (
    PAGE,
    TICKS,
    KernelMessage,
    Procfs,
    Space,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.host.decide import judge
from ansible_collections.firebreak.incident.plugins.module_utils.host.observe import (
    INTERVAL,
    Snapshot,
    observe,
)

FIXTURE = Path(__file__).parents[3] / "fixtures" / "triage" / "proc"
ROOM = Space(total=1000, free=500, available=400, inodes=100, inodes_available=50)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(FIXTURE, tmp_path / "proc")
    (tmp_path / "proc" / "1").mkdir()
    # The groups of the machine that runs this test are not those of the fixture.
    mounts = tmp_path / "proc" / "self" / "mountinfo"
    lines = mounts.read_text().splitlines(keepends=True)
    mounts.write_text("".join(line for line in lines if " - cgroup" not in line))
    return tmp_path / "proc"


def look(root: Path, meanwhile: Callable[[], None] = lambda: None) -> Snapshot:
    """The host before and after `meanwhile`, on a clock that only sleeping moves."""
    now = [100.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds
        meanwhile()

    procfs = Procfs(
        root=root,
        cgroup=root / "none",
        kernel_log=root / "none",
        passwd=root / "none",
        fstab=root / "none",
    )
    return observe(procfs, sleep=sleep, clock=lambda: now[0], statvfs=lambda _point: ROOM)


def process(root: Path, pid: int, ticks: int, started: int = 4711, pages: int = 10) -> None:
    (root / str(pid)).mkdir(exist_ok=True)
    fields = ["R", "1", *["0"] * 9, str(ticks), "0", *["0"] * 6, str(started), "0", str(pages), "0"]
    (root / str(pid) / "stat").write_text(f"{pid} (p{pid}) {' '.join(fields)}\n")


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_shares_are_of_the_interval_and_not_since_boot(root: Path) -> None:
    def meanwhile() -> None:
        replaced(
            root / "stat", "cpu  6563 0 4708 256290 770 0 160 21", "cpu  6593 0 4708 256300 780 0 160 71"
        )

    seen = look(root, meanwhile)
    assert (seen.busy, seen.iowait, seen.steal) == (80.0, 10.0, 50.0)
    assert seen.interval == pytest.approx(INTERVAL)


def test_a_clock_that_stands_still_gives_no_shares(root: Path) -> None:
    seen = look(root)
    assert (seen.busy, seen.steal) == (None, None)


def test_processes_are_ranked_by_what_they_do_now(root: Path) -> None:
    process(root, 10, ticks=1_000_000)
    process(root, 11, ticks=0, pages=500)
    seen = look(root, lambda: process(root, 11, ticks=int(TICKS * INTERVAL), pages=500))
    assert [(usage.pid, usage.cpu_percent) for usage in seen.by_cpu] == [(11, 100.0)]
    assert [(usage.pid, usage.rss) for usage in seen.by_memory] == [(11, 500 * PAGE), (10, 10 * PAGE)]


def test_a_reused_pid_does_not_inherit_the_work_of_the_old_process(root: Path) -> None:
    process(root, 10, ticks=0)
    seen = look(root, lambda: process(root, 10, ticks=4000, started=9999))
    assert seen.by_cpu == ()


def test_this_module_does_not_accuse_itself(root: Path) -> None:
    process(root, os.getpid(), ticks=0)
    seen = look(root, lambda: process(root, os.getpid(), ticks=40))
    assert seen.by_cpu == seen.by_memory == ()


def test_only_the_first_five_are_told(root: Path) -> None:
    for pid in range(10, 20):
        process(root, pid, ticks=0, pages=pid)
    assert [usage.pid for usage in look(root).by_memory] == [19, 18, 17, 16, 15]


def test_swapping_and_kills_are_counted_over_the_interval(root: Path) -> None:
    def meanwhile() -> None:
        replaced(root / "vmstat", "pswpin 0", "pswpin 400")
        replaced(root / "vmstat", "oom_kill 0", "oom_kill 2")

    seen = look(root, meanwhile)
    assert seen.swap_in == pytest.approx(400 * PAGE / INTERVAL)
    assert seen.oom is not None
    assert (seen.oom.since_boot, seen.oom.in_interval, seen.oom.recent) == (2, 2, None)


def test_kills_are_read_from_the_kernel_log_with_their_age(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = (
        KernelMessage(1.0, "Out of memory: Killed process 7 (old) total-vm:1kB"),
        KernelMessage(4000.0, "Memory cgroup out of memory: Killed process 8 (node) total-vm:1kB"),
        KernelMessage(4001.0, "oom_reaper: reaped process 8 (node)"),
    )
    (root / "uptime").write_text("4060.00 1.00\n")
    monkeypatch.setattr(Procfs, "kernel_messages", lambda _self: log)
    oom = look(root).oom
    assert oom is not None
    assert oom.recent is not None
    assert [(kill.pid, kill.name, kill.seconds_ago, kill.in_cgroup) for kill in oom.recent] == [
        (8, "node", 60.0, True)
    ]


@pytest.mark.parametrize(
    ("missing", "part"),
    [("stat", "cpu"), ("vmstat", "vmstat"), ("meminfo", "memory"), ("loadavg", "load"), ("uptime", "uptime")],
)
def test_one_unreadable_file_hides_nothing_else_and_is_a_finding(root: Path, missing: str, part: str) -> None:
    (root / missing).unlink()
    seen = look(root)
    assert list(seen.unseen) == [part]
    assert [finding.id for finding in judge(seen)[1]] == ["host.part.unseen"]


def test_nonsense_from_the_kernel_is_a_finding_and_no_crash(root: Path) -> None:
    (root / "loadavg").write_text("busy\n")
    assert "not understood" in look(root).unseen["load"]


def test_what_processes_read_and_write_is_of_the_interval(root: Path) -> None:
    def counts(pid: int, read: int, written: int) -> None:
        (root / str(pid) / "io").write_text(f"rchar: 9\nread_bytes: {read}\nwrite_bytes: {written}\n")

    for pid in (10, 11):
        process(root, pid, ticks=0)
        counts(pid, 10_000, 500)
    seen = look(root, lambda: counts(11, 10_400, 900))
    assert seen.by_disk is not None
    assert [(one.pid, one.disk_read, one.disk_written) for one in seen.by_disk] == [(11, 1000, 1000)]


def test_where_nobody_may_see_who_writes_nothing_is_claimed(root: Path) -> None:
    process(root, 10, ticks=0)
    assert look(root).by_disk is None


def test_how_often_a_group_was_stopped_is_of_the_interval(root: Path) -> None:
    group = root / "cg" / "app.service"
    group.mkdir(parents=True)
    (group / "cpu.max").write_text("50000 100000\n")
    (group / "cpu.stat").write_text("nr_periods 100\nnr_throttled 7\nthrottled_usec 5\n")
    mounts = root / "self" / "mountinfo"
    mounts.write_text(f"{mounts.read_text()}99 1 0:99 / {root}/cg rw - cgroup2 cgroup2 rw\n")

    def meanwhile() -> None:
        (group / "cpu.stat").write_text("nr_periods 104\nnr_throttled 10\nthrottled_usec 5\n")

    seen = look(root, meanwhile)
    assert [(one.now.path, one.periods, one.throttled) for one in seen.limited] == [("/app.service", 4, 3)]


def test_a_container_without_pressure_is_fine(root: Path) -> None:
    shutil.rmtree(root / "pressure")
    seen = look(root)
    assert (seen.pressure, seen.unseen) == ({}, {})


def test_a_host_that_tells_nothing_is_unreachable_and_not_healthy(tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        look(tmp_path)
