# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing import logs as logs_module
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.logs import Logs


def test_the_walk_passes_over_data_links_and_files_with_several_names(tmp_path: Path) -> None:
    for name in (
        "app/a.log.1",
        "app/data.csv",
        "pg/PG_VERSION",
        "pg/log/b.log.1",
        "x/pg_wal/c.log.1",
        "y/ledger.jsonl",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "app/link.log").symlink_to("/var/log/syslog")
    os.mkfifo(tmp_path / "app/pipe.log")
    (tmp_path / "two.log.1").write_bytes(b"x")
    os.link(tmp_path / "two.log.1", tmp_path / "three.log.1")
    logs = Logs([str(tmp_path)], lambda: False)
    assert [log.file.name for log in logs.found] == ["a.log.1"]
    assert any("another name" in reason for reason in logs.protected.values())
    assert str(tmp_path / "pg") in logs.protected


def test_a_directory_beside_a_server_s_data_is_looked_at(tmp_path: Path) -> None:
    for name in ("app/PG_VERSION", "app/log/a.log.1", "app2/b.log.1", "b/c.log.1"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    logs = Logs([str(tmp_path)], lambda: False)
    assert sorted(log.file.name for log in logs.found) == ["b.log.1", "c.log.1"]


def test_what_is_kept_of_files_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs_module, "LOGS_MOST", 3)
    monkeypatch.setattr(logs_module, "PROTECTED_MOST", 2)
    for number in range(5):
        (tmp_path / f"{number}.log").write_bytes(b"x")
        (tmp_path / f"twice-{number}.log").write_bytes(b"x")
        os.link(tmp_path / f"twice-{number}.log", tmp_path / f"again-{number}.txt")
        os.link(tmp_path / f"twice-{number}.log", tmp_path / f"again-{number}.log")
    logs = Logs([str(tmp_path)], lambda: False)
    assert (len(logs.found), len(logs.protected), logs.complete) == (3, 2, False)
