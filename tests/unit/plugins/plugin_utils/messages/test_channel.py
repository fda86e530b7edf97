# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.channel import (
    ACCEPTED,
    UNKNOWN,
    Claim,
    Message,
    Outcome,
    bounded,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.delivery import Delivery, Letter
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.journal import RecordJournal
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.template import Text
from ansible_collections.firebreak.incident.plugins.plugin_utils.people.due import Notification
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import Recorder

from .conftest import Place

TEXT = Text("It is down", "It is down.")


def test_who_was_given_up_sends_nothing_when_it_wakes_up(place: Place) -> None:
    place.open()
    late: list[Claim] = []

    @dataclass(frozen=True)
    class Stuck:
        id: str = "stuck"
        shown: str = "stuck"
        deduplicates: bool = False

        def send(self, message: Message, claim: Claim) -> Outcome:
            late.append(claim)
            return Outcome(UNKNOWN, "no answer within 30 s")

    now = place.clock()
    letter = Letter(Notification("initial", "incidents", "initial", "message:x", now, now), TEXT, [Stuck()])
    journal = RecordJournal(Recorder.of(place.variables), "inc-1")
    (item,) = Delivery(journal, "inc-1", "ann", place.clock, place.sleep).deliver([letter], journal.events())
    assert (item.state, len(late)) == ("failed", 3)
    assert [claim() for claim in late] == [False, False, False]
    assert place.events("message.claimed") == []


def test_nobody_waits_for_a_receiver_that_keeps_a_message() -> None:
    release = threading.Event()

    def work() -> Outcome:
        release.wait(20)
        return Outcome(ACCEPTED)

    outcome = bounded(work, 0.05)
    release.set()
    assert (outcome.result, outcome.why) == (UNKNOWN, "no answer within 0 s")


def test_what_a_library_trips_over_is_told_by_its_kind_alone(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> Outcome:
        raise RuntimeError("no way to https://hook.example/s3cret")

    assert bounded(work) == Outcome(UNKNOWN, "RuntimeError")
    assert capfd.readouterr() == ("", "")
