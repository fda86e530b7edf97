# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Space
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.catalogue import Backup
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.observe import (
    Cluster,
    Examined,
    Room,
    Snapshot,
)

MIB = 1024**2
NOW = 1_800_000_000.0
PLAIN = Cluster(150020, "15.20", True, "/data", False, None, {"shop": 100 * MIB, "other": 10 * MIB})


@pytest.fixture
def backup() -> Callable[..., Backup]:
    """A dump of so many seconds ago."""

    def make(age: float = 0, database: str | None = "shop", proved: bool = False, **more: Any) -> Backup:
        given = {"path": f"/b/{database}-{age}.dump", "kind": "custom", "size": 5 * MIB, "inode": 7, **more}
        manifest = {"verified_at": "x", "size": given["size"], "mtime_ns": 9, "sha256": "a"}
        return Backup(
            database=database,
            created=NOW - age,
            mtime_ns=9,
            manifest=manifest if proved else None,
            **given,
        )

    return make


@pytest.fixture
def snapshot() -> Callable[..., Snapshot]:
    def make(
        examined: Mapping[str, tuple[Examined, ...]] | None = None,
        free: int = 5000 * MIB,
        total: int = 10_000 * MIB,
        inodes: int = 1000,
        holds_data: bool = False,
        **more: Any,
    ) -> Snapshot:
        space = Space(total, free, free, 1000, inodes)
        chosen = {"shop": ()} if examined is None else examined
        given = {"cluster": PLAIN, "room": Room("/b", True, space, holds_data), **more}
        return Snapshot("postgresql shop", NOW, tuple(chosen), chosen, **given)

    return make
