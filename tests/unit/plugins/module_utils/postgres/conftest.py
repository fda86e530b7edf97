# SPDX-License-Identifier: GPL-3.0-or-later
"""A server at rest, as its answer looks."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def facts() -> dict[str, Any]:
    return {
        "version": "15.20 (Debian 15.20-0+deb12u1)",
        "version_number": 150020,
        "in_recovery": False,
        "uptime_seconds": 1437.8,
        "sees_all": True,
        "max_connections": 100,
        "reserved": 3,
        "used": 9,
        "by_state": {"idle": 8, "active": 1},
        "holders": [{"user": "web", "application": "shop", "sessions": 9, "idle_in_transaction": 0}],
        "limits": [],
        "waiting": 0,
        "waits": [],
        "beyond": [],
        "concerned": [],
        "held": [],
        "transactions": [],
        "idle_transactions": [],
        "prepared": [],
        "replicas": [],
        "standby": None,
        "slots": [],
        "archiver": {
            "mode": "off",
            "failed_count": 0,
            "last_failed_wal": None,
            "failed_seconds_ago": None,
            "archived_seconds_ago": None,
        },
        "oldest": {
            "database": "postgres",
            "transactions": 3_000_000,
            "multixacts": 10,
            "freeze_max_age": 200_000_000,
            "multixact_freeze_max_age": 400_000_000,
        },
    }
