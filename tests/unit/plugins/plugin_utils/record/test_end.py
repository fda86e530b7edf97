# SPDX-License-Identifier: GPL-3.0-or-later
"""What is recorded after the end of an incident, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import CLOSED, REOPENED
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.outbox import Outbox
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import Recorder
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.store import Store

from .conftest import draft

LATER = "2026-11-22T00:00:00.000Z"


@pytest.fixture
def recorder(url: str, store: Store, tmp_path: Path) -> Recorder:
    recorder = Recorder(url, Outbox(tmp_path / "outbox"))
    recorder.record("inc-1", [draft("end", kind=CLOSED)])
    return recorder


@pytest.mark.parametrize("kind", ["run.finished", "run.failed", "message.sent"])
def test_the_run_that_closes_it_and_its_last_message_are_recorded(recorder: Recorder, kind: str) -> None:
    assert recorder.record("inc-1", [draft("a", kind=kind, time=LATER)]) is None
    assert recorder.incident("inc-1").closed


def test_what_waited_because_it_came_late_is_delivered_once_it_is_reopened(recorder: Recorder) -> None:
    assert recorder.record("inc-1", [draft("late", time=LATER)]) is not None
    assert recorder.incident("inc-1").closed, "what waits does not keep it from being read"
    assert recorder.record("inc-1", [draft("again", kind=REOPENED, time=LATER)]) is None
    assert recorder.outbox.waiting() == []
    with recorder.store() as store:
        assert [event.key for event in store.events("inc-1")] == ["open", "end", "again", "late"]
