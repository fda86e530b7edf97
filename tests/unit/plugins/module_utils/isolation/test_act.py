# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order a host is isolated: the way back first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import (
    network,
    nftables,
    sockets,
    systemd,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.sockets import (
    Connection,
    Connections,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.isolation import act, observe
from ansible_collections.firebreak.incident.plugins.module_utils.isolation.observe import DeadMan
from ansible_collections.firebreak.incident.plugins.module_utils.isolation.table import Table

from .conftest import OWN

IDENTITY = {"management": ["198.51.100.0/28"], "port": 22, "dead_man_seconds": 120}
NFT = ["/usr/sbin/nft", "delete", "table", "inet", "firebreak_isolation"]
HELD = Connection("tcp", "203.0.113.9", 50000, "192.0.2.1", 443, "host")
MANAGED = Connection("tcp", "198.51.100.7", 50000, "192.0.2.1", 22, "host")


class Host:
    """Stands for systemd, nftables and the sockets; `did` is what was asked of them, in order."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.timers: dict[str, str] = {}
        self.table: Table | None = None
        self.refuses = False
        self.cut_off = False
        self.forgets = False
        self.command: Sequence[str] = ()

    def arm(self, unit: str, _seconds: int, description: str, argv: Sequence[str]) -> None:
        self.did.append(f"arm {unit}")
        self.command = argv
        if not self.forgets:
            self.timers[unit] = description

    def disarm(self, unit: str) -> None:
        self.did.append(f"disarm {unit}")
        self.timers.pop(unit, None)

    def dead_men(self) -> tuple[DeadMan, ...]:
        return tuple(DeadMan(unit, "") for unit in self.timers)

    def apply(self, _script: str) -> None:
        self.did.append("apply")
        if self.refuses:
            raise FirebreakError("nftables", "nft refused", "Nothing was applied.")
        self.table = Table()
        if self.cut_off:
            raise Unreachable("program nft", "it did not finish", "")

    def delete(self, _family: str, _name: str) -> None:
        self.did.append("delete")
        self.table = None

    def end(self, connections: Sequence[Connection]) -> None:
        self.did.append("end " + ", ".join(each.peer for each in connections))


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host()
    replaced: dict[Any, dict[str, Any]] = {
        systemd: {"arm": made.arm, "disarm": made.disarm},
        nftables: {"apply": made.apply, "delete_table": made.delete},
        network: {"own_addresses": lambda: list(OWN)},
        sockets: {
            "with_peers": lambda _peers: Connections((HELD, MANAGED)),
            "flows": lambda: iter(()),
            "forget": lambda _flows: None,
            "end": made.end,
        },
        observe: {
            "dead_men": made.dead_men,
            "bridged": lambda: frozenset({4, 6}),
            "table": lambda: made.table,
        },
        act: {"require": lambda program, _package: f"/usr/sbin/{program}"},
    }
    for module, functions in replaced.items():
        for name, function in functions.items():
            monkeypatch.setattr(module, name, function)
    return made


def isolation() -> act.Isolation:
    return act.Isolation("run-2", lambda: datetime(2026, 11, 21, 22, 0, tzinfo=UTC))


def test_the_way_back_is_armed_before_anything_else(host: Host) -> None:
    performer = isolation()
    performer.isolate(IDENTITY)
    assert host.did[:2] == ["arm firebreak-release-run-2", "apply"]
    assert performer.armed == "firebreak-release-run-2"
    assert list(host.command) == NFT
    assert "2026-11-21T22:02:00.000Z" in host.timers["firebreak-release-run-2"]


def test_foreign_connections_end_after_the_table_stands_and_management_goes_on(host: Host) -> None:
    isolation().isolate(IDENTITY)
    assert host.did[2] == "end 203.0.113.9"


def test_nothing_is_done_when_systemd_does_not_keep_the_timer(host: Host) -> None:
    host.forgets = True
    with pytest.raises(Unreachable, match="does not wait"):
        isolation().isolate(IDENTITY)
    assert "apply" not in host.did


def test_a_table_that_is_refused_leaves_no_timer_behind(host: Host) -> None:
    host.refuses = True
    performer = isolation()
    with pytest.raises(FirebreakError, match="nft refused"):
        performer.isolate(IDENTITY)
    assert (host.timers, performer.armed) == ({}, None)


def test_a_table_that_stands_although_nft_never_answered_keeps_its_timer(host: Host) -> None:
    host.cut_off = True
    performer = isolation()
    with pytest.raises(FirebreakError, match="did not finish"):
        performer.isolate(IDENTITY)
    assert list(host.timers) == ["firebreak-release-run-2"]
    assert performer.armed == "firebreak-release-run-2"


def test_an_isolation_that_stood_before_is_not_ended_by_one_that_is_refused(host: Host) -> None:
    host.table, host.refuses = Table(), True
    with pytest.raises(FirebreakError, match="nft refused"):
        isolation().isolate(IDENTITY)
    assert host.timers == {}


def test_the_timers_of_earlier_runs_go_last(host: Host) -> None:
    host.timers = {"firebreak-release-old": ""}
    isolation().isolate(IDENTITY)
    assert host.did[-1] == "disarm firebreak-release-old"
    assert list(host.timers) == ["firebreak-release-run-2"]


def test_a_timer_of_the_same_run_is_not_reused(host: Host) -> None:
    host.timers = {"firebreak-release-run-2": ""}
    performer = isolation()
    performer.isolate(IDENTITY)
    assert performer.armed == "firebreak-release-run-2-2"
    assert list(host.timers) == ["firebreak-release-run-2-2"]


def test_a_release_removes_the_table_before_the_timers(host: Host) -> None:
    host.timers = {"firebreak-release-old": ""}
    act.release({})
    assert host.did == ["delete", "disarm firebreak-release-old"]


def test_confirming_stops_just_the_named_timer(host: Host) -> None:
    host.table = Table()
    host.timers = {"firebreak-release-run-2": "", "firebreak-release-other": ""}
    act.confirm("firebreak-release-run-2")
    assert list(host.timers) == ["firebreak-release-other"]


def test_a_timer_that_ran_out_is_not_confirmed(host: Host) -> None:
    host.table = Table()
    with pytest.raises(Unreachable, match="does not wait any more"):
        act.confirm("firebreak-release-run-2")


def test_a_timer_that_ran_out_in_that_moment_is_noticed(host: Host) -> None:
    host.timers = {"firebreak-release-run-2": ""}
    with pytest.raises(Unreachable, match="the host is free"):
        act.confirm("firebreak-release-run-2")


def test_an_undo_releases_and_does_not_isolate_again(host: Host) -> None:
    act.PERFORM["network.release"]({})
    assert host.did == ["delete"]
    with pytest.raises(FirebreakError, match="nobody would confirm"):
        act.PERFORM["network.isolate"](IDENTITY)
