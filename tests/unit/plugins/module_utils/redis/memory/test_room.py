# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import docker
from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Procfs
from ansible_collections.firebreak.incident.plugins.module_utils.clients.redis import Address
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.model import Room
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.room import room

MIB = 1024**2


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "running", lambda remaining: ())


@pytest.fixture
def host(tmp_path: Path) -> Procfs:
    """With a group of 512 MiB around process 42, in one of 256 MiB; 43 is something else."""
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    inner = groups / "outer" / "redis.service"
    inner.mkdir(parents=True)
    for directory in (groups, inner.parent, inner):
        (directory / "cgroup.procs").write_text("")
    (inner / "memory.max").write_text(f"{512 * MIB}\n")
    (inner / "memory.current").write_text(f"{100 * MIB}\n")
    (inner.parent / "memory.max").write_text(f"{256 * MIB}\n")
    (inner.parent / "memory.current").write_text(f"{120 * MIB}\n")
    (inner.parent / "memory.stat").write_text(f"active_file {10 * MIB}\n")
    for pid, name in ((42, "redis-server"), (43, "postgres")):
        (proc / str(pid)).mkdir(parents=True)
        (proc / str(pid) / "comm").write_text(f"{name}\n")
        (proc / str(pid) / "cgroup").write_text("0::/outer/redis.service\n")
    (proc / "meminfo").write_text(f"MemTotal: {4 * 1024**2} kB\nMemAvailable: 1024 kB\n")
    (proc / "self").mkdir()
    (proc / "self" / "mountinfo").write_text(f"30 1 0:26 / {groups} rw - cgroup2 cgroup2 rw\n")
    return Procfs(proc)


def look(
    host: Procfs, pid: int, address: Address | None = None, container: str | None = None
) -> tuple[Room, str | None]:
    return room(address or Address(), container, pid, lambda: 1.0, host)


def test_the_narrowest_group_around_the_process_is_the_limit(host: Procfs) -> None:
    found, unseen = look(host, 42)
    assert found == Room(4 * 1024 * MIB, MIB, 256 * MIB, 110 * MIB, 42)
    assert (found.most, unseen) == (256 * MIB, None)


def test_another_process_with_the_number_of_the_server_is_not_it(host: Procfs) -> None:
    found, unseen = look(host, 43)
    assert (found.total, found.limit, found.pid) == (4 * 1024 * MIB, None, None)
    assert unseen is not None
    assert "not found on this host" in unseen


def test_the_engine_knows_the_process_and_the_limit_of_a_container(
    host: Procfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker, "socket_path", lambda: Path("/run/docker.sock"))
    monkeypatch.setattr(docker, "confines", lambda path, name, remaining: (43, 128 * MIB))
    found, unseen = look(host, 1, container="shop-redis-1")
    assert (found.limit, found.pid, unseen) == (128 * MIB, 43, None)


def test_of_another_host_nothing_is_known(host: Procfs) -> None:
    found, unseen = look(host, 42, Address("192.0.2.1"))
    assert (found, found.most) == (Room(), None)
    assert unseen is not None
    assert "another host" in unseen


def test_a_socket_is_here(host: Procfs) -> None:
    assert look(host, 42, Address(socket="/run/redis.sock"))[0].limit == 256 * MIB


@pytest.mark.parametrize(
    ("address", "known"),
    [
        (Address("172.17.0.2"), True),
        (Address("127.0.0.1", 16379), True),
        (Address("localhost", 16379), True),
        (Address("127.0.0.1"), False),
        (Address("172.17.0.3"), False),
    ],
)
def test_a_container_is_known_by_its_address_and_its_published_port(
    host: Procfs, monkeypatch: pytest.MonkeyPatch, address: Address, known: bool
) -> None:
    place = docker.Place(
        "shop-redis-1", "redis:7", None, None, ("172.17.0.2",), {6379: (("127.0.0.1", 16379),)}
    )
    monkeypatch.setattr(docker, "running", lambda remaining: (place,))
    monkeypatch.setattr(docker, "socket_path", lambda: Path("/run/docker.sock"))
    monkeypatch.setattr(docker, "confines", lambda path, name, remaining: (43, 128 * MIB))
    assert (look(host, 1, address)[0].limit == 128 * MIB) is known
