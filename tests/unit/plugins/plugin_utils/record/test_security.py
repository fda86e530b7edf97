# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import CLOSED
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.outbox import Outbox
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import Recorder
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.security import open_security
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.store import Store

from .conftest import draft, opening


@pytest.fixture
def recorder(url: str, tmp_path: Path) -> Recorder:
    return Recorder(url, Outbox(tmp_path / "outbox"))


def test_an_incident_about_security_counts_until_it_is_closed(recorder: Recorder, store: Store) -> None:
    assert open_security(recorder) is None
    store.open("inc-2", opening(security=True))
    assert open_security(recorder) == "inc-2 is about security and open"
    store.append("inc-2", [draft("close", kind=CLOSED)])
    assert open_security(recorder) is None


def test_where_the_record_cannot_be_read_one_is_taken_to_be_open(tmp_path: Path) -> None:
    away = Recorder(f"sqlite:///{tmp_path}", Outbox(tmp_path / "outbox"))
    said = open_security(away)
    assert said is not None
    assert said.startswith("whether a security incident is open cannot be told: incident record sqlite:///")
