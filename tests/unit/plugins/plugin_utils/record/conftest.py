# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import OPENED, Draft
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.store import Store

Make = Callable[..., Draft]


def draft(key: str, **given: Any) -> Draft:
    told = {"time": "2026-11-21T22:00:00.000Z", "kind": "act.done", "actor": "ann", "host": "db1", "data": {}}
    return Draft(key, **{**told, **given})


def opening(**data: Any) -> Draft:
    return draft("open", kind=OPENED, host=None, data={"title": "the shop is down", **data})


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'incidents.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as store:
        store.open("inc-1", opening())
        yield store
