# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows and snapshots of a server on which somebody waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks.snapshot import (
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


def waiting(pid: int, *blockers: int, **given: Any) -> dict[str, Any]:
    lock = {"kind": "relation", "mode": "ShareLock", "relation": "t", "database": "shop", "object": None}
    return {"pid": pid, "seconds": 4.0, "blockers": list(blockers), **lock, **given}


def answer(*waits: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    known = {one["pid"] for one in waits} | {pid for one in waits for pid in one["blockers"] if pid}
    return {
        "waiting": len(waits),
        "beyond": [],
        "waits": list(waits),
        "concerned": [{"pid": pid, "backend_start": "2026-11-21T22:01:07+00:00"} for pid in sorted(known)],
        "prepared": [],
        "held": [],
        "sees_all": True,
        **given,
    }


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
