# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import cgroups
from ansible_collections.firebreak.incident.plugins.module_utils.clients.cgroups import Group, find_limits
from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Procfs

MIB = 1024**2
CPU_1 = {
    "cpu.cfs_quota_us": "50000\n",
    "cpu.cfs_period_us": "100000\n",
    "cpu.stat": "nr_periods 40\nnr_throttled 30\nthrottled_time 1500000000\n",
}
MEMORY_1 = {
    "memory.limit_in_bytes": f"{64 * MIB}\n",
    "memory.usage_in_bytes": f"{60 * MIB}\n",
    "memory.stat": f"cache 5\ninactive_file 7\ntotal_inactive_file {8 * MIB}\ntotal_active_file {2 * MIB}\n",
    "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
}
BOTH_2 = {
    "cpu.max": "150000 100000\n",
    "cpu.stat": "usage_usec 7\nnr_periods 40\nnr_throttled 30\nthrottled_usec 1500000\n",
    "memory.max": f"{64 * MIB}\n",
    "memory.current": f"{60 * MIB}\n",
    "memory.stat": f"anon 7\ninactive_file {8 * MIB}\nactive_file {2 * MIB}\n",
    "memory.events": "low 0\nhigh 0\nmax 9\noom 3\noom_kill 3\n",
}


def put(directory: Path, files: Mapping[str, str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)


def host(root: Path, mounts: list[tuple[str, str, str, str]], first: str) -> Procfs:
    """`mounts`: root, directory below `root`, kind and options; `first` is /proc/1/cgroup."""
    lines = [
        f"{number} 1 0:{number} {inside} {root}/{point} rw - {kind} {kind} rw,{options}"
        for number, (inside, point, kind, options) in enumerate(mounts)
    ]
    put(root / "proc" / "self", {"mountinfo": "\n".join(lines) + "\n"})
    put(root / "proc" / "1", {"cgroup": first})
    return Procfs(root=root / "proc")


def test_version_1_has_a_tree_for_each_controller(tmp_path: Path) -> None:
    put(tmp_path / "cpu" / "system.slice" / "app.service", CPU_1)
    put(tmp_path / "memory" / "system.slice" / "app.service", MEMORY_1)
    put(tmp_path / "memory" / "system.slice" / "free.service", {"memory.limit_in_bytes": f"{2**63 - 4096}\n"})
    mounts = [("/", "cpu", "cgroup", "cpu,cpuacct"), ("/", "memory", "cgroup", "memory")]
    procfs = host(tmp_path, mounts, "3:cpu,cpuacct:/\n2:memory:/init.scope\n")
    expected = Group("/system.slice/app.service", 0.5, 40, 30, 1.5, 64 * MIB, 50 * MIB, 3)
    assert find_limits(procfs).read() == {expected.path: expected}


def test_version_2_has_one_tree(tmp_path: Path) -> None:
    put(tmp_path / "cg" / "system.slice" / "app.service", BOTH_2)
    put(tmp_path / "cg" / "system.slice", {"cpu.max": "max 100000\n", "memory.max": "max\n"})
    procfs = host(tmp_path, [("/", "cg", "cgroup2", "nsdelegate")], "0::/init.scope\n")
    expected = Group("/system.slice/app.service", 1.5, 40, 30, 1.5, 64 * MIB, 50 * MIB, 3)
    assert find_limits(procfs).read() == {expected.path: expected}


def test_on_a_hybrid_host_version_1_has_the_controllers(tmp_path: Path) -> None:
    put(tmp_path / "memory" / "app.service", MEMORY_1)
    put(tmp_path / "unified" / "app.service", {"cgroup.procs": ""})
    mounts = [("/", "memory", "cgroup", "memory"), ("/", "unified", "cgroup2", "nsdelegate")]
    procfs = host(tmp_path, mounts, "2:memory:/init.scope\n0::/init.scope\n")
    assert find_limits(procfs).memory == {"/app.service": 64 * MIB}


@pytest.mark.parametrize(
    ("inside", "first"),
    [
        ("/", "0::/docker/me/init.scope\n"),
        ("/", "0::/docker/me\n"),
        ("/docker", "0::/docker/me/init.scope\n"),
    ],
    ids=["sees the outside", "without systemd", "mounted from inside"],
)
def test_a_container_looks_only_at_its_own_groups(tmp_path: Path, inside: str, first: str) -> None:
    containers = tmp_path / "cg" / "docker" if inside == "/" else tmp_path / "cg"
    put(containers / "me" / "app.service", BOTH_2)
    put(containers / "other", BOTH_2)
    procfs = host(tmp_path, [(inside, "cg", "cgroup2", "")], first)
    assert list(find_limits(procfs).read()) == ["/app.service"]


def test_a_group_that_ends_meanwhile_counts_nothing(tmp_path: Path) -> None:
    put(tmp_path / "cg" / "app.service", BOTH_2)
    limits = find_limits(host(tmp_path, [("/", "cg", "cgroup2", "")], "0::/\n"))
    for file in (tmp_path / "cg" / "app.service").iterdir():
        file.unlink()
    group = limits.read()["/app.service"]
    assert (group.periods, group.memory, group.kills) == (0, 0, 0)


def test_the_number_of_groups_is_bounded_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "GROUPS", 3)
    for number in range(5):
        put(tmp_path / "cg" / f"app{number}.service", BOTH_2)
    limits = find_limits(host(tmp_path, [("/", "cg", "cgroup2", "")], "0::/\n"))
    assert (len(limits.cpu), limits.left_out) == (2, True)


def test_garbage_is_no_limit(tmp_path: Path) -> None:
    put(tmp_path / "cg" / "app.service", {"cpu.max": "\0x", "memory.max": "many", "cpu.stat": "a b c\n"})
    limits = find_limits(host(tmp_path, [("/", "cg", "cgroup2", "")], "what\n"))
    assert limits.read() == {}
    assert find_limits(host(tmp_path, [], "")).read() == {}
