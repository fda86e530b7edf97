# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils import inventory as subject
from ansible_collections.firebreak.incident.plugins.plugin_utils.inventory import inventory, resolve


def test_every_host_is_known_by_its_addresses_or_named_as_unresolved(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", nothing)
    variables = {
        "groups": {"all": ["db1", "web1", "localhost"]},
        "hostvars": {"db1": {"ansible_host": "192.0.2.1"}, "web1": {}, "localhost": {}},
    }
    known = inventory(variables)
    assert known == {"addresses": {"db1": ["192.0.2.1"]}, "unresolved": ["web1"]}
    assert json.loads(json.dumps(known)) == known


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
    monkeypatch.setattr(subject, "RESOLVE_SECONDS", 0.1)
    started = time.monotonic()
    assert resolve({"db1": "db1.example"}) == ({}, ["db1"])
    assert time.monotonic() - started < 5
    forever.set()


def test_what_is_asked_from_here_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(name: str, _port: Any) -> Any:
        raise AssertionError(f"{name} is no address")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    hostvars = {"shop-db": {"ansible_connection": "local"}}
    assert inventory({"hostvars": hostvars, "groups": {"all": ["shop-db"]}}) == {
        "addresses": {},
        "unresolved": [],
    }
