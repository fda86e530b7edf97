# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that nothing is wrong with, and a backup of it that was read to its end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import Access
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.catalogue import (
    CUSTOM,
    Backup,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.room import (
    Room,
    Volume,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.restore.model import (
    Choice,
    Database,
    Live,
    Mark,
    Snapshot,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.session import Session

NOW = "2026-11-22T06:00:00.000Z"
SHA = "5" * 64


def make_backup(path: str = "/b/shop.dump", **given: Any) -> Backup:
    defaults: dict[str, Any] = {
        "kind": CUSTOM,
        "database": "shop",
        "size": 4096,
        # 2026-11-22 05:00
        "created": 1795323600.0,
        "inode": 7,
        "mtime_ns": 1,
    }
    return Backup(path=path, **{**defaults, **given})


def make_copy(name: str = "shop_restore_20261122T050000Z", oid: int = 20, **given: Any) -> Database:
    mark = Mark("shop", SHA, "/b/shop.dump", "2026-11-22T05:30:00.000Z", checked=True)
    return Database(oid, name, 1000, mark=replace(mark, **given))


def make_session(**given: Any) -> Session:
    defaults: dict[str, Any] = {
        "pid": 77,
        "backend_start": "2026-11-22T05:00:00+00:00",
        "user": "web",
        "backend_type": "client backend",
        "superuser": False,
        "replication": False,
    }
    return Session(**{**defaults, **given})


def make_live(**given: Any) -> Live:
    defaults: dict[str, Any] = {"owner": "web", "tablespace": "pg_default", "locale": {}}
    return Live(**{"database": Database(10, "shop", 1_000_000), **defaults, **given})


def make_snapshot(**given: Any) -> Snapshot:
    defaults: dict[str, Any] = {
        "server": Server(Access(database="shop")),
        "name": "shop",
        "now": NOW,
        "version": 150006,
        "in_recovery": False,
        "superuser": True,
        "checksums": True,
        "live": make_live(),
        "others": (Database(5, "postgres"),),
        "room": Room(Volume("/data", "8:1", 10**9)),
        "data": "/data",
        "choice": Choice(make_backup(), SHA, 5000, {("public", "items"): 50}, True),
    }
    return Snapshot(**{**defaults, **given})


@pytest.fixture
def seen() -> Snapshot:
    return make_snapshot()
