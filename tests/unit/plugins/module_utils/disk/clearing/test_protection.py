# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.protection import (
    data_directory,
    why_not,
)


def test_data_is_told_by_where_it_lies() -> None:
    assert data_directory("/data/pg/base/1", lambda path: path == "/data/pg/PG_VERSION") == "/data/pg"
    assert data_directory("/var/log/app", lambda path: False) is None
    for path in (
        "/x/pg_wal/000.log",
        "/var/lib/firebreak/a.log",
        "/x/dump.rdb",
        "/run/firebreak/manifests/x.log",
    ):
        assert why_not(path)
    assert why_not("/var/log/app.log.1") is None


def test_what_no_program_makes_anew_stays() -> None:
    assert why_not("/var/log/wtmp")
    assert why_not("/var/log/btmp")
    assert why_not("/var/log/wtmp.1") is None
