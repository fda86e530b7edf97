# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables, indexes and a server at rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.observe import (
    Index,
    Snapshot,
    Table,
    Worker,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.room import Room, Volume

GIB = 1024**3
# As a fresh PostgreSQL 15 has them.
SETTINGS = {
    "autovacuum": "on",
    "autovacuum_analyze_scale_factor": "0.1",
    "autovacuum_analyze_threshold": "50",
    "autovacuum_freeze_max_age": "200000000",
    "autovacuum_max_workers": "3",
    "autovacuum_multixact_freeze_max_age": "400000000",
    "autovacuum_vacuum_insert_scale_factor": "0.2",
    "autovacuum_vacuum_insert_threshold": "1000",
    "autovacuum_vacuum_scale_factor": "0.2",
    "autovacuum_vacuum_threshold": "50",
    "block_size": "8192",
    "data_directory": "/var/lib/postgresql/15/main",
    "port": "5432",
    "track_counts": "on",
}


@pytest.fixture
def table_row() -> Callable[..., dict[str, Any]]:
    def make(**given: Any) -> dict[str, Any]:
        return {
            "oid": 16400,
            "schema": "public",
            "name": "orders",
            "kind": "r",
            "filenode": 16400,
            "toast": 0,
            "tuples": 10000.0,
            "pages": 100,
            "dead": 0,
            "modified": 0,
            "inserted": 0,
            "vacuumed_seconds": 90_000.0,
            "analyzed_seconds": 90_000.0,
            "age": 1000,
            "multixacts": 0,
            "options": [],
            **given,
        }

    return make


@pytest.fixture
def table(table_row: Callable[..., dict[str, Any]]) -> Callable[..., Table]:
    return lambda **given: Table(**table_row(**given))


@pytest.fixture
def index_row() -> Callable[..., dict[str, Any]]:
    def make(**given: Any) -> dict[str, Any]:
        return {
            "oid": 16500,
            "schema": "public",
            "name": "orders_n",
            "kind": "i",
            "filenode": 16500,
            "table_oid": 16400,
            "table_schema": "public",
            "table": "orders",
            "table_kind": "r",
            "valid": True,
            "ready": True,
            "exclusion": False,
            "unique": False,
            "constraint": None,
            "identity": False,
            "bytes": 1_000_000,
            "location": "",
            "twin": False,
            **given,
        }

    return make


@pytest.fixture
def index(index_row: Callable[..., dict[str, Any]]) -> Callable[..., Index]:
    return lambda **given: Index(**index_row(**given))


@pytest.fixture
def leftover(index: Callable[..., Index]) -> Callable[..., Index]:
    def make(**given: Any) -> Index:
        return index(
            **{
                "oid": 16600,
                "filenode": 16600,
                "name": "orders_n_ccnew",
                "valid": False,
                "twin": True,
                **given,
            }
        )

    return make


@pytest.fixture
def worker() -> Callable[..., Worker]:
    def make(operation: str = "vacuum", **given: Any) -> Worker:
        progress = {"phase": "scanning heap", "heap_blks_scanned": 25, "heap_blks_total": 100}
        who = {"pid": 77, "database": "shop", "table_oid": 16400, "table": "orders", "seconds": 90.0}
        return Worker(
            operation, **{"progress": progress, "backend_type": "autovacuum worker", **who, **given}
        )

    return make


@pytest.fixture
def snapshot() -> Callable[..., Snapshot]:
    def make(**given: Any) -> Snapshot:
        room = Room(Volume("/var/lib/postgresql/15/main", "64769", 50 * GIB))
        fields = {
            "subject": "postgresql shop on /var/run/postgresql",
            "cluster": "7412",
            "database": "shop",
            "version": 150020,
            "in_recovery": False,
            "sees_all": True,
            "settings": SETTINGS,
            "room": room,
        }
        return Snapshot(**{**fields, **given})

    return make


@pytest.fixture
def holder() -> Callable[..., dict[str, Any]]:
    def make(**given: Any) -> dict[str, Any]:
        return {
            "kind": "backend",
            "name": "4242",
            "user": "web",
            "application": "shop",
            "database": "shop",
            "state": "idle in transaction",
            "transactions": 900,
            "seconds": 840.0,
            "query": "SELECT 1",
            **given,
        }

    return make
