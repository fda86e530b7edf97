# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import packages_log
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.clients.packages_log import (
    Host,
    PackageChange,
    Run,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

NOON = 1795348800.0  # 2026-11-22T12:00:00Z
DPKG = """\
2026-11-22 11:00:00 startup archives unpack
2026-11-22 11:00:01 upgrade nginx:amd64 1.22.1-9 1.22.1-9+deb12u1
2026-11-22 11:00:01 status half-configured nginx:amd64 1.22.1-9
2026-11-22 11:00:02 install jq:amd64 <none> 1.6-2.1
2026-11-22 11:00:03 configure jq:amd64 1.6-2.1 <none>
2026-11-22 11:00:04 remove telnet:all 0.17 <none>
2026-99-99 11:00:04 install broken:all <none> 1
garbage \0
"""
APT = """
Start-Date: 2026-11-22  11:00:00
Commandline: apt-get install nginx jq
Requested-By: alice (1000)
Install: jq:amd64 (1.6-2.1)
End-Date: 2026-11-22  11:00:05

Start-Date: 2026-11-22  11:30:00
Commandline: apt-get upgrade
"""


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def put(root: Path, name: str, text: str, written: float = NOON) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (written, written))


def test_dpkg_tells_what_was_installed_upgraded_and_removed(tmp_path: Path) -> None:
    put(tmp_path, "var/log/dpkg.log", DPKG)
    assert Host(tmp_path).changes(NOON - 86400, 1.0) == (
        PackageChange(NOON - 3599, "upgraded", "nginx", "1.22.1-9", "1.22.1-9+deb12u1"),
        PackageChange(NOON - 3598, "installed", "jq", "", "1.6-2.1"),
        PackageChange(NOON - 3596, "removed", "telnet", "0.17", ""),
    )
    assert Host(tmp_path).changes(NOON, 1.0) == ()


def test_what_was_rotated_within_the_window_counts(tmp_path: Path) -> None:
    put(tmp_path, "var/log/dpkg.log", "")
    put(tmp_path, "var/log/dpkg.log.1", DPKG)
    assert len(Host(tmp_path).changes(NOON - 86400, 1.0)) == 3


def test_of_a_long_log_the_newest_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages_log, "TAIL", 70)
    put(tmp_path, "var/log/dpkg.log", DPKG.replace("garbage \0\n", "").rpartition("2026-99")[0])
    assert [one.name for one in Host(tmp_path).changes(0, 1.0)] == ["telnet"]


def test_apt_tells_who_ran_it_and_how(tmp_path: Path) -> None:
    put(tmp_path, "var/log/apt/history.log", APT)
    assert Host(tmp_path).apt_runs() == (
        Run(NOON - 3600, NOON - 3595, "apt-get install nginx jq", "alice (1000)"),
        Run(NOON - 1800, None, "apt-get upgrade", ""),
    )
    assert Host(tmp_path / "none").apt_runs() == ()


def test_dnf_writes_a_log_too(tmp_path: Path) -> None:
    lines = (
        "2026-11-22T12:00:00+0100 SUBDEBUG Upgrade: nginx-1:1.24.0-2.x86_64\n"
        "2026-11-22T12:00:01+0100 SUBDEBUG Upgraded: nginx-1:1.22.0-1.x86_64\n"
        "2026-11-22T12:00:02+0100 INFO --- logging initialized ---\n"
        "2026-11-22T12:00:03Z SUBDEBUG Erase: telnet-1:0.17.x86_64\n"
    )
    put(tmp_path, "var/log/dnf.rpm.log", lines)
    found = [(one.time - NOON, one.verb, one.name) for one in Host(tmp_path).changes(0, 1.0)]
    assert found == [
        (-3600.0, "upgraded", "nginx-1:1.24.0-2.x86_64"),
        (3.0, "removed", "telnet-1:0.17.x86_64"),
    ]


def test_without_a_log_rpm_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "var/lib/rpm/x", "")
    shown = f"{NOON:.0f} nginx 1.24.0-2\n1 old 1-1\n(none) gpg-pubkey x\n"
    monkeypatch.setattr(packages_log, "find", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(packages_log, "run", lambda argv, _timeout: Completed(argv, 0, shown, ""))
    assert Host(tmp_path).changes(NOON - 5, 1.0) == (
        PackageChange(NOON, "installed", "nginx", "", "1.24.0-2"),
    )


def test_of_apk_only_the_time_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages_log, "find", lambda _name: None)
    put(tmp_path, "lib/apk/db/installed", "P:musl\n")
    assert [one.time for one in Host(tmp_path).changes(NOON - 5, 1.0)] == [NOON]
    assert Host(tmp_path).changes(NOON + 5, 1.0) == ()


def test_a_host_without_any_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages_log, "find", lambda _name: None)
    with pytest.raises(Unreachable):
        Host(tmp_path).changes(0, 1.0)
