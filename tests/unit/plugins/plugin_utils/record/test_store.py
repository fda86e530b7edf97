# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import resource
import sqlite3
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable
from ansible_collections.firebreak.incident.plugins.plugin_utils.record import engine
from ansible_collections.firebreak.incident.plugins.plugin_utils.record import store as module
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import CLOSED, REOPENED
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.incident import ACKNOWLEDGED
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.state import Recorded, state
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.store import Altered, Closed, Store
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
    assert list(altered(*store.recorded("inc-1"))) == []


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
    (said,) = altered(*store.recorded("inc-1"))
    assert said == "event 3 (act.done, 2026-11-21T22:00:00.000Z) was altered"


def test_an_event_that_was_made_anew_with_its_hash_does_not_fit_the_next(store: Store) -> None:
    store.append("inc-1", [draft("a"), draft("b")])
    events = store.events("inc-1")
    forged = type(events[1]).following(replace(draft("a"), actor="mallory"), "inc-1", 2, events[0].digest)
    _events, count, digest = store.recorded("inc-1")
    assert list(altered([events[0], forged, events[2]], count, digest)) == [
        "event 3 does not follow the one before it"
    ]


def test_events_that_were_taken_away_are_missed(store: Store) -> None:
    store.append("inc-1", [draft("a"), draft("b")])
    events, count, digest = store.recorded("inc-1")
    assert list(altered([events[0], events[2]], count, digest)) == ["event 2 is missing"]
    assert list(altered(events[:2], count, digest)) == ["2 events are there and 3 were recorded"]
    assert list(altered(events, 3, "sha256:0")) == ["event 3 is not the one that was recorded last"]


def test_a_record_that_others_hold_for_too_long_says_so(
    store: Store, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)
    other = sqlite3.connect(tmp_path / "incidents.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with Store(url) as waiting:
            assert len(waiting.events("inc-1")) == 1, "who reads waits for nobody"
            with pytest.raises(Unreachable, match="database is locked"):
                waiting.append("inc-1", [draft("a")])
    finally:
        other.close()


def test_a_record_that_falls_silent_is_given_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    awake = threading.Event()
    hang = partial(awake.wait, 60)
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(module, "_new", lambda *_args: [hang() and draft("a")])
    with pytest.raises(Unreachable, match="it has not answered for"):
        store.append("inc-1", [draft("a")])
    monkeypatch.undo()
    awake.set()
    store.append("inc-1", [draft("a")])
    assert len(store.events("inc-1")) == 2, "it was recorded in the end, and is known by its key"


def test_a_record_that_is_full_says_so_and_keeps_what_it_has(store: Store, tmp_path: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "incidents.db-wal").stat().st_size, limit[1]))
    try:
        with pytest.raises(Unreachable, match="incident record sqlite"):
            store.append("inc-1", [draft("a", data={"text": "x" * 500_000})])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert len(store.append("inc-1", [draft("b")])) == 1
    assert list(altered(*store.recorded("inc-1"))) == []


def test_a_file_that_is_no_record_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("Dear diary, " * 500)
    with pytest.raises(Unreachable, match="file is not a database"):
        Store(f"sqlite:///{tmp_path}/x.db")


def test_it_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path}/x.db") as store:
        store.open("inc-1", opening())
        assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("x.db*")} == {0o600}


@pytest.mark.parametrize("data", ["{", "[1]", "NaN", '{"a": NaN}', "[" * 100_000, b"\xff"])
def test_a_row_that_was_made_unreadable_is_named_and_verified(
    store: Store, tmp_path: Path, data: str | bytes
) -> None:
    store.append("inc-1", [draft("a"), draft("b")])
    with sqlite3.connect(tmp_path / "incidents.db") as raw:
        raw.execute("UPDATE firebreak_events SET data = ? WHERE number = 2", (data,))
    raw.close()
    with pytest.raises(Altered, match="incident inc-1: event 2 of its record is no event any more"):
        store.events("inc-1")
    assert list(altered(*store.recorded("inc-1"))) == ["event 2 was altered so that it cannot be read"]
    assert len(store.append("inc-1", [draft("c")])) == 1, "it is recorded further"


@pytest.mark.parametrize("column", ["time", "actor", "host", "kind"])
def test_a_row_of_which_a_column_was_made_unreadable_is_verified(
    store: Store, tmp_path: Path, column: str
) -> None:
    store.append("inc-1", [draft("ack", kind=ACKNOWLEDGED)])
    with sqlite3.connect(tmp_path / "incidents.db") as raw:
        raw.execute(f"UPDATE firebreak_events SET {column} = x'ff00' WHERE number = 1")
    raw.close()
    assert list(altered(*store.recorded("inc-1"))) == ["event 1 was altered so that it cannot be read"]
    told = state(Recorded(*store.recorded("inc-1")), with_events=True)
    assert (told["phase"], told["intact"], told["seconds"]) == ("acknowledged", False, {})


def test_a_record_whose_head_was_taken_away_is_altered(store: Store, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "incidents.db") as raw:
        raw.execute("DELETE FROM firebreak_incidents")
    raw.close()
    assert list(altered(*store.recorded("inc-1"))) == ["1 events are there and 0 were recorded"]


def test_events_that_were_swapped_are_told(store: Store, tmp_path: Path) -> None:
    store.append("inc-1", [draft("a"), draft("b"), draft("c")])
    with sqlite3.connect(tmp_path / "incidents.db") as raw:
        for old, new in ((2, 99), (3, 2), (99, 3)):
            raw.execute("UPDATE firebreak_events SET number = ? WHERE number = ?", (new, old))
    raw.close()
    told = list(altered(*store.recorded("inc-1")))
    assert told[0] == "event 2 (act.done, 2026-11-21T22:00:00.000Z) was altered"
    assert "event 3 (act.done, 2026-11-21T22:00:00.000Z) was altered" in told


def test_the_order_is_that_of_recording_whatever_the_clocks_show(store: Store) -> None:
    store.append("inc-1", [draft("a", time=LATER)])
    store.append("inc-1", [draft("b", time="2026-11-21T21:00:00.000Z")])
    assert [event.key for event in store.events("inc-1")] == ["open", "a", "b"]


def test_an_event_is_bounded_and_keeps_what_is_small(store: Store) -> None:
    data = {"action": "disk.delete", "target": "/var/log", "evidence": ["x" * 1000] * 5000}
    store.append("inc-1", [draft("k" * 5000, data=data), draft("k" * 5000 + "2")])
    large, other = store.events("inc-1")[1:]
    assert large.data == {**data, "evidence": [], "too_large": ["evidence"]}
    assert len(large.key) == len(other.key) == 500
    assert large.key != other.key


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://ann:s3cret@db/x",
        "postgres://ann:s3cret@db/x",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "sqlite+aiosqlite:///x.db",
        "postgresql+asyncpg://db/x",
        "postgresql://ann:s3cret@db:port/x",
        "redis://db",
    ],
)
def test_a_url_that_cannot_be_meant_names_what_can(url: str) -> None:
    with pytest.raises(BadInput, match="postgresql://user@host/database") as caught:
        Store(url)
    assert "s3cret" not in str(caught.value)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unreachable, match="file"):
        Store(f"sqlite:///{tmp_path}/file/incidents.db")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ann:s3cret@127.0.0.1:1/incidents", "127.0.0.1"),
        ("ann@127.0.0.1:1/incidents?password=s3cret", "127.0.0.1"),
        ("ann@127.0.0.1:1/incidents?pasword=s3cret", 'option "pasword"'),
        ("ann:x@s3cret@127.0.0.1/incidents", "a character of its password must be encoded"),
        ("ann:12/s3cret@127.0.0.1:1/x", "."),
        ("ann:1/a@s3cret@127.0.0.1:1/x", "a character of its password must be encoded"),
        ("ann:s3cret%00@127.0.0.1:1/x", "a character of its password must be encoded"),
    ],
)
def test_a_password_is_in_no_message(url: str, said: str) -> None:
    with pytest.raises((Unreachable, BadInput), match=said) as caught:
        Store(f"postgresql://{url}")
    assert "s3cret" not in str(caught.value)


def test_an_id_that_is_not_there_is_answered_with_those_that_are(store: Store) -> None:
    with pytest.raises(BadInput, match=r"none of that id. Near to it is inc-1\."):
        store.events("inc-2")
    with pytest.raises(BadInput, match=r"none of that id. Open are inc-1\."):
        store.events("20261121")


def test_what_is_no_id_is_not_opened(store: Store) -> None:
    with pytest.raises(BadInput, match="it is not an id"):
        store.open("../x", opening())
