# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import signal
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.accounts import act, observe
from ansible_collections.firebreak.incident.plugins.module_utils.accounts.observe import (
    Live,
    Runners,
    Sessions,
    Users,
)
from ansible_collections.firebreak.incident.plugins.module_utils.accounts.people import Me
from ansible_collections.firebreak.incident.plugins.module_utils.clients import (
    accounts,
    systemd,
    user_processes,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.accounts import Account
from ansible_collections.firebreak.incident.plugins.module_utils.clients.systemd import Login
from ansible_collections.firebreak.incident.plugins.module_utils.clients.user_processes import UserProcess
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, IdentityChanged

OPEN, SHUT = {"password": "set", "expires": 20900}, {"password": "locked", "expires": 1}
LOCK = {"user": "deploy", "uid": 1001, "from": OPEN, "to": SHUT}


class Shadow:
    """Stands for passwd, shadow and usermod."""

    def __init__(self, uid: int = 1001, obeys: bool = True, **condition: Any) -> None:
        self.uid, self.obeys, self.condition = uid, obeys, {**OPEN, **condition}
        self.changes = 0

    def accounts(self) -> tuple[Account, ...]:
        return (Account("deploy", self.uid, "/bin/bash", **self.condition),)

    def change(self, name: str, before: str, after: str, expires: int | None) -> None:
        self.changes += 1
        if self.obeys:
            self.condition = {"password": after, "expires": expires}


def stand_in(monkeypatch: pytest.MonkeyPatch, shadow: Shadow) -> Shadow:
    monkeypatch.setattr(accounts, "accounts", shadow.accounts)
    monkeypatch.setattr(accounts, "change", shadow.change)
    return shadow


def test_a_lock_and_its_undo_go_there_and_back_and_twice_does_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shadow = stand_in(monkeypatch, Shadow())
    act.PERFORM["accounts.lock"](LOCK)
    act.PERFORM["accounts.lock"](LOCK)
    assert (shadow.condition, shadow.changes) == (SHUT, 1)
    act.PERFORM["accounts.unlock"]({**LOCK, "from": SHUT, "to": OPEN})
    assert shadow.condition == OPEN


@pytest.mark.parametrize("shadow", [Shadow(expires=None), Shadow(uid=1002), Shadow(password="none")])
def test_an_account_that_has_changed_since_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, shadow: Shadow
) -> None:
    stand_in(monkeypatch, shadow)
    with pytest.raises(IdentityChanged, match="deploy"):
        act.PERFORM["accounts.lock"](LOCK)
    assert shadow.changes == 0


def test_an_account_that_is_not_as_it_was_set_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, Shadow(obeys=False))
    with pytest.raises(FirebreakError, match="usermod left it as"):
        act.PERFORM["accounts.lock"](LOCK)


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(act, "GRACE_SECONDS", 0.0)
    monkeypatch.setattr(act, "POLL_SECONDS", 0.0)


def sessions(*found: Live) -> Sessions:
    return Sessions(found, Users((), (), Me({}), 20779, {}))


IDENTITY = {"session": "3", "user": "deploy", "leader": 30, "started": 5, "since": "today"}


def login(leader: int = 30) -> Login:
    return Login("deploy", "", "pts/0", "today", "sshd", "active", "3", 1001, leader, "session-3.scope")


def test_a_session_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch, no_patience: None) -> None:
    there = [Live(login(), 5)]
    asked: list[bool] = []

    def end_login(session: str, force: bool = False) -> None:
        asked.append(force)
        if force:
            there.clear()

    monkeypatch.setattr(observe, "sessions", lambda: sessions(*there))
    monkeypatch.setattr(systemd, "end_login", end_login)
    act.PERFORM["sessions.end"](IDENTITY)
    assert asked == [False, True]
    act.PERFORM["sessions.end"](IDENTITY)
    assert asked == [False, True], "it has ended"


@pytest.mark.parametrize("found", [Live(login(31), 5), Live(login(), 6)])
def test_an_id_that_is_another_session_now_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, found: Live
) -> None:
    monkeypatch.setattr(observe, "sessions", lambda: sessions(found))
    with pytest.raises(IdentityChanged, match="session 3"):
        act.PERFORM["sessions.end"](IDENTITY)


def test_processes_are_asked_first_and_killed_with_what_was_born_meanwhile(
    monkeypatch: pytest.MonkeyPatch, no_patience: None
) -> None:
    deaf = {30: 3000, 31: 3100}
    sent: list[tuple[int, signal.Signals]] = []

    def send(pid: int, since: int, number: signal.Signals) -> bool:
        sent.append((pid, number))
        if number == signal.SIGKILL and deaf.pop(pid, 0) and pid == 30:
            deaf[32] = 3200
        return True

    def runners() -> Runners:
        group = "/user.slice/user-1001.slice/session-3.scope"
        found = (UserProcess(pid, 1, "sh", at, frozenset({1001}), group=group) for pid, at in deaf.items())
        return Runners(tuple(found), Me({}))

    monkeypatch.setattr(systemd, "booted", lambda: False)
    monkeypatch.setattr(observe, "runners", runners)
    monkeypatch.setattr(user_processes, "send", send)
    act.PERFORM["sessions.end_processes"]({"user": "deploy", "uid": 1001, "processes": []})
    assert deaf == {}
    assert sent[:2] == [(30, signal.SIGTERM), (31, signal.SIGTERM)]
    assert sent[-1] == (32, signal.SIGKILL)
