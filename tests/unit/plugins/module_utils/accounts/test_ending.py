# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.accounts.ending import (
    Request,
    end,
    inform,
)
from ansible_collections.firebreak.incident.plugins.module_utils.accounts.observe import Live, Sessions, Users
from ansible_collections.firebreak.incident.plugins.module_utils.accounts.people import Me
from ansible_collections.firebreak.incident.plugins.module_utils.addresses import Protected
from ansible_collections.firebreak.incident.plugins.module_utils.clients.accounts import Account
from ansible_collections.firebreak.incident.plugins.module_utils.clients.systemd import Login
from ansible_collections.firebreak.incident.plugins.module_utils.clients.user_processes import UserProcess
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput

SCOPE = "/user.slice/user-1001.slice/session-3.scope"
MINE = "/user.slice/user-1000.slice/session-9.scope"
ME = Me({1000: "it is your own"}, frozenset({90, 91}), MINE, "198.51.100.1")
ACCOUNTS = (
    Account("root", 0, "/bin/bash", "none"),
    Account("postgres", 105, "/bin/bash", "none"),
    Account("responder", 1000, "/bin/bash", "none"),
    Account("deploy", 1001, "/bin/bash", "locked", 1),
)


def live(id: str, user: str, uid: int, remote: str, leader: int) -> Live:
    return Live(
        Login(user, remote, "pts/0", "today", "sshd", "active", id, uid, leader, f"session-{id}.scope"), 1
    )


def process(pid: int, uid: int, group: str, **given: Any) -> UserProcess:
    return UserProcess(pid, 1, "sh", pid * 100, frozenset({uid}), group=group, **given)


def seen(*sessions: Live, processes: tuple[UserProcess, ...] = (), me: Me = ME, **given: Any) -> Sessions:
    return Sessions(sessions, Users(ACCOUNTS, processes, me, 20779, {}, **given))


DEPLOY = live("3", "deploy", 1001, "203.0.113.7", 30)
OTHER = live("4", "deploy", 1001, "2001:db8::7", 40)
OWN = live("9", "responder", 1000, "198.51.100.1", 90)


def test_a_session_is_told_by_id_leader_and_start() -> None:
    (act,) = end(seen(DEPLOY), Request(users=("deploy",))).plan.acts
    assert act.identity == {"session": "3", "user": "deploy", "leader": 30, "started": 1, "since": "today"}
    assert (act.action, act.risk, act.undo) == ("sessions.end", "disruptive", None)


def test_what_runs_outside_of_the_ended_sessions_is_ended_too() -> None:
    inside, outside = process(31, 1001, SCOPE), process(32, 1001, "/system.slice/cron.service")
    decision = end(seen(DEPLOY, processes=(inside, outside)), Request(users=("deploy",)))
    assert [act.action for act in decision.plan.acts] == ["sessions.end", "sessions.end_processes"]
    assert decision.plan.acts[1].identity == {
        "user": "deploy",
        "uid": 1001,
        "processes": [{"pid": 32, "started": 3200}],
    }
    assert decision.symptom == 2
    only = end(seen(DEPLOY, processes=(inside, outside)), Request(users=("deploy",), processes=False))
    assert [act.action for act in only.plan.acts] == ["sessions.end"]


def test_containers_and_services_with_the_same_number_are_left_alone() -> None:
    container = process(33, 1001, "/system.slice/docker-" + "ab" * 32 + ".scope")
    service = process(34, 1001, "/system.slice/php8.2-fpm.service")
    decision = end(seen(processes=(container, service)), Request(users=("deploy",)))
    assert (decision.symptom, decision.plan.acts) == (0, ())
    (finding,) = decision.findings
    assert finding.id == "sessions.user.service"
    assert finding.evidence == {"units": ["php8.2-fpm.service"], "pids": [34]}


@pytest.mark.parametrize("address", ["203.0.113.7", "203.0.113.0/24", "2001:db8::/64"])
def test_by_address_only_those_sessions_end(address: str) -> None:
    left = process(32, 1001, "/system.slice/cron.service")
    decision = end(seen(DEPLOY, OTHER, processes=(left,)), Request(addresses=(address,)))
    (act,) = decision.plan.acts
    assert act.identity["session"] == ("4" if ":" in address else "3")


@pytest.mark.parametrize("keep", ["deploy", "3", "203.0.113.0/24"])
def test_what_is_to_be_kept_is_kept_with_its_processes(keep: str) -> None:
    left = process(32, 1001, "/system.slice/cron.service")
    decision = end(seen(DEPLOY, processes=(left,)), Request(users=("deploy",), keep=(keep,)))
    assert decision.plan.acts == ()


def test_the_responders_own_is_refused_when_named_and_passed_over_when_not() -> None:
    named = end(seen(OWN), Request(users=("responder",)))
    assert [act.reason for act in named.plan.refusals] == ["it is your own session"]
    again = live("8", "responder", 1000, "203.0.113.9", 80)
    assert (
        "the account you are logged in with" in end(seen(again), Request(ids=("8",))).plan.refusals[0].reason
    )
    everybody = end(seen(OWN, again, DEPLOY), Request(everybody=True))
    assert [act.identity["session"] for act in everybody.plan.acts] == ["3"]
    assert (everybody.plan.refusals, everybody.symptom) == ((), 1)


def test_who_comes_as_root_shares_the_account_with_an_intruder() -> None:
    me = Me({}, frozenset({90}), MINE, "198.51.100.1")
    mine = live("5", "root", 0, "198.51.100.1", 50)
    theirs = live("6", "root", 0, "203.0.113.7", 60)
    decision = end(seen(mine, theirs, me=me), Request(users=("root",)))
    assert [act.identity["session"] for act in decision.plan.acts] == ["6"]
    assert "your own address" in decision.plan.refusals[0].reason


def test_processes_of_the_system_are_never_ended() -> None:
    left = process(35, 105, "/system.slice/cron.service")
    decision = end(seen(processes=(left,)), Request(users=("postgres",)))
    assert decision.plan.acts == ()
    assert "system account" in decision.plan.refusals[0].reason


def test_what_goes_on_afterwards_is_said() -> None:
    risen = process(36, 0, "/system.slice/cron.service", login=1001)
    ending = process(37, 0, SCOPE, login=1001)
    found = end(seen(DEPLOY, processes=(risen, ending)), Request(users=("deploy",))).findings
    assert [(each.id, each.evidence["processes"]) for each in found] == [
        ("sessions.user.elevated", [{"pid": 36, "name": "sh"}])
    ]
    other = Users((Account("deploy", 1001, "/bin/bash", "set"),), (), ME, 20779, {})
    assert [f.id for f in end(Sessions((DEPLOY,), other), Request(users=("deploy",))).findings] == [
        "sessions.user.can_return"
    ]


def params(**given: Any) -> dict[str, Any]:
    defaults: dict[str, Any] = {"users": None, "addresses": None, "sessions": None, "all_but_mine": False}
    return {**defaults, "keep": [], "processes": True, **given}


def test_no_list_at_all_is_a_mistake_and_an_empty_one_names_nobody() -> None:
    with pytest.raises(BadInput, match="nobody is named"):
        Request.of(params(keep=["deploy"]), Protected(()))
    request = Request.of(params(users=[], addresses=[]), Protected(()))
    assert end(seen(DEPLOY), request).symptom == 0


def test_a_protected_address_alone_ends_nothing_and_the_others_go() -> None:
    protected = Protected.of({"203.0.113.7": "it is bastion1 of the inventory"})
    asked = params(addresses=["203.0.113.7", "2001:db8::7"])
    decision = end(seen(DEPLOY, OTHER), Request.of(asked, protected))
    assert [act.identity["session"] for act in decision.plan.acts] == ["4"]
    assert [act.reason for act in decision.plan.refusals] == ["it is bastion1 of the inventory"]
    named = Request.of({**asked, "users": ["deploy"]}, protected)
    assert len(end(seen(DEPLOY, OTHER), named).plan.acts) == 2


def test_who_left_something_running_is_listed() -> None:
    left = process(32, 1001, "/system.slice/cron.service")
    data, findings = inform(seen(OWN, processes=(left,)))
    assert data["left_behind"] == [{"user": "deploy", "pid": 32, "name": "sh"}]
    assert [finding.id for finding in findings] == ["sessions.user.left_behind"]
    assert [session["own"] for session in data["sessions"]] == [True]
    assert inform(seen(DEPLOY, processes=(left,)))[1] == []
