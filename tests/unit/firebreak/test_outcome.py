# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

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
    "findings": [{**FINDING, "host": "web1", "remedy": None}],
    "common": [],
    "hosts": {
        "web1": {"state": "warning", "level": "warning", "message": "so it is", "verdicts": ["improved"]},
        "web2": {"state": "unreachable", "level": None, "message": "no route", "verdicts": []},
    },
    "next": ["ansible-playbook triage"],
    "msg": "2 hosts",
}


def event(kind: str, host: str, **result: Any) -> dict[str, Any]:
    return {"event": kind, "event_data": {"host": host, "res": result}}


def test_what_hosts_said_is_told_host_by_host() -> None:
    listener = Listener()
    run = {"id": "r1", "incident": "inc-1"}
    listener.hear(event("runner_on_ok", "web1", run=run, inputs={}))
    refused = {**ACT, "status": "refused"}
    listener.hear(event("runner_on_ok", "web1", actions=[ACT, refused], findings=[], verdict="improved"))
    listener.hear(event("runner_on_unreachable", "web2", msg="no route"))
    listener.hear(event("runner_on_ok", "web1", **SUMMARY))
    listener.hear({"event": "verbose"})
    outcome = listener.outcome(SUCCESSFUL, "contain_security", 1.5)
    assert (outcome.run, outcome.incident, outcome.ok, outcome.next) == (
        "r1",
        "inc-1",
        True,
        ("ansible-playbook triage",),
    )
    web1 = outcome.hosts["web1"]
    assert (web1.state, len(web1.acts), len(web1.refusals), web1.verdicts) == ("warning", 2, 1, ("improved",))
    assert [finding.id for finding in web1.findings] == ["a.b.c"]
    assert outcome.hosts["web2"].state == "unreachable"
    assert outcome.message == "2 hosts"


def test_an_incident_that_a_run_opened_is_told_by_the_id_it_was_given() -> None:
    listener = Listener()
    listener.hear(event("runner_on_ok", "localhost", run={"id": "r1", "incident": None}, inputs={}))
    opened = {"kind": "incident.opened", "severity": "Sev2"}
    listener.hear(event("runner_on_ok", "localhost", incident="incident-1", event=opened))
    assert listener.outcome(SUCCESSFUL, "open_incident", 0.1).incident == "incident-1"


def test_a_run_that_had_no_summary_says_why() -> None:
    listener = Listener()
    listener.hear(event("runner_on_failed", "web1", msg="input 'x': it takes none"))
    outcome = listener.outcome("failed", "triage", 0.1)
    assert (outcome.ok, outcome.message) == (False, "input 'x': it takes none")
    assert outcome.hosts["web1"].state == "failed"


def test_a_run_that_was_ended_early_is_told_as_such() -> None:
    listener = Listener()
    listener.hear(event("runner_on_ok", "web1", actions=[ACT]))
    assert listener.outcome("canceled", "triage", 9.0).hosts["web1"].acts[0].status == "done"
    assert Listener().outcome("timeout", "triage", 9.0).message.startswith("the run took too long")
