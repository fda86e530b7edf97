# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import CLOSED
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.outbox import Outbox
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import Recorder
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.store import Store
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.verify import altered

from .conftest import draft, opening

LATER = "2026-11-22T00:00:00.000Z"
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


def test_what_came_late_keeps_nothing_else_from_being_recorded(recorder: Recorder) -> None:
    late = [draft("late", time=LATER), draft("sent", kind="message.sent", time=LATER)]
    recorder.record("inc-1", [draft("end", kind=CLOSED)])
    assert "was closed" in str(recorder.record("inc-1", late))
    assert recorder.record("inc-1", [draft("last", kind="message.sent", time=LATER)]) is None
    assert keys(recorder) == ["open", "end", "sent", "last"]
    assert recorder.outbox.waiting() == ["inc-1"]


def test_an_outbox_that_cannot_be_read_keeps_nothing_from_being_recorded(
    recorder: Recorder, tmp_path: Path
) -> None:
    (tmp_path / "outbox/inc-1.jsonl").mkdir(parents=True)
    assert recorder.record("inc-1", [draft("a")]) is None
    assert recorder.incident("inc-1").events == 2


def test_an_incident_that_was_opened_while_the_record_was_away_is_among_the_open_ones(
    recorder: Recorder,
) -> None:
    away = Recorder(NOWHERE, recorder.outbox)
    away.record("inc-2", [draft("before")])
    assert away.open("inc-2", opening()) is not None
    away.record("inc-3", [draft("of none")])
    assert recorder.open_incidents() == ["inc-1", "inc-2"]
    assert recorder.incident("inc-2").events == 2
    assert recorder.outbox.waiting() == ["inc-3"]


def test_what_databases_do_not_take_waits_and_is_recorded_like_anything(recorder: Recorder) -> None:
    Recorder(NOWHERE, recorder.outbox).record("inc-1", [draft("a", data={"load": float("nan")})])
    assert (
        recorder.record("inc-1", [draft("b", actor="a\0b\udcff", data={2: {1}, "x": float("inf")})]) is None
    )
    with recorder.store() as store:
        found, count, digest = store.recorded("inc-1")
        assert [event.data for event in found[1:]] == [{"load": "nan"}, {"2": [1], "x": "inf"}]
        assert list(altered(found, count, digest)) == []


def test_without_a_variable_the_record_is_a_file_of_this_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    recorder = Recorder.of({})
    with recorder.store() as store:
        store.open("inc-1", opening())
    assert (tmp_path / "firebreak/incidents.db").exists()
    assert (tmp_path / "firebreak").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "firebreak/incidents.db").stat().st_mode & 0o777 == 0o600
