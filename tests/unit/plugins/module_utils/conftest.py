# SPDX-License-Identifier: GPL-3.0-or-later
"""Small makers for the contract's value types."""

from __future__ import annotations

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
