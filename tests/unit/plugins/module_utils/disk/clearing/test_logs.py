# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

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
