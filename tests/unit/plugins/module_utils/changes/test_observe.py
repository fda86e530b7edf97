# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.changes import observe as looking
from ansible_collections.firebreak.incident.plugins.module_utils.changes.observe import (
    files_since,
    observe,
    release,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients import docker, systemd
from ansible_collections.firebreak.incident.plugins.module_utils.clients.packages_log import Host
from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import TICKS, Procfs
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.services import Service

MOMENT = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
NOW = MOMENT.timestamp()


def write(path: Path, ago: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    os.utime(path, (NOW - ago, NOW - ago))


def test_files_written_lately_are_found_by_name_below_every_directory(tmp_path: Path) -> None:
    write(tmp_path / "hosts", 60)
    write(tmp_path / "nginx" / "sites" / "app", 70)
    for name, ago in (("old", 90_000), ("mtab", 60), ("shadow-", 60)):
        write(tmp_path / name, ago)
    (tmp_path / "loop").symlink_to(tmp_path)
    os.utime(tmp_path / "loop", (0, 0), follow_symlinks=False)
    found = files_since(str(tmp_path), NOW - 86400)
    assert sorted(path for path, _time in found.written) == [
        f"{tmp_path}/hosts",
        f"{tmp_path}/nginx/sites/app",
    ]
    assert found.complete


def test_a_walk_ends_at_its_limits_and_says_so(tmp_path: Path) -> None:
    for number in range(10):
        write(tmp_path / str(number), 60)
    assert not files_since(str(tmp_path), 0.0, entries=5).complete
    times = iter([0.0, 10.0])
    assert files_since(str(tmp_path), 0.0, clock=lambda: next(times)).complete is False
    assert files_since(str(tmp_path / "none"), 0.0).written == ()


def test_a_release_behind_a_link_tells_when_the_link_was_made(tmp_path: Path) -> None:
    (tmp_path / "v2").mkdir()
    (tmp_path / "current").symlink_to("v2")
    os.utime(tmp_path / "current", (NOW - 5, NOW - 5), follow_symlinks=False)
    found = release("app", str(tmp_path / "current"))
    assert (found.link, found.linked, found.checkout) == ("v2", NOW - 5, None)
    assert release("app", str(tmp_path / "v2")).link is None
    with pytest.raises(Unreachable):
        release("app", str(tmp_path / "none"))


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Procfs:
    """A host with neither systemd nor an engine, whose kernel has been up for longer than PID 1."""
    monkeypatch.setattr(systemd, "booted", lambda: False)
    monkeypatch.setattr(docker, "socket_path", lambda: None)
    monkeypatch.setattr(looking, "ETC", str(tmp_path / "etc"))
    monkeypatch.setattr(looking, "REBOOT_REQUIRED", tmp_path / "reboot-required")
    fields = ["S", "0", *["0"] * 17, str(400 * TICKS), "0", "0", "0"]
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "stat").write_text(f"1 (init) {' '.join(fields)}\n")
    (tmp_path / "uptime").write_text("1000.00 1.00\n")
    return Procfs(root=tmp_path)


def look(procfs: Procfs, services: tuple[Service, ...] = ()) -> Any:
    return observe(services, Deadline(5.0), lambda: MOMENT, Host(procfs.root / "root"), procfs)


def test_a_host_without_systemd_and_docker_tells_what_it_can(bare: Procfs) -> None:
    seen = look(bare)
    assert (seen.units, seen.containers, seen.reboot) == (None, None, None)
    assert seen.boot == NOW - 600
    assert list(seen.unseen) == ["packages"]


def test_a_reboot_is_asked_for_by_name(bare: Procfs) -> None:
    (bare.root / "reboot-required").write_text("*** System restart required ***\n")
    assert look(bare).reboot == ()
    (bare.root / "reboot-required.pkgs").write_text("linux-image\nlibc6\nlinux-image\n")
    assert look(bare).reboot == ("linux-image", "libc6")


def test_a_release_that_is_not_there_hides_nothing_else(bare: Procfs) -> None:
    (bare.root / "app").mkdir()
    services = (
        Service("app", "systemd", unit="app.service", directory=str(bare.root / "app")),
        Service("api", "systemd", unit="api.service", directory=str(bare.root / "none")),
        Service("db", "systemd", unit="db.service"),
    )
    seen = look(bare, services)
    assert [one.service for one in seen.releases] == ["app"]
    assert "release of api" in seen.unseen
