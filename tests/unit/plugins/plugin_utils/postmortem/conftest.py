# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.postmortem.account import Account, account
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import Draft, Event
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.store import Store

from .story import ID, night

Record = Callable[[Sequence[Draft]], list[Event]]


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return f"sqlite:///{tmp_path / 'incidents.db'}"


@pytest.fixture
def record(url: str) -> Record:
    def written(drafts: Sequence[Draft]) -> list[Event]:
        with Store(url) as store:
            store.append(ID, drafts)
            return store.events(ID)

    return written


@pytest.fixture
def told(record: Record) -> Account:
    return account(record(night()))
