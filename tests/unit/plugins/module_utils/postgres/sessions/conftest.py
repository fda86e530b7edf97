# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions as a server shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.session import Session

ROW = {
    "pid": 4242,
    "backend_start": "2026-11-21T22:01:07.123456+00:00",
    "user": "web",
    "database": "shop",
    "application": "shop",
    "client": "10.0.0.9",
    "backend_type": "client backend",
    "state": "idle",
    "state_change": "2026-11-21T22:05:07.5+00:00",
    "state_seconds": 90.0,
    "query_seconds": 95.0,
    "transaction_seconds": None,
    "wait_event_type": "Client",
    "wait_event": "ClientRead",
    "leader_pid": None,
    "superuser": False,
    "replication": False,
    "query": "SELECT 1",
}


@pytest.fixture
def session() -> Callable[..., Session]:
    """One of an ordinary role's, idle for 90 s, but for what is given."""

    def make(**given: Any) -> Session:
        return Session.of({**ROW, **given})

    return make
