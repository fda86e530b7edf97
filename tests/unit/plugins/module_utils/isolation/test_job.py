# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import network, sockets, systemd
from ansible_collections.firebreak.incident.plugins.module_utils.clients.network import Responder
from ansible_collections.firebreak.incident.plugins.module_utils.clients.sockets import Connection
from ansible_collections.firebreak.incident.plugins.module_utils.errors import (
    BadInput,
    FirebreakError,
    IdentityChanged,
    Unreachable,
)
from ansible_collections.firebreak.incident.plugins.module_utils.isolation import act, job, observe
from ansible_collections.firebreak.incident.plugins.module_utils.isolation.observe import Snapshot
from ansible_collections.firebreak.incident.plugins.module_utils.isolation.table import Table
from ansible_collections.firebreak.incident.plugins.module_utils.ledger import Entry, Ledger
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import COOLDOWN_TIMES
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso, utc_now

from .conftest import OWN

FIRST = "198.51.100.7 50000"
PARAMS: dict[str, Any] = {
    "state": "isolated",
    "management_addresses": [],
    "dead_man_seconds": "120",
    "confirm": None,
    "max_risk": "disruptive",
    "max_actions": 100,
    "approved_plan": None,
    "context": {"run": "run-2"},
}
CONFIRM = {**PARAMS, "confirm": {"timer": "firebreak-release-run-2", "connection": FIRST}}


@pytest.fixture
def confirmed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    timers: list[str] = []
    monkeypatch.setattr(act, "confirm", timers.append)
    return timers


def comes_from(monkeypatch: pytest.MonkeyPatch, responder: Responder | None) -> None:
    monkeypatch.setattr(network, "responder", lambda: responder)


def test_a_new_connection_confirms_the_named_timer(
    monkeypatch: pytest.MonkeyPatch,
    confirmed: list[str],
    snapshot: Callable[..., Snapshot],
    standing: Table,
    begun: Entry,
) -> None:
    comes_from(monkeypatch, Responder("198.51.100.7", 50001, 22))
    monkeypatch.setattr(observe, "look", lambda _ledger: snapshot(table=standing, begun=begun))
    result = job.run(CONFIRM, False)
    assert confirmed == ["firebreak-release-run-2"]
    assert (result["changed"], result["connection"]) == (True, "198.51.100.7 50001")
    assert [finding["id"] for finding in result["findings"]] == ["isolation.host.isolated"]


@pytest.mark.parametrize("responder", [Responder("198.51.100.7", 50000, 22), None])
def test_the_connection_that_isolated_the_host_proves_nothing(
    monkeypatch: pytest.MonkeyPatch, confirmed: list[str], responder: Responder | None
) -> None:
    comes_from(monkeypatch, responder)
    with pytest.raises(IdentityChanged, match="proves nothing"):
        job.run(CONFIRM, False)
    assert confirmed == []


def test_an_isolation_that_does_not_hold_is_not_confirmed(
    monkeypatch: pytest.MonkeyPatch, confirmed: list[str], snapshot: Callable[..., Snapshot]
) -> None:
    comes_from(monkeypatch, Responder("198.51.100.7", 50001, 22))
    monkeypatch.setattr(observe, "look", lambda _ledger: snapshot())
    with pytest.raises(Unreachable, match="nothing to confirm"):
        job.run(CONFIRM, False)
    assert confirmed == []


def test_a_host_without_systemd_is_never_isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "require", lambda program, _package: program)
    monkeypatch.setattr(systemd, "booted", lambda: False)
    with pytest.raises(Unreachable, match="nothing would free the host"):
        job.run(PARAMS, False)


def test_a_detached_terminal_is_not_where_management_is(
    monkeypatch: pytest.MonkeyPatch,
    snapshot: Callable[..., Snapshot],
    connection: Callable[..., Connection],
) -> None:
    other = connection("192.0.2.1", 22, "198.51.100.7", 40000)
    monkeypatch.setattr(job, "require", lambda program, _package: program)
    monkeypatch.setattr(systemd, "booted", lambda: True)
    monkeypatch.setattr(network, "own_addresses", lambda: list(OWN))
    monkeypatch.setattr(observe, "look", lambda _ledger: snapshot(connections=(other,)))
    comes_from(monkeypatch, Responder("198.51.100.7", 50000, 22))
    with pytest.raises(BadInput, match="not among this host's connections"):
        job.run(PARAMS, True)


def test_what_the_confirmation_needs_is_told_although_connections_survive(
    monkeypatch: pytest.MonkeyPatch,
    snapshot: Callable[..., Snapshot],
    connection: Callable[..., Connection],
    standing: Table,
    begun: Entry,
    tmp_path: Path,
) -> None:
    mine = connection("192.0.2.1", 22, "198.51.100.7", 50000)
    survivor = connection("192.0.2.1", 443, "203.0.113.9", 50001)
    monkeypatch.setattr(job, "require", lambda program, _package: program)
    monkeypatch.setattr(systemd, "booted", lambda: True)
    monkeypatch.setattr(network, "own_addresses", lambda: list(OWN))
    monkeypatch.setattr(sockets, "listening", lambda: (22, 443))
    seen = snapshot(table=standing, begun=begun, connections=(mine, survivor))
    monkeypatch.setattr(observe, "look", lambda _ledger: seen)
    monkeypatch.setattr(act.Isolation, "isolate", lambda _self, _identity: None)
    ledger = Ledger([str(tmp_path)])
    for _time in range(COOLDOWN_TIMES):
        ledger.append(replace(begun, time=iso(utc_now())))
    monkeypatch.setattr(job, "Ledger", lambda: ledger)
    comes_from(monkeypatch, Responder("198.51.100.7", 50000, 22))
    with pytest.raises(FirebreakError, match="unchanged after 1 acts") as caught:
        job.run(PARAMS, False)
    assert caught.value.result["connection"] == FIRST
    assert caught.value.result["listening"] == [443]
