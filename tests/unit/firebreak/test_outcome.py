# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.contract import (
    BEGIN,
    INCIDENT,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.contract import (
    SUMMARY as SUM_UP,
)
from firebreak import runner
from firebreak.outcome import SUCCESSFUL, Listener

ACT: dict[str, Any] = {
    "action": "firewall.block",
    "target": "192.0.2.1",
    "identity": {},
    "risk": "disruptive",
    "status": "done",
    "reason": "it guesses",
    "undo": None,
}
FINDING: dict[str, Any] = {
    "id": "a.b.c",
    "level": "warning",
    "subject": "web",
    "summary": "so it is",
    "evidence": {},
}
SUMMARY: dict[str, Any] = {
    "findings": [
        {**FINDING, "host": "web1", "remedy": None},
        {**FINDING, "id": "d.e.f", "host": "web3", "remedy": None},
    ],
    "common": [],
    "hosts": {
        "web1": {"state": "warning", "level": "warning", "message": "so it is", "verdicts": ["improved"]},
        "web2": {"state": "unreachable", "level": None, "message": "no route", "verdicts": []},
    },
    "next": ["ansible-playbook triage"],
    "msg": "2 hosts",
}


def event(kind: str, host: str, action: str = "firebreak.incident.fail2ban", **result: Any) -> dict[str, Any]:
    return {"event": kind, "event_data": {"host": host, "res": result, "resolved_action": action}}


def test_what_hosts_said_is_told_host_by_host() -> None:
    listener = Listener()
    run = {"id": "r1", "incident": "inc-1"}
    listener.hear(event("runner_on_ok", "web1", BEGIN, run=run, inputs={}))
    refused = {**ACT, "status": "refused"}
    listener.hear(event("runner_on_ok", "web1", actions=[ACT, refused], findings=[], verdict="improved"))
    listener.hear(event("runner_on_unreachable", "web2", msg="no route"))
    listener.hear(event("runner_on_ok", "web1", SUM_UP, **SUMMARY))
    listener.hear({"event": "verbose"})
    outcome = listener.outcome(SUCCESSFUL, "contain_security", 1.5)
    assert (outcome.run, outcome.incident, outcome.ok, outcome.next) == (
        "r1",
        "inc-1",
        True,
        ("ansible-playbook triage",),
    )
    web1 = outcome.hosts["web1"]
    assert (web1.state, len(web1.acts), web1.verdicts) == ("warning", 2, ("improved",))
    assert [act.status for act in web1.refusals] == ["refused"]
    assert [finding.id for finding in web1.findings] == ["a.b.c"]
    assert outcome.hosts["web2"].state == "unreachable"
    assert outcome.message == "2 hosts"


def test_an_incident_that_a_run_opened_is_told_by_the_id_it_was_given() -> None:
    listener = Listener()
    listener.hear(event("runner_on_ok", "localhost", BEGIN, run={"id": "r1", "incident": None}, inputs={}))
    opened = {"kind": "incident.opened", "severity": "Sev2"}
    listener.hear(event("runner_on_ok", "localhost", INCIDENT, incident="incident-1", event=opened))
    assert listener.outcome(SUCCESSFUL, "open_incident", 0.1).incident == "incident-1"


def test_what_a_host_answers_is_neither_the_run_nor_the_incident_nor_the_end() -> None:
    listener = Listener()
    listener.hear(event("runner_on_ok", "localhost", BEGIN, run={"id": "r1", "incident": "inc-1"}, inputs={}))
    listener.hear(event("runner_on_ok", "web1", run={"id": "r9", "incident": "inc-9"}, inputs={}))
    listener.hear(event("runner_on_ok", "web1", incident="inc-9", event={"kind": "incident.opened"}))
    listener.hear(event("runner_on_ok", "web1", **{**SUMMARY, "findings": []}))
    outcome = listener.outcome("failed", "triage", 0.1)
    assert (outcome.run, outcome.incident, outcome.next, outcome.message) == ("r1", "inc-1", (), "failed")


def test_a_run_that_had_no_summary_says_why() -> None:
    listener = Listener()
    listener.hear(event("runner_on_failed", "web1", msg="input 'x': it takes none"))
    outcome = listener.outcome("failed", "triage", 0.1)
    assert (outcome.ok, outcome.message) == (False, "input 'x': it takes none")
    assert outcome.hosts["web1"].state == "failed"


def test_a_run_that_was_ended_early_is_told_as_such() -> None:
    listener = Listener()
    listener.hear(event("runner_on_ok", "web1", actions=[ACT], verdict="resolved"))
    host = listener.outcome("canceled", "triage", 9.0).hosts["web1"]
    assert (host.acts[0].status, host.verdicts, host.state) == ("done", ("resolved",), "unseen")
    assert Listener().outcome("timeout", "triage", 9.0).message.startswith("the run took too long")


def test_what_was_warned_of_is_told_once() -> None:
    listener = Listener()
    for warnings in (["it may not have arrived"], ["it may not have arrived", "another"]):
        listener.hear(event("runner_on_ok", "localhost", warnings=warnings))
    assert listener.outcome(SUCCESSFUL, "escalate", 0.1).warnings == ("it may not have arrived", "another")


def test_a_failure_that_the_playbook_goes_on_after_is_none() -> None:
    listener = Listener()
    failed = event("runner_on_failed", "web1", msg="away", findings=[FINDING])
    failed["event_data"]["ignore_errors"] = True
    listener.hear(failed)
    outcome = listener.outcome("failed", "triage", 0.1)
    assert (outcome.hosts["web1"].state, outcome.message) == ("unseen", "failed")


def test_a_later_play_without_hosts_does_not_make_the_run_one_on_nobody() -> None:
    listener = Listener()
    listener.hear({"event": "playbook_on_no_hosts_matched"})
    assert listener.nobody
    listener = Listener()
    listener.hear(event("runner_on_ok", "web1", findings=[FINDING]))
    listener.hear({"event": "playbook_on_no_hosts_matched"})
    assert not listener.nobody


@pytest.mark.parametrize("kind", ["verbose", "error"])
def test_an_ansible_that_got_to_no_task_is_told_by_its_last_words(kind: str) -> None:
    listener = Listener()
    for words in ("x" * 2000, " the playbook  \n\n could not be found\n"):
        listener.hear({"event": kind, "stdout": words})
    message = listener.outcome("failed", "triage", 0.1).message
    assert message.endswith("xxx the playbook could not be found")
    assert len(message) == 2000


@pytest.mark.parametrize(("over", "status"), [(False, "timeout"), (True, "successful")])
def test_a_run_that_was_over_before_it_could_be_ended_is_no_timeout(over: bool, status: str) -> None:
    listener = Listener()
    if over:
        listener.hear({"event": "playbook_on_stats"})
    assert runner._status(0, "timeout", listener) == status


@pytest.mark.parametrize(
    ("code", "status"), [(0, "successful"), (2, "failed"), (4, "unreachable"), (None, "failed")]
)
def test_ansibles_exit_code_is_told_in_words(code: int | None, status: str) -> None:
    assert runner._status(code, None, Listener()) == status
