# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import procfs
from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import PAGE, Process, Procfs
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

FIXTURE = Path(__file__).parents[3] / "fixtures" / "triage" / "proc"
REAL = Procfs(root=FIXTURE)


def test_the_numbers_of_a_real_host() -> None:
    cpu = REAL.cpu_times()
    assert (cpu.cpus, cpu.total, cpu.idle, cpu.steal, cpu.blocked) == (2, 268512, 256290, 21, 0)
    assert REAL.load() == (0.13, 0.06, 0.05)
    assert REAL.uptime() == 1346.59
    assert REAL.memory()["MemAvailable"] == 24304848 * 1024
    assert REAL.memory()["HugePages_Total"] == 0
    assert REAL.vmstat()["oom_kill"] == 0
    assert REAL.pressure("io") == {"some": 0.15, "full": 0.14}


def test_a_kernel_that_does_not_measure_pressure_is_no_error(tmp_path: Path) -> None:
    assert Procfs(root=tmp_path).pressure("cpu") is None


def test_old_kernels_give_cpu_pressure_without_full(tmp_path: Path) -> None:
    (tmp_path / "pressure").mkdir()
    (tmp_path / "pressure" / "cpu").write_text("some avg10=1.50 avg60=0.00 avg300=0.00 total=1\n")
    assert Procfs(root=tmp_path).pressure("cpu") == {"some": 1.5}


def test_a_file_that_is_missing_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="meminfo"):
        Procfs(root=tmp_path).memory()


def test_an_empty_stat_is_unreachable_and_not_an_idle_host(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("")
    with pytest.raises(Unreachable, match="no line for the CPU"):
        Procfs(root=tmp_path).cpu_times()


def write_process(root: Path, pid: int, name: str, ticks: int = 0, pages: int = 0) -> Path:
    directory = root / str(pid)
    directory.mkdir()
    fields = ["S", "1", *["0"] * 9, str(ticks), "0", *["0"] * 6, "4711", "0", str(pages), "0"]
    (directory / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")
    return directory


@pytest.mark.parametrize("name", ["node", "a b", "x) S 1 (y", "tmux: server"])
def test_a_process_may_be_called_anything(tmp_path: Path, name: str) -> None:
    write_process(tmp_path, 42, name, ticks=7, pages=3)
    (tmp_path / "self").mkdir()
    assert list(Procfs(root=tmp_path).processes()) == [Process(42, name, "S", 4711, 7, 3 * PAGE)]


def test_a_process_that_ends_meanwhile_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "42").mkdir()
    (tmp_path / "43").mkdir()
    (tmp_path / "43" / "stat").write_text("")
    assert list(Procfs(root=tmp_path).processes()) == []


def test_hidden_processes_are_noticed(tmp_path: Path) -> None:
    assert Procfs(root=tmp_path).others_hidden()
    (tmp_path / "1").mkdir()
    assert not Procfs(root=tmp_path).others_hidden()


def test_an_owner_is_named_from_the_local_file_only(tmp_path: Path) -> None:
    passwd = tmp_path / "passwd"
    passwd.write_text(f"+::::::\nroot:x:0:0::/root:/bin/sh\nme:x:{os.getuid()}:1::/:/bin/sh\n")
    (tmp_path / "42").mkdir()
    assert Procfs(root=tmp_path, passwd=passwd).owner(42) == "me"
    assert Procfs(root=tmp_path, passwd=tmp_path / "none").owner(42) == str(os.getuid())
    assert Procfs(root=tmp_path).owner(43) is None


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0::/system.slice/zekka.service\n", "zekka.service"),
        (
            "0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n",
            "postgresql@15-main.service",
        ),
        ("12:memory:/\n1:name=systemd:/user.slice/user-0.slice/session-3.scope\n0::/\n", "session-3.scope"),
        ("0::/docker/" + "0a" * 32 + "\n", "0a" * 32),
        ("4:memory:/docker/" + "0a" * 32 + "\n0::/docker/x/system.slice/app.service\n", "app.service"),
        ("0::/system.slice/docker.service/inner\n", "docker.service"),
        ("0::/\n", None),
        ("", None),
    ],
)
def test_a_process_belongs_to_the_innermost_unit(tmp_path: Path, text: str, unit: str | None) -> None:
    (tmp_path / "42").mkdir()
    (tmp_path / "42" / "cgroup").write_text(text)
    assert Procfs(root=tmp_path).unit(42) == unit


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"memory.max": "max", "memory.current": "1", "memory.stat": ""}, None),
        (
            {"memory.max": "1000", "memory.current": "900", "memory.stat": "anon 100\ninactive_file 300\n"},
            (1000, 600),
        ),
        (
            {
                "memory/memory.limit_in_bytes": "9223372036854771712",
                "memory/memory.usage_in_bytes": "900",
                "memory/memory.stat": "",
            },
            None,
        ),
        (
            {
                "memory/memory.limit_in_bytes": "1000",
                "memory/memory.usage_in_bytes": "900",
                "memory/memory.stat": "inactive_file 5\ntotal_inactive_file 300\n",
            },
            (1000, 600),
        ),
    ],
    ids=["no cgroup", "v2 without limit", "v2", "v1 without limit", "v1"],
)
def test_the_memory_limit_of_the_cgroup(
    tmp_path: Path, files: dict[str, str], expected: tuple[int, int] | None
) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert Procfs(cgroup=tmp_path).cgroup_memory() == expected


def test_mounts_with_their_own_and_the_filesystems_options() -> None:
    mounts = {mount.point: mount for mount in REAL.mounts()}
    root, odd = mounts["/"], mounts["/srv/with space"]
    assert (root.kind, root.device) == ("overlay", "0:60")
    assert (odd.source, odd.device) == ("/dev/sdb1", "8:17")
    assert "rw" in odd.options
    assert "ro" in odd.super_options
    assert "ext4" in REAL.block_kinds()
    assert "proc" not in REAL.block_kinds()


def test_what_fstab_wants_writable(tmp_path: Path) -> None:
    fstab = tmp_path / "fstab"
    fstab.write_text(
        "# /dev/x /x ext4 defaults 0 0\n/dev/a / ext4 errors=remount-ro 0 1\n/dev/b /b ext4 ro 0 2\n\n"
    )
    assert Procfs(fstab=fstab).meant_to_be_writable() == {"/"}
    assert Procfs(fstab=tmp_path / "none").meant_to_be_writable() == frozenset()


def test_only_the_kernels_own_words_count() -> None:
    def parsed(record: bytes) -> object:
        return procfs._kernel_message(record)

    message = procfs._kernel_message(
        b"4,1234,98765432,-;Out of memory: Killed process 42 (node)\n SUBSYSTEM=x\n"
    )
    assert message is not None
    assert (message.at, message.text) == (98.765432, "Out of memory: Killed process 42 (node)")
    assert parsed(b"12,1235,98765433,-;Out of memory: Killed process 1 (forged)\n") is None
    assert parsed(b"nonsense") is None


def test_a_kernel_log_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="No such file"):
        Procfs(kernel_log=tmp_path / "kmsg").kernel_messages()
    (tmp_path / "kmsg").write_text("4,1,1,-;Killed process 1 (x)\n")
    with pytest.raises(Unreachable, match="no device"):
        Procfs(kernel_log=tmp_path / "kmsg").kernel_messages()


def test_room_of_a_path_that_is_gone_is_unreachable(tmp_path: Path) -> None:
    assert procfs.space(str(tmp_path)).total > 0
    with pytest.raises(Unreachable):
        procfs.space(str(tmp_path / "none"))
