# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable
from ansible_collections.firebreak.incident.plugins.plugin_utils.record import store as module
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import CLOSED, REOPENED
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.store import Closed, Store
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.verify import altered

from .conftest import draft, opening

LATER, LATEST = "2026-11-21T23:00:00.000Z", "2026-11-22T00:00:00.000Z"


def test_events_keep_their_order_and_each_holds_the_hash_of_the_one_before(store: Store) -> None:
    store.append("inc-1", [draft("a", data={"n": 1}), draft("b", host=None)])
    store.append("inc-1", [draft("c")])
    events = store.events("inc-1")
    assert [(event.number, event.key) for event in events] == [(1, "open"), (2, "a"), (3, "b"), (4, "c")]
    assert [event.previous for event in events[1:]] == [event.digest for event in events[:-1]]
    assert (events[1].data, events[2].host) == ({"n": 1}, None)
    assert list(altered(events, *store.head("inc-1"))) == []


def test_what_has_the_same_key_is_recorded_once(store: Store) -> None:
    assert len(store.append("inc-1", [draft("a"), draft("a")])) == 1
    assert store.append("inc-1", [draft("a", actor="bob")]) == []
    assert [event.actor for event in store.events("inc-1") if event.key == "a"] == ["ann"]


def test_incidents_do_not_mix(store: Store) -> None:
    store.open("inc-2", opening())
    store.append("inc-2", [draft("a")])
    assert (len(store.events("inc-1")), len(store.events("inc-2"))) == (1, 2)


def test_an_id_is_used_once(store: Store) -> None:
    with pytest.raises(BadInput, match="inc-1: it is open already"):
        store.open("inc-1", opening())
    assert len(store.events("inc-1")) == 1


def test_an_unknown_incident_is_named(store: Store) -> None:
    said = "incident inc-9: there is none of that id"
    with pytest.raises(BadInput, match=said):
        store.append("inc-9", [draft("a")])
    with pytest.raises(BadInput, match=said):
        store.events("inc-9")


def test_what_happens_after_the_end_is_refused_and_what_came_late_is_not(store: Store) -> None:
    store.append("inc-1", [draft("end", kind=CLOSED, time=LATER)])
    assert store.incidents() == []
    assert store.incidents(still_open=False) == ["inc-1"]
    assert len(store.append("inc-1", [draft("late")])) == 1
    with pytest.raises(Closed, match=f"it was closed at {LATER}. Reopen it"):
        store.append("inc-1", [draft("late-2"), draft("after", time=LATEST)])
    assert [event.key for event in store.events("inc-1")] == ["open", "end", "late"]


def test_an_incident_that_is_opened_again_takes_events(store: Store) -> None:
    store.append("inc-1", [draft("end", kind=CLOSED, time=LATER)])
    store.append("inc-1", [draft("again", kind=REOPENED, time=LATEST)])
    assert len(store.append("inc-1", [draft("after", time=LATEST)])) == 1
    assert store.incidents() == ["inc-1"]


def test_an_alteration_is_told_with_its_place(store: Store, tmp_path: Path) -> None:
    store.append("inc-1", [draft("a"), draft("b"), draft("c")])
    with sqlite3.connect(tmp_path / "incidents.db") as raw:
        raw.execute("UPDATE firebreak_events SET actor = 'mallory' WHERE number = 3")
    raw.close()
    (said,) = altered(store.events("inc-1"), *store.head("inc-1"))
    assert said == "event 3 (act.done, 2026-11-21T22:00:00.000Z) was altered"


def test_an_event_that_was_made_anew_with_its_hash_does_not_fit_the_next(store: Store) -> None:
    store.append("inc-1", [draft("a"), draft("b")])
    events = store.events("inc-1")
    forged = type(events[1]).following(replace(draft("a"), actor="mallory"), "inc-1", 2, events[0].digest)
    assert list(altered([events[0], forged, events[2]], *store.head("inc-1"))) == [
        "event 3 does not follow the one before it"
    ]


def test_events_that_were_taken_away_are_missed(store: Store) -> None:
    store.append("inc-1", [draft("a"), draft("b")])
    events, head = store.events("inc-1"), store.head("inc-1")
    assert list(altered([events[0], events[2]], *head)) == ["event 2 is missing"]
    assert list(altered(events[:2], *head)) == ["2 events are there and 3 were recorded"]
    assert list(altered(events, 3, "sha256:0")) == ["event 3 is not the one that was recorded last"]


def test_a_record_that_others_hold_for_too_long_says_so(
    store: Store, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    other = sqlite3.connect(tmp_path / "incidents.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(Unreachable, match="database is locked"):
            Store(url)
    finally:
        other.close()


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://db/x", "sqlite://", "postgresql+asyncpg://db/x", "redis://db"]
)
def test_a_url_that_cannot_be_meant_names_what_can(url: str) -> None:
    with pytest.raises(BadInput, match="postgresql://user@host/database"):
        Store(url)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unreachable, match="file"):
        Store(f"sqlite:///{tmp_path}/file/incidents.db")


def test_a_password_is_in_no_message() -> None:
    with pytest.raises(Unreachable) as caught:
        Store("postgresql://ann:s3cret@127.0.0.1:1/incidents")
    assert "s3cret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
