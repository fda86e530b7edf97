# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils import with_context
from ansible_collections.firebreak.incident.plugins.plugin_utils.with_context import (
    actor,
    own_addresses_towards,
    resolve,
)


def test_hosts_given_by_address_need_no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("a name was looked up"))
    found = {"db1": ("192.0.2.1",), "db2": ("2001:db8::1",)}
    assert resolve({"db1": "192.0.2.1", "db2": "2001:db8::1"}) == (found, [])


def test_names_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(name: str, _port: None) -> list[Any]:
        return [(0, 0, 0, "", ("192.0.2.9", 0)), (0, 0, 0, "", ("fe80::1%eth0", 0, 0, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    assert resolve({"db1": "db1.example"}) == ({"db1": {"192.0.2.9", "fe80::1"}}, [])


def test_a_dead_resolver_costs_its_deadline_and_the_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    forever = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: forever.wait(30))
    monkeypatch.setattr(with_context, "RESOLVE_SECONDS", 0.1)
    started = time.monotonic()
    assert resolve({"db1": "db1.example"}) == ({}, ["db1"])
    assert time.monotonic() - started < 5
    forever.set()


def test_the_controller_knows_the_address_it_comes_from() -> None:
    assert list(own_addresses_towards(["127.0.0.2", "::1"])) == ["127.0.0.1", "::1"]


def test_the_person_is_the_one_awx_knows() -> None:
    assert actor({"awx_user_name": "ada"}) == "ada"


def test_at_a_terminal_the_person_is_the_one_before_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "ada")
    assert actor({}) == f"ada@{socket.gethostname()}"
