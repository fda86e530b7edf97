# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.accounts.people import (
    kind,
    of_person,
    responder,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.user_processes import UserProcess

HEX = "ab" * 32


def process(pid: int, group: str, uid: int = 1001, **given: Any) -> UserProcess:
    return UserProcess(pid, 1, "sh", pid * 100, frozenset({uid}), group=group, **given)


@pytest.mark.parametrize(
    ("group", "nested", "login", "expected"),
    [
        ("/user.slice/user-1001.slice/session-3.scope", False, 1001, "person"),
        ("/user.slice/user-1001.slice/user@1001.service/app.slice/x.service", False, None, "person"),
        ("/user.slice/user-1001.slice/session-3.scope", True, 1001, "person"),
        # A container that the user runs without root is the user's.
        (f"/user.slice/user-1001.slice/user@1001.service/libpod-{HEX}.scope", True, None, "person"),
        (f"/system.slice/docker-{HEX}.scope", True, None, "container"),
        (f"/docker/{HEX}", True, None, "container"),
        # In the host's own pid namespace, and still a container's.
        (f"/docker/{HEX}", False, None, "container"),
        (f"/machine.slice/libpod-{HEX}.scope", True, 1001, "container"),
        ("/kubepods/besteffort/pod1/x", True, None, "container"),
        ("/machine.slice/systemd-nspawn@web.service", True, None, "container"),
        ("/system.slice/php8.2-fpm.service", False, None, "service"),
        ("/system.slice/system-app.slice/app@1.service", False, None, "service"),
        ("/system.slice/cron.service", False, 1001, "person"),
        ("/system.slice/ssh.service", False, 1001, "person"),
        ("/system.slice/ssh@3-10.0.0.1:22.service", False, 1001, "person"),
        ("/system.slice/cron.service", True, 1001, "person"),
        ("/", True, None, "container"),
        ("/", False, None, "person"),
    ],
)
def test_whose_a_process_is(group: str, nested: bool, login: int | None, expected: str) -> None:
    assert kind(process(7, group, nested=nested, login=login), 1001) == expected
    assert kind(process(7, group, nested=nested, login=login), 1002) is None


def test_the_responder_is_known_by_sudo_by_the_login_and_by_the_line_of_processes() -> None:
    me = responder([], 1000, "198.51.100.7")
    assert set(me.uids) == {1000}
    own = UserProcess(50, 40, "python3", 1, frozenset({0}), login=1002, group="/user.slice/x/session-9.scope")
    sshd = UserProcess(40, 1, "sshd", 1, frozenset({1003}), login=1002, group=own.group)
    mine = UserProcess(os.getpid(), 50, "python3", 1, frozenset({0}), login=1002, group=own.group)
    me = responder([mine, own, sshd], None, None)
    assert set(me.uids) == {1002, 1003}, "root is everybody's"
    assert me.pids == {os.getpid(), 50, 40}
    assert me.group == own.group


def test_what_the_responder_runs_as_somebody_is_the_responders() -> None:
    group = "/user.slice/user-1000.slice/session-9.scope"
    mine = UserProcess(os.getpid(), 1, "python3", 1, frozenset({0}), group=group)
    become = process(60, group)
    theirs = process(61, "/user.slice/user-1001.slice/session-3.scope")
    me = responder([mine, become, theirs], None, None)
    assert of_person([mine, become, theirs], 1001, me) == [theirs]
