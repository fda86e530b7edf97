# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that was set up long ago, and makers for what stands on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.packages import Owned, Verification
from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.persistence.decide import decide
from ansible_collections.firebreak.incident.plugins.module_utils.persistence.model import (
    Account,
    Accounts,
    Item,
    Reference,
    Snapshot,
    Walk,
)

NOW = 1_800_000_000.0
SINCE = NOW - 7 * 86400
OLD = SINCE - 86400


def make_item(kind: str, path: str, **given: Any) -> Item:
    defaults: dict[str, Any] = {"ctime": OLD, "mtime": OLD, "sha256": "a" * 64}
    return Item(kind, path, **{**defaults, **given})


def make_snapshot(*files: Item, **given: Any) -> Snapshot:
    defaults: dict[str, Any] = {
        "reference": Reference(since=SINCE, born=OLD - 86400, settled=OLD - 86000),
        "files": files,
        "accounts": Accounts(accounts=(Account("root", 0, "/root", "/bin/bash", "locked"),)),
        "privileged": Walk(),
        "programs": (),
        "modules": (),
        "containers": (),
        "verification": Verification("dpkg", 100),
        "owners": {},
    }
    return Snapshot(**{**defaults, **given})


def make_owned(*paths: str, package: str = "cron", installed: float = OLD) -> dict[str, Owned]:
    return {path: Owned(package, installed) for path in paths}


def remarkable(snapshot: Snapshot, **params: Any) -> list[Finding]:
    """All but the two notices that say what a look without a baseline cannot tell."""
    return [
        found
        for found in decide(snapshot, {"window": "7d", **params}, NOW)[1]
        if found.id not in ("persistence.baseline.absent", "persistence.reference.young")
    ]


def summed(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(found.id, found.level) for found in findings]


@pytest.fixture
def baseline_of() -> Callable[[Snapshot], dict[str, Any]]:
    def take(snapshot: Snapshot) -> dict[str, Any]:
        return dict(decide(snapshot, {"window": "7d"}, NOW)[0]["baseline"])

    return take
