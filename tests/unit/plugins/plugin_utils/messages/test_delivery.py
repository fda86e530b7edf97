# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import email
import json
import os
import signal
import subprocess
import sys
import threading
from email import policy
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.job import escalate
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.journal import RecordJournal
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.watched import IDEMPOTENCY_KEY
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import Draft
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import Recorder
from firebreak_lab.receivers import DROP, FAIL, HANG, TAKE, Receiver

from .conftest import Killed, Place, mail_to, url_of

SENDER = """
import json, sys
from datetime import datetime
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.channel import (
    ACCEPTED,
    UNKNOWN,
    Claim,
    Message,
    Outcome,
    bounded,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.delivery import Delivery, Letter
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.job import escalate
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.journal import RecordJournal
variables, now = json.loads(sys.argv[1])
moment = datetime.fromisoformat(now)
print(json.dumps(escalate(variables, None, "bob", lambda: moment, lambda _seconds: None)))
"""


def states(result: dict[str, Any]) -> list[str]:
    return [each["state"] for each in result["messages"]]


def start(place: Place) -> subprocess.Popen[str]:
    given = json.dumps([place.variables, place.clock().isoformat()])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", SENDER, given], stdout=subprocess.PIPE, text=True, env=environment
    )


def kill_when_it_arrived(place: Place, receiver: Receiver) -> None:
    """Another process sends, and is killed while the receiver has the message and has not answered."""
    with start(place) as sender:
        assert receiver.arrived.wait(20)
        os.kill(sender.pid, signal.SIGKILL)
    receiver.released.set()


@pytest.fixture
def told(place: Place, hook: Receiver) -> Place:
    place.variables["firebreak_audiences"] = {"incidents": [url_of(hook)]}
    place.open()
    return place


@pytest.fixture
def mailed(place: Place, mailbox: Receiver) -> Place:
    place.variables["firebreak_audiences"] = {"incidents": [mail_to(mailbox)]}
    place.open()
    return place


def test_a_message_arrives_once_however_often_it_is_asked_for(told: Place, hook: Receiver) -> None:
    assert states(told.escalate(0)) == ["sent"]
    for minute in range(1, 10):
        result = told.escalate(minute)
        assert (result["changed"], result["messages"]) == (False, [])
    assert len(hook.seen) == 1
    assert hook.got[0]["body"]["title"] == "[Sev3 / P2] the shop is down (inc-1)"


def test_a_receiver_that_fails_twice_gets_it_once_with_the_same_key(told: Place, hook: Receiver) -> None:
    hook.behaviour = [FAIL, FAIL, TAKE]
    result = told.escalate(0)
    assert (states(result), result["messages"][0]["attempts"]) == (["sent"], 3)
    assert (len(hook.got), len(hook.seen)) == (1, 3)
    assert len({each["headers"][IDEMPOTENCY_KEY] for each in hook.seen}) == 1
    assert told.slept == [0.0, 1.0, 3.0]
    told.escalate(1)
    assert len(hook.got) == 1


def test_mail_that_is_refused_twice_arrives_once_with_the_same_id(mailed: Place, mailbox: Receiver) -> None:
    mailbox.behaviour = [FAIL, FAIL, TAKE]
    assert states(mailed.escalate(0)) == ["sent"]
    mailed.escalate(1)
    mails = [email.message_from_bytes(each, policy=policy.default) for each in mailbox.seen]
    assert (len(mailbox.got), len(mails)) == (1, 3)
    assert len({each["Message-ID"] for each in mails}) == 1
    assert mails[0]["Subject"] == "[Sev3 / P2] the shop is down (inc-1)"
    assert "Channel: #incident-20261121-120000" in mails[0].get_content()


def test_a_line_that_is_a_dot_alone_does_not_end_a_mail(mailed: Place, mailbox: Receiver) -> None:
    mailed.add("incident.update", text="before\n.\nafter: it ends, für alle")
    mailed.escalate(1)
    (raw,) = mailbox.got
    assert b"\r\n..\r\n" in raw
    mail = email.message_from_bytes(raw.replace(b"\r\n..", b"\r\n."), policy=policy.default)
    assert "before\n.\nafter: it ends, für alle" in mail.get_content().replace("\r\n", "\n")


def test_a_receiver_that_is_away_is_tried_again_ever_more_seldom(told: Place, hook: Receiver) -> None:
    hook.behaviour = [FAIL]
    result = told.escalate(0)
    assert result["failed"]
    assert "NOT sent: initial of inc-1 to incidents (JSON" in result["msg"] and "HTTP 503" in result["msg"]
    tries = []
    for minute in range(1, 59):
        before = len(hook.seen)
        told.escalate(minute)
        tries += [minute] * (len(hook.seen) - before)
    assert tries == [1, 3, 7, 15, 30, 45]
    hook.behaviour = [TAKE]
    assert states(told.escalate(61)) == ["sent"]


def test_nobody_listens_and_that_is_said(told: Place, hook: Receiver) -> None:
    told.variables["firebreak_audiences"]["incidents"] = ["json://127.0.0.1:1/s3cret"]
    result = told.escalate(0)
    assert "it could not be reached" in result["msg"]
    assert "s3cret" not in json.dumps(result)
    told.variables["firebreak_audiences"]["incidents"] = [
        "mailto://127.0.0.1:1/?from=a@x.example&to=b@y.example"
    ]
    assert "ConnectionRefusedError" in told.escalate(10)["msg"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("behaviour", [HANG, DROP])
def test_nobody_knows_whether_it_arrived_so_it_is_not_sent_twice(
    told: Place, hook: Receiver, behaviour: str
) -> None:
    hook.behaviour = [behaviour]
    result = told.escalate(0)
    assert states(result) == ["in_doubt"]
    (warning,) = result["warnings"]
    assert "may not have arrived" in warning and "It is not sent twice" in warning
    for minute in range(1, 20):
        told.escalate(minute)
    assert len(hook.seen) == 1


@pytest.mark.usefixtures("impatient")
def test_a_receiver_that_knows_a_message_again_gets_it_again(told: Place, hook: Receiver) -> None:
    told.variables["firebreak_audiences"]["incidents"] = [url_of(hook, deduplicates=True)]
    hook.behaviour = [HANG, DROP, TAKE]
    assert states(told.escalate(0)) == ["sent"]
    assert len({each["headers"][IDEMPOTENCY_KEY] for each in hook.seen}) == 1


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("behaviour", [HANG, DROP])
def test_mail_that_was_handed_over_without_an_answer_is_not_sent_twice(
    mailed: Place, mailbox: Receiver, behaviour: str
) -> None:
    mailbox.behaviour = [behaviour]
    assert states(mailed.escalate(0)) == ["in_doubt"]
    mailed.escalate(1)
    assert len(mailbox.seen) == 1


def test_one_receiver_that_fails_does_not_make_the_others_get_it_twice(
    told: Place, hook: Receiver, mailbox: Receiver
) -> None:
    told.variables["firebreak_audiences"]["incidents"] = [url_of(hook), mail_to(mailbox)]
    hook.behaviour = [FAIL] * 3 + [TAKE]
    assert sorted(states(told.escalate(0))) == ["failed", "sent"]
    assert sorted(states(told.escalate(2))) == ["already", "sent"]
    assert (len(hook.got), len(mailbox.got)) == (1, 1)


def test_a_sender_that_is_killed_after_it_arrived_makes_no_second_one(told: Place, hook: Receiver) -> None:
    hook.behaviour = [HANG, TAKE]
    kill_when_it_arrived(told, hook)
    assert states(told.escalate(1)) == ["in_progress"]
    result = told.escalate(10)
    assert states(result) == ["in_doubt"]
    assert "was ended before it could tell" in result["warnings"][0]
    told.escalate(11)
    assert len(hook.got) == 1


def test_a_sender_that_is_killed_is_made_up_for_where_the_receiver_knows_it_again(
    told: Place, hook: Receiver
) -> None:
    told.variables["firebreak_audiences"]["incidents"] = [url_of(hook, deduplicates=True)]
    hook.behaviour = [HANG, TAKE]
    kill_when_it_arrived(told, hook)
    assert states(told.escalate(10)) == ["sent"]
    assert len({each["headers"][IDEMPOTENCY_KEY] for each in hook.got}) == 1


def test_mail_whose_sender_is_killed_after_it_was_taken_comes_once(mailed: Place, mailbox: Receiver) -> None:
    mailbox.behaviour = [HANG, TAKE]
    kill_when_it_arrived(mailed, mailbox)
    assert states(mailed.escalate(10)) == ["in_doubt"]
    assert len(mailbox.got) == 1


def test_a_sender_that_is_killed_between_two_failures_loses_nothing(told: Place, hook: Receiver) -> None:
    hook.behaviour = [FAIL]
    told.killed_asleep = True
    with pytest.raises(Killed):
        told.escalate(0)
    told.killed_asleep = False
    hook.behaviour = [FAIL, TAKE]
    assert states(told.escalate(1)) == ["sent"]
    assert len(hook.got) == 1


def test_of_many_senders_at_once_one_sends(told: Place, hook: Receiver) -> None:
    senders = [start(told) for _number in range(3)]
    results = [json.loads(sender.communicate(timeout=60)[0]) for sender in senders]
    assert [sender.returncode for sender in senders] == [0] * 3
    assert len(hook.seen) == 1
    assert sum(result["changed"] for result in results) == 1


def test_of_many_threads_at_once_one_sends(told: Place, hook: Receiver) -> None:
    def work() -> None:
        escalate(told.variables, None, "ann", told.clock, lambda _seconds: None)

    threads = [threading.Thread(target=work) for _number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hook.seen) == 1


def test_check_mode_says_what_is_due_and_sends_nothing(told: Place, hook: Receiver) -> None:
    result = told.escalate(0, check=True)
    (planned,) = result["due"]
    assert (planned["event"], planned["audience"], result["changed"]) == ("initial", "incidents", False)
    assert planned["subject"] == "[Sev3 / P2] the shop is down (inc-1)"
    assert hook.seen == []
    assert [event.kind for event in told.events()] == ["incident.opened"]


def test_the_record_tells_what_was_sent_and_nothing_secret(told: Place, hook: Receiver) -> None:
    hook.behaviour = [FAIL, TAKE]
    told.escalate(0)
    kinds = [event.kind for event in told.events("message.")]
    assert kinds == [
        "message.claimed",
        "message.failed",
        "message.claimed",
        "message.sent",
        "message.settled",
    ]
    (sent,) = told.events("message.sent")
    assert (sent.data["event"], sent.data["audience"], sent.data["attempt"]) == ("initial", "incidents", 2)
    assert "s3cret" not in json.dumps([dict(event.data) for event in told.events()])


def test_the_reason_of_an_escalation_is_recorded_with_its_deadline(told: Place, hook: Receiver) -> None:
    told.variables.update(
        firebreak_people={"lea": {"name": "Lea", "urls": [url_of(hook)]}},
        firebreak_roles={"legal": ["lea"]},
        firebreak_escalation={
            "path": [],
            "matrix": [
                {
                    "name": "breach",
                    "when": {"fact": "data_breach", "at_least": "suspected"},
                    "to": ["legal"],
                    "because": "data may have been taken",
                }
            ],
        },
    )
    told.add("incident.update", text="a dump was found", facts={"data_breach": "suspected"})
    told.escalate(0)
    (sent,) = [event.data for event in told.events("message.sent") if event.data["event"] == "escalation"]
    assert (sent["person"], sent["role"], sent["because"]) == ("lea", "legal", "data may have been taken")
    assert sent["deadline"] == "2026-11-21T12:00:00.000Z"


def test_check_mode_warns_of_what_would_be_missed_when_it_is_needed(told: Place) -> None:
    told.variables["firebreak_escalation"] = {"path": [{"after": "1h", "to": "cto"}], "matrix": []}
    told.variables["firebreak_people"] = {"ann": {"urls": ["nonsense://x"]}}
    result = told.escalate(0, check=True)
    assert [each.partition(": ")[0] for each in result["warnings"]] == [
        "role cto",
        "firebreak_people.ann.urls[0]",
    ]


def test_a_place_that_is_away_does_not_keep_updates_from_the_others(
    told: Place, hook: Receiver, mailbox: Receiver
) -> None:
    told.variables["firebreak_audiences"]["incidents"] = [url_of(hook), mail_to(mailbox)]
    hook.behaviour = [FAIL]
    for minute in (0, 20, 60, 80, 121):
        told.escalate(minute)
    subjects = [email.message_from_bytes(each)["Subject"] for each in mailbox.got]
    assert [("Update" in each) for each in subjects] == [False, True, True]
    hook.behaviour = [TAKE]
    told.escalate(140)
    titles = [each["body"]["title"] for each in hook.got]
    assert sorted(("Update" in each) for each in titles) == [False, True]
    told.escalate(141)
    assert (len(hook.got), len(mailbox.got)) == (2, 3)


@pytest.mark.parametrize("place_of", [url_of, mail_to])
def test_what_cannot_be_claimed_is_not_sent(
    place: Place, hook: Receiver, mailbox: Receiver, monkeypatch: pytest.MonkeyPatch, place_of: Any
) -> None:
    def fail(_journal: RecordJournal, _draft: Draft) -> bool:
        raise Unreachable("incident record", "it is locked", "Wait.")

    place.variables["firebreak_audiences"] = {
        "incidents": [place_of(hook if place_of is url_of else mailbox)]
    }
    place.open()
    monkeypatch.setattr(RecordJournal, "first", fail)
    with pytest.raises(Unreachable, match="it is locked"):
        place.escalate(0)
    assert (hook.seen, mailbox.seen) == ([], [])


def test_a_record_that_goes_away_after_sending_is_told_later(
    told: Place, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_recorder: Recorder) -> None:
        raise Unreachable("incident record", "it is locked", "Wait.")

    def send_and_lose(journal: RecordJournal, draft: Draft) -> bool:
        first = claim(journal, draft)
        monkeypatch.setattr(Recorder, "store", away)
        return first

    claim = RecordJournal.first
    monkeypatch.setattr(RecordJournal, "first", send_and_lose)
    assert states(told.escalate(0)) == ["sent"]
    monkeypatch.undo()
    monkeypatch.setenv("XDG_STATE_HOME", str(Path(told.variables["firebreak_record"][10:]).parent / "state"))
    assert told.escalate(10)["messages"] == []
    assert len(hook.seen) == 1
