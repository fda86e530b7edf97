# SPDX-License-Identifier: GPL-3.0-or-later
"""Small makers for the contract's value types, and time zones."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.ledger import Entry
from ansible_collections.firebreak.incident.plugins.module_utils.plan import Act, Undo


def make_act(name: str = "a", **given: Any) -> Act:
    identity = {"name": name}
    defaults: dict[str, Any] = {
        "action": "test.set",
        "target": name,
        "identity": identity,
        "risk": "reversible",
        "reason": "the test wants it",
        "undo": Undo("test.unset", identity),
    }
    return Act(**{**defaults, **given})


def make_entry(act: Act, status: str = "done", **given: Any) -> Entry:
    defaults: dict[str, Any] = {"time": "2026-11-21T22:00:00.000Z", "run": "run-1"}
    return Entry.of(act.became(status), **{**defaults, **given})


@pytest.fixture
def act() -> Act:
    return make_act()


def epoch(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.fixture(params=["UTC", "Europe/Berlin", "America/St_Johns"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
