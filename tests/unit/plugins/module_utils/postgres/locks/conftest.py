# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of a server on which somebody waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks.observe import (
    Prepared,
    Snapshot,
    Wait,
    Wanted,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.session import Session

ROOT, ALTER, READER = 100, 200, 300


def person(pid: int, **given: Any) -> Session:
    return Session(
        **{
            "pid": pid,
            "backend_start": f"2026-11-21T22:01:07.{pid:06}+00:00",
            "user": "web",
            "database": "shop",
            "application": "api",
            "backend_type": "client backend",
            "state": "active",
            "state_change": "2026-11-21T22:02:00+00:00",
            "state_seconds": 40.0,
            "query_seconds": 40.0,
            "superuser": False,
            "replication": False,
            "query": "SELECT 1",
            **given,
        }
    )


def wait(pid: int, *blockers: int, seconds: float = 30.0, **wanted: Any) -> Wait:
    lock = {"kind": "relation", "mode": "AccessShareLock", "relation": "orders", "database": "shop", **wanted}
    return Wait(pid, seconds, Wanted(**lock), blockers)


def prepared(gid: str, **given: Any) -> Prepared:
    known = {"since": "2026-11-21T21:00:00+00:00", "user": "xa", "database": "shop", "seconds": 700.0}
    return Prepared(**{"gid": gid, **known, "transactions": 12, **given})


@pytest.fixture
def make() -> Callable[..., Snapshot]:
    """A reader left in its transaction, an ALTER TABLE behind it, a reader behind that; or what is given."""

    def make(**given: Any) -> Snapshot:
        waits = given.pop("waits", None)
        if waits is None:
            waits = (
                wait(ALTER, ROOT, seconds=30.0, mode="AccessExclusiveLock"),
                wait(READER, ALTER, seconds=20.0),
            )
        root = given.pop("root", person(ROOT, state="idle in transaction"))
        known = {each.pid: person(each.pid, wait_event_type="Lock") for each in waits}
        sessions = given.pop("sessions", {**known, ROOT: root})
        return Snapshot(
            **{
                "waiting": len(waits),
                "waits": tuple(waits),
                "beyond": (),
                "sessions": sessions,
                "prepared": {},
                "subject": "postgresql shop on /run",
                **given,
            }
        )

    return make
