# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a message when the record, or what waits for it, is in trouble."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages import delivery
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.channel import REFUSED, UNKNOWN
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.journal import (
    Attempts,
    RecordJournal,
    Writer,
    journal_of,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import CLOSED, OPENED, Draft
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.outbox import Outbox
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import Recorder
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.store import Store
from firebreak_lab.receivers import DROP, FAIL, TAKE, Receiver

from .conftest import BEGAN, NAME, Place, url_of

NOWHERE = "postgresql://ann:s3cret@127.0.0.1:1/incidents"
DELIVERY = "message:initial@abc"
CLAIM = Draft("a", "2026-11-21T12:00:00.000Z", "message.claimed", "ann", None, {})


@pytest.fixture
def told(place: Place, hook: Receiver) -> Place:
    place.variables["firebreak_audiences"] = {"incidents": [url_of(hook)]}
    place.open()
    return place


def states(result: dict[str, Any]) -> list[str]:
    return [each["state"] for each in result["messages"]]


def writer(place: Place) -> Writer:
    return Writer(RecordJournal(Recorder.of(place.variables), NAME), DELIVERY, "ann", {}, place.clock)


def attempts(place: Place) -> Attempts:
    return Attempts.of(place.events(), DELIVERY)


def test_what_came_late_keeps_no_message_from_being_sent_once(told: Place, hook: Receiver) -> None:
    told.add(CLOSED)
    recorder = Recorder.of(told.variables)
    told.minute = 5
    assert recorder.record(NAME, [Draft("late", told.events()[-1].time[:-5] + "9.000Z", "x", "a", None, {})])
    assert recorder.outbox.waiting() == [NAME]
    for minute in (6, 7, 8):
        told.notify(minute, "update", ["incidents"], text="It is over")
    assert len(hook.got) == 1
    assert recorder.outbox.waiting() == [NAME]


def test_an_outbox_that_cannot_be_read_keeps_no_message_from_being_sent(
    told: Place, hook: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "state/firebreak/outbox/inc-1.jsonl").mkdir(parents=True)
    assert states(told.escalate(0)) == ["sent"]
    assert told.escalate(1)["messages"] == []
    assert len(hook.got) == 1


@pytest.mark.parametrize(
    "ask", [RecordJournal.events, lambda it: it.first(Draft("a", "t", "k", "a", None, {}))]
)
def test_without_a_record_nothing_is_sent_and_that_is_said(tmp_path: Path, ask: Any) -> None:
    with pytest.raises(Unreachable, match=r"Nothing is sent without it, .*Run it again") as caught:
        ask(RecordJournal(Recorder(NOWHERE, Outbox(tmp_path)), NAME))
    assert "s3cret" not in str(caught.value)


def away(told: Place) -> Place:
    """The same site, which does not reach its record."""
    return replace(told, variables={**told.variables, "firebreak_record": NOWHERE})


def opening(place: Place) -> Draft:
    told = {"title": "the shop is down", "severity": "P2"}
    return Draft("open", iso(BEGAN), OPENED, "ann", None, told)


def test_who_opens_an_incident_while_the_record_is_away_is_heard_once(place: Place, hook: Receiver) -> None:
    place.variables["firebreak_audiences"] = {"incidents": [url_of(hook)]}
    offline = away(place)
    recorder = Recorder.of(offline.variables)
    assert recorder.open(NAME, opening(place)) is not None
    for minute in (0, 1):
        result = offline.escalate(minute)
        assert result["incidents"] == [NAME] and result["failed"]
        assert "what is due in other incidents is not known: incident record postgresql" in result["msg"]
    assert len(hook.got) == 1
    # The record is back: it learns who was told.
    assert place.escalate(2)["messages"] == []
    assert [event.kind for event in place.events("message.")][:2] == ["message.claimed", "message.sent"]
    assert (len(hook.got), recorder.outbox.waiting()) == (1, [])


def test_who_finds_the_record_back_in_the_middle_leaves_the_rest_to_it(place: Place) -> None:
    recorder = Recorder.of(away(place).variables)
    recorder.open(NAME, opening(place))
    journal = journal_of(recorder, NAME)
    assert (journal.first(CLAIM), journal.first(CLAIM)) == (True, False)
    Recorder.of(place.variables).incident(NAME)
    with pytest.raises(Unreachable, match="it waits here no longer"):
        journal.first(replace(CLAIM, key="b"))


def test_an_incident_of_which_only_a_part_waits_is_left_to_the_record(place: Place) -> None:
    recorder = Recorder.of(away(place).variables)
    recorder.postpone(NAME, [CLAIM])
    assert isinstance(journal_of(recorder, NAME), RecordJournal)
    with pytest.raises(Unreachable, match="connection to server"):
        away(place).escalate(0)


def test_a_record_that_was_altered_keeps_no_other_incident_waiting(
    told: Place, hook: Receiver, tmp_path: Path
) -> None:
    with Recorder.of(told.variables).store() as store:
        first = told.events()[0]
        store.open("inc-0", Draft("open", first.time, first.kind, "ann", None, first.data))
    with sqlite3.connect(tmp_path / "incidents.db") as raw:
        raw.execute("UPDATE firebreak_events SET data = '{' WHERE incident = 'inc-0'")
    raw.close()
    result = told.escalate(0)
    assert "incident inc-0: event 1 of its record is no event any more" in result["msg"]
    assert len(hook.got) == 1


def test_a_claim_that_nobody_knows_to_be_recorded_is_taken_back(
    told: Place, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(store: Store, incident: str, drafts: Sequence[Draft]) -> Any:
        append(store, incident, drafts)
        raise Unreachable("incident record", "server closed the connection", "Wait.")

    append = Store.append
    monkeypatch.setattr(Store, "append", lost)
    with pytest.raises(Unreachable, match="Nothing is sent without it"):
        told.escalate(0)
    monkeypatch.setattr(Store, "append", append)
    assert hook.seen == []
    assert states(told.escalate(1)) == ["sent"], "nobody has to ask whether it arrived"
    assert len(hook.got) == 1


def test_a_claim_that_was_taken_back_does_not_take_back_another_s(place: Place, tmp_path: Path) -> None:
    """Of two controllers one does not reach the record; what it says of that arrives late."""
    place.open()
    outbox, until = Outbox(tmp_path / "elsewhere"), BEGAN + delivery.LEASE
    away = RecordJournal(Recorder(NOWHERE, outbox), NAME)
    with pytest.raises(Unreachable):
        Writer(away, DELIVERY, "ben", {}, place.clock).claim(0, until)
    assert writer(place).claim(0, until)
    Recorder(place.variables["firebreak_record"], outbox).incident(NAME)
    assert len(place.events("message.failed")) == 1
    assert attempts(place).pending == until


def test_who_fails_before_it_begins_says_nothing_of_the_message_that_another_hands_over(
    place: Place,
) -> None:
    place.open()
    early, other = writer(place), writer(place)
    assert other.claim(0, BEGAN + delivery.LEASE)
    early.failed(0, REFUSED, "it could not be reached", claimed=False)
    assert attempts(place).pending is not None
    other.failed(1, UNKNOWN, "no answer")
    early.failed(0, REFUSED, "it could not be reached", claimed=False)
    assert attempts(place).unknown


def test_what_became_of_an_old_claim_says_nothing_of_a_new_one(place: Place) -> None:
    place.open()
    old, new = writer(place), writer(place)
    assert old.claim(0, BEGAN)
    new.failed(1, UNKNOWN, "whoever handed it over was ended")
    assert attempts(place).unknown
    assert new.claim(1, BEGAN + timedelta(hours=1))
    writer(place).failed(1, UNKNOWN, "whoever handed it over was ended")
    old.failed(1, REFUSED, "HTTP 503")
    assert attempts(place).pending == BEGAN + timedelta(hours=1)


def test_a_receiver_that_never_answers_is_tried_ever_more_seldom(told: Place, hook: Receiver) -> None:
    told.variables["firebreak_audiences"]["incidents"] = [url_of(hook, deduplicates=True)]
    hook.behaviour = [DROP]
    assert states(told.escalate(0)) == ["failed"]
    tries = []
    for minute in range(1, 40):
        before = len(hook.seen)
        told.escalate(minute)
        tries += [minute] * (len(hook.seen) - before)
    assert tries == [1, 3, 7, 15, 30]
    hook.behaviour = [TAKE]
    assert states(told.escalate(50)) == ["sent"]


def test_a_receiver_that_refuses_and_then_falls_silent_is_counted_alike(told: Place, hook: Receiver) -> None:
    told.variables["firebreak_audiences"]["incidents"] = [url_of(hook, deduplicates=True)]
    hook.behaviour = [FAIL, DROP, DROP]
    told.escalate(0)
    assert len(hook.seen) == 3
    hook.behaviour = [TAKE]
    assert told.escalate(0.5)["messages"][0]["state"] == "waits"
