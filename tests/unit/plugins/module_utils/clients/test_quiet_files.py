# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import quiet_files


def test_reading_leaves_the_access_time_alone(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 100)
    os.utime(path, (1000, 2_000_000_000))
    assert quiet_files.read_start(str(path), 1000) == b"x" * 100
    assert quiet_files.sha256_of(str(path), 1000) == hashlib.sha256(b"x" * 100).hexdigest()
    assert path.stat().st_atime == 1000


def test_a_pipe_does_not_hold_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        quiet_files.read_start(str(tmp_path / "pipe"), 10)


def test_a_large_file_is_not_hashed(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 11)
    assert quiet_files.sha256_of(str(tmp_path / "large"), 10) is None


def test_a_link_is_not_hashed_for_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(OSError):
        quiet_files.sha256_of(str(tmp_path / "link"), 1 << 20)


def test_names_come_in_order(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / name).touch()
    assert [name for name, _status in quiet_files.names_in(str(tmp_path))] == ["a", "b", "c"]


def test_two_stars_at_the_end_find_files_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").touch()
    assert str(tmp_path / "a" / "b" / "file") in quiet_files.matching(f"{tmp_path}/**")


def test_a_tilde_stands_for_every_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ann", "bob"):
        (tmp_path / name / ".ssh").mkdir(parents=True)
        (tmp_path / name / ".ssh" / "authorized_keys").touch()
    passwd = tmp_path / "passwd"
    lines = [f"{name}:x:1:1::{tmp_path}/{name}:/bin/sh" for name in ("ann", "bob")]
    passwd.write_text("\n".join([*lines, "nobody:x:65534:65534::/nonexistent:/bin/false", "garbage", ""]))
    monkeypatch.setattr(quiet_files, "PASSWD", passwd)
    found = quiet_files.matching("~/.ssh/authorized_keys")
    assert [path for path in found if path.startswith(str(tmp_path))] == [
        f"{tmp_path}/ann/.ssh/authorized_keys",
        f"{tmp_path}/bob/.ssh/authorized_keys",
    ]


def test_a_million_files_are_not_all_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_files, "MOST_PATHS", 3)
    for number in range(10):
        (tmp_path / str(number)).touch()
    assert len(quiet_files.matching(f"{tmp_path}/*")) == 3
