# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.accounts.decide import (
    closed,
    day,
    inform,
    lock,
    unlock,
)
from ansible_collections.firebreak.incident.plugins.module_utils.accounts.job import own_locks
from ansible_collections.firebreak.incident.plugins.module_utils.accounts.observe import Users
from ansible_collections.firebreak.incident.plugins.module_utils.accounts.people import Me
from ansible_collections.firebreak.incident.plugins.module_utils.clients.accounts import Account
from ansible_collections.firebreak.incident.plugins.module_utils.clients.user_processes import UserProcess
from ansible_collections.firebreak.incident.plugins.module_utils.ledger import Entry

TODAY = 20779
OPEN = Account("deploy", 1001, "/bin/bash", "set")


def users(*accounts: Account, **given: Any) -> Users:
    defaults: dict[str, Any] = {"processes": (), "me": Me({}), "today": TODAY, "elsewhere": {}}
    return Users(accounts, **{**defaults, **given})


def running(uid: int, group: str) -> UserProcess:
    return UserProcess(7, 1, "postgres", 700, frozenset({uid}), group=group)


@pytest.mark.parametrize(
    ("password", "expires", "after"),
    [
        ("set", None, {"password": "locked", "expires": 1}),
        ("set", TODAY + 9, {"password": "locked", "expires": 1}),
        ("set", TODAY, {"password": "locked", "expires": 1}),
        ("set", 0, {"password": "locked", "expires": 1}),
        ("set", TODAY - 9, {"password": "locked", "expires": TODAY - 9}),
        ("locked", None, {"password": "locked", "expires": 1}),
        ("none", None, {"password": "none", "expires": 1}),
        ("empty", None, {"password": "none", "expires": 1}),
    ],
)
def test_an_open_account_is_closed_by_both_and_the_undo_is_the_way_back(
    password: str, expires: int | None, after: dict[str, Any]
) -> None:
    decision = lock(users(Account("deploy", 1001, "/bin/bash", password, expires)), ["deploy"])
    (act,) = decision.plan.acts
    before = {"password": password, "expires": expires}
    assert act.identity == {"user": "deploy", "uid": 1001, "from": before, "to": after}
    assert act.undo and act.undo.action == "accounts.unlock"
    assert act.undo.identity == {"user": "deploy", "uid": 1001, "from": after, "to": before}
    assert decision.symptom == 1


def test_a_closed_account_needs_nothing() -> None:
    account = Account("deploy", 1001, "/bin/bash", "locked", 1)
    assert closed(account, TODAY)
    decision = lock(users(account), ["deploy"])
    assert (decision.symptom, decision.plan.acts, decision.findings) == (0, (), ())


@pytest.mark.parametrize(
    ("account", "given", "reason"),
    [
        (Account("root", 0, "/bin/bash", "set"), {}, "it is root"),
        (Account("toor", 0, "/bin/bash", "set"), {}, "it is root"),
        (OPEN, {"me": Me({1001: "it is your own"})}, "it is your own"),
        (Account("deploy", 1001, "/bin/bash", "set", None, False), {}, "pwconv"),
        (
            Account("postgres", 105, "/bin/bash", "none"),
            {"processes": (running(105, "/system.slice/postgresql@15-main.service"),)},
            "1 process running (postgres)",
        ),
    ],
)
def test_what_must_stay_open_is_refused(account: Account, given: dict[str, Any], reason: str) -> None:
    decision = lock(users(account, **given), [account.name])
    assert decision.plan.acts == ()
    assert reason in decision.plan.refusals[0].reason
    assert decision.symptom == 1


def test_a_container_with_that_number_does_not_keep_a_system_account_open() -> None:
    inside = running(105, "/system.slice/docker-" + "ab" * 32 + ".scope")
    decision = lock(users(Account("sync", 105, "/bin/sync", "set"), processes=(inside,)), ["sync"])
    assert len(decision.plan.acts) == 1


def test_an_account_of_a_directory_is_refused() -> None:
    decision = lock(users(elsewhere={"ldap": 70001}), ["ldap"])
    assert "lock it there" in decision.plan.refusals[0].reason


def test_what_goes_on_behind_a_lock_is_said() -> None:
    seen = users(
        Account("deploy", 1001, "/bin/bash", "locked", 1),
        Account("helper", 1001, "/bin/bash", "set"),
        processes=(running(1001, "/user.slice/user-1001.slice/session-3.scope"),),
        crontabs=frozenset({"deploy"}),
        at_jobs=(1001, 1001),
        lingering=frozenset({"deploy"}),
        blind=("sshd",),
    )
    found = {finding.id: finding for finding in lock(seen, ["deploy"]).findings}
    assert set(found) == {
        "accounts.user.still_running",
        "accounts.user.twin",
        "accounts.user.jobs",
        "accounts.pam.expiry_ignored",
    }
    assert "helper" in found["accounts.user.twin"].summary
    assert "a crontab and 2 at jobs and a service manager" in found["accounts.user.jobs"].summary


def entry(action: str, before: dict[str, Any], after: dict[str, Any], **given: Any) -> Entry:
    identity = {"user": "deploy", "uid": 1001, "from": before, "to": after}
    back = {**identity, "from": after, "to": before}
    other = {"accounts.lock": "accounts.unlock", "accounts.unlock": "accounts.lock"}[action]
    fields: dict[str, Any] = {
        "time": "2026-11-21T22:00:00.000Z",
        "run": "run-1",
        "incident": None,
        "playbook": None,
        "actor": None,
        "action": action,
        "target": "deploy",
        "identity": identity,
        "risk": "reversible",
        "status": "done",
        "reason": "",
        "undo": {"action": other, "identity": back},
    }
    return Entry(**{**fields, **given})


SHUT, WAS = {"password": "locked", "expires": 1}, {"password": "set", "expires": TODAY + 90}


def test_opening_restores_what_was_before_our_own_lock() -> None:
    earlier = own_locks([entry("accounts.lock", WAS, SHUT)])
    decision = unlock(users(Account("deploy", 1001, "/bin/bash", "locked", 1)), ["deploy"], earlier)
    (act,) = decision.plan.acts
    assert act.identity == earlier["deploy"], "so that undo knows it for taken back"
    assert act.identity["to"] == WAS
    assert act.undo and act.undo.identity["to"] == SHUT


def test_opening_what_somebody_else_has_locked_or_changed_makes_it_last() -> None:
    taken_back = [
        entry("accounts.lock", WAS, SHUT),
        entry("accounts.unlock", SHUT, WAS, time="2026-11-21T23:00:00.000Z"),
    ]
    assert own_locks(taken_back) == {}
    changed = own_locks([entry("accounts.lock", WAS, {"password": "locked", "expires": 2})])
    for earlier in ({}, changed):
        decision = unlock(users(Account("deploy", 1001, "/bin/bash", "locked", 1)), ["deploy"], earlier)
        assert decision.plan.acts[0].identity["to"] == {"password": "set", "expires": None}


def test_an_open_account_need_not_be_opened() -> None:
    assert unlock(users(OPEN), ["deploy"], {}).symptom == 0


def test_users_are_listed_with_what_is_odd_about_them() -> None:
    seen = users(
        Account("root", 0, "/bin/bash", "none"),
        Account("daemon", 1, "/usr/sbin/nologin", "none"),
        OPEN,
        Account("half", 1002, "/bin/bash", "locked"),
        Account("free", 1003, "/bin/bash", "empty"),
        Account("gone", 1004, "/bin/bash", "locked", 1),
        Account("nobody", 65534, "/usr/sbin/nologin", "none"),
    )
    data, findings = inform(seen, [])
    assert [one["name"] for one in data["users"]] == ["root", "deploy", "half", "free", "gone"]
    assert [finding.id for finding in findings] == [
        "accounts.user.half_locked",
        "accounts.user.no_password",
        "accounts.user.closed",
    ]
    assert [one["name"] for one in inform(seen, ["daemon"])[0]["users"]] == ["daemon"]


@pytest.mark.parametrize(("number", "text"), [(None, None), (1, "1970-01-02"), (10**12, "1000000000000")])
def test_days_are_written_as_people_do(number: int | None, text: str | None) -> None:
    assert day(number) == text
