# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.clock import Clock
from ansible_collections.firebreak.incident.plugins.module_utils.clients.network import Route
from ansible_collections.firebreak.incident.plugins.module_utils.network.decide import judge
from ansible_collections.firebreak.incident.plugins.module_utils.network.observe import (
    Conntrack,
    Gateway,
    Snapshot,
    Ways,
)
from ansible_collections.firebreak.incident.plugins.module_utils.network.sockets import Listener, Sockets

V4, V6 = Route(4, "eth0", "192.0.2.1"), Route(6, "eth0", "fe80::1")
WAYS = Ways({4: "global", 6: "global"}, (Gateway(V4, "REACHABLE", True), Gateway(V6, None, True)))
CLOCK = Clock(synchronised=True, error=0.1, keeper="chrony", container=False, offset=0.001)
WEB = Listener("tcp", "0.0.0.0", 443, queue=3, backlog=511, inode=7, pid=80, process="nginx")
SOCKETS = Sockets({"ESTABLISHED": 40, "LISTEN": 1, "SYN_RECV": 3}, (WEB,), (), (), {}, {443: 3})
COUNTERS = {"ListenOverflows": 900, "ListenDrops": 950, "SyncookiesSent": 12}
WELL = Snapshot(
    interval=0.05,
    before=COUNTERS,
    after=COUNTERS,
    sockets=SOCKETS,
    time_wait=2,
    conntrack=(Conntrack(100, 1000, 5), Conntrack(101, 1000, 5)),
    interfaces={
        "eth0": dict.fromkeys(("rx_packets", "tx_packets"), 10**6) | {"rx_errors": 900, "tx_errors": 0}
    },
    ways=WAYS,
    clock=CLOCK,
)


def levels(seen: Snapshot) -> dict[str, str]:
    return {finding.id: finding.level for finding in judge(seen)[1]}


def states(**counts: int) -> Sockets:
    return replace(SOCKETS, states=counts)


def test_a_host_that_is_well_has_no_finding_whatever_happened_since_boot() -> None:
    data, findings = judge(WELL)
    assert findings == []
    assert json.loads(json.dumps(data))["counters"]["ListenDrops"] == {"since_boot": 950, "in_interval": 0}
    assert data["sockets"]["TIME_WAIT"] == 2
    assert "inode" not in data["listeners"][0]


CASES: list[tuple[Mapping[str, Any], dict[str, str]]] = [
    ({"after": {**COUNTERS, "ListenOverflows": 930}}, {"network.listen.overflow": "critical"}),
    (
        {"sockets": replace(SOCKETS, listeners=(replace(WEB, queue=511),))},
        {"network.listen.overflow": "critical"},
    ),
    # A UDP socket has no backlog, and is not full for that.
    ({"sockets": replace(SOCKETS, listeners=(replace(WEB, queue=0, backlog=0),))}, {}),
    ({"sockets": states(SYN_RECV=300)}, {"network.syn.flood": "warning"}),
    ({"sockets": states(SYN_RECV=3000)}, {"network.syn.flood": "critical"}),
    ({"after": {**COUNTERS, "SyncookiesSent": 80}}, {"network.syn.flood": "critical"}),
    ({"sockets": states(CLOSE_WAIT=99)}, {}),
    ({"sockets": states(CLOSE_WAIT=100)}, {"network.sockets.close_wait": "warning"}),
    ({"conntrack": (Conntrack(800, 1000), Conntrack(800, 1000))}, {"network.conntrack.high": "warning"}),
    ({"conntrack": (Conntrack(960, 1000), Conntrack(960, 1000))}, {"network.conntrack.full": "critical"}),
    (
        {"conntrack": (Conntrack(700, 1000, 5), Conntrack(700, 1000, 9))},
        {"network.conntrack.full": "critical"},
    ),
    ({"conntrack": None}, {}),
    ({"ways": replace(WAYS, gateways=WAYS.gateways[:1])}, {"network.route.missing": "warning"}),
    (
        {"ways": Ways({4: "global", 6: "local"}, WAYS.gateways[:1])},
        {"network.route.missing": "notice"},
    ),
    ({"ways": Ways({4: "global"}, WAYS.gateways[:1])}, {}),
    (
        {"ways": replace(WAYS, gateways=(Gateway(V4, "FAILED", True), Gateway(V6, None, True)))},
        {"network.gateway.unreachable": "critical"},
    ),
    (
        {
            "ways": Ways(
                {4: "global"}, (Gateway(V4, "FAILED", True), Gateway(Route(4, "eth1", None), None, True))
            )
        },
        {"network.gateway.unreachable": "warning"},
    ),
    (
        {"ways": replace(WAYS, gateways=(Gateway(V4, None, False), Gateway(V6, None, True)))},
        {"network.gateway.unreachable": "critical"},
    ),
    (
        {"interfaces": {"eth0": {"rx_packets": 10**5, "rx_errors": 2000, "tx_packets": 9, "tx_errors": 0}}},
        {"network.interface.errors": "warning"},
    ),
    ({"clock": replace(CLOCK, offset=-90.0)}, {"network.clock.off": "warning"}),
    (
        {"clock": Clock(synchronised=False, error=16.0, keeper="systemd-timesyncd", container=False)},
        {"network.clock.off": "warning"},
    ),
    ({"clock": Clock(False, 16.0, None, container=False)}, {"network.clock.unattended": "notice"}),
    # A container has its host's clock, and nobody in it should set that.
    ({"clock": Clock(False, 16.0, None, container=True)}, {}),
    ({"clock": Clock(None, None, None, container=False)}, {}),
]


@pytest.mark.parametrize(("given", "found"), CASES)
def test_what_is_wrong_and_how_bad_it_is(given: Mapping[str, Any], found: dict[str, str]) -> None:
    assert levels(replace(WELL, **given)) == found


def test_the_program_behind_a_full_backlog_and_leaked_sockets_is_named() -> None:
    sockets = replace(
        states(CLOSE_WAIT=240), listeners=(replace(WEB, queue=512),), leaked={"node": 230, "?": 10}
    )
    overflow, leak = judge(replace(WELL, sockets=sockets))[1]
    assert "nginx on tcp port 443 (512 of 511 wait)" in overflow.summary
    assert "240 connections" in leak.summary
    assert "node (230)" in leak.summary


def test_what_could_not_be_seen_is_said_and_not_called_well() -> None:
    seen = Snapshot(interval=0.1, unseen={"sockets": "kernel tables of the network: no"})
    data, (finding,) = judge(seen)
    assert (finding.id, data["sockets"]) == ("network.part.unseen", None)
    assert "sockets: kernel tables" in finding.summary
