# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import CLOSED
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.outbox import Outbox
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import Recorder
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.store import Store

from .conftest import draft, opening

NOWHERE = "postgresql://ann@127.0.0.1:1/incidents"


@pytest.fixture
def recorder(url: str, store: Store, tmp_path: Path) -> Recorder:
    return Recorder(url, Outbox(tmp_path / "outbox"))


def keys(recorder: Recorder) -> list[str]:
    with recorder.store() as store:
        return [event.key for event in store.events("inc-1")]


def test_what_waited_comes_before_what_is_new(recorder: Recorder) -> None:
    assert Recorder(NOWHERE, recorder.outbox).record("inc-1", [draft("a"), draft("b")]) is not None
    assert keys(recorder) == ["open"]
    assert recorder.record("inc-1", [draft("c")]) is None
    assert keys(recorder) == ["open", "a", "b", "c"]
    assert recorder.outbox.waiting() == []


def test_what_was_delivered_before_a_crash_is_not_recorded_twice(recorder: Recorder) -> None:
    recorder.postpone("inc-1", [draft("a")])
    with recorder.store() as store:
        store.append("inc-1", [draft("a")])
    assert recorder.record("inc-1", [draft("b")]) is None
    assert keys(recorder) == ["open", "a", "b"]


@pytest.mark.parametrize(("incident", "why"), [("inc-9", "none of that id"), ("inc-1", "was closed")])
def test_what_no_incident_takes_waits_and_the_reason_is_told(
    recorder: Recorder, incident: str, why: str
) -> None:
    recorder.record("inc-1", [draft("end", kind=CLOSED)])
    problem = recorder.record(incident, [draft("a", time="2026-11-22T00:00:00.000Z")])
    assert why in str(problem)
    assert recorder.outbox.waiting() == [incident]


def test_an_incident_that_is_opened_later_gets_what_waited_for_it(recorder: Recorder) -> None:
    recorder.record("inc-9", [draft("a")])
    with recorder.store() as store:
        store.open("inc-9", opening())
    recorder.record("inc-9", [draft("b")])
    assert recorder.incident("inc-9").events == 3


def test_without_a_variable_the_record_is_a_file_of_this_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    recorder = Recorder.of({})
    with recorder.store() as store:
        store.open("inc-1", opening())
    assert (tmp_path / "firebreak/incidents.db").exists()
    assert (tmp_path / "firebreak").stat().st_mode & 0o777 == 0o700
