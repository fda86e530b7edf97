# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with one container network, isolated or not, as values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.addresses import parse_network
from ansible_collections.firebreak.incident.plugins.module_utils.clients.network import OwnAddress
from ansible_collections.firebreak.incident.plugins.module_utils.clients.sockets import Connection
from ansible_collections.firebreak.incident.plugins.module_utils.isolation.observe import Snapshot
from ansible_collections.firebreak.incident.plugins.module_utils.isolation.table import Table
from ansible_collections.firebreak.incident.plugins.module_utils.ledger import Entry

NOW = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
OWN = (
    OwnAddress("lo", "127.0.0.1", 8),
    OwnAddress("eth0", "192.0.2.1", 24),
    OwnAddress("br-5e1", "172.18.0.1", 16),
)
MANAGEMENT = frozenset({parse_network("198.51.100.0/28")})


@pytest.fixture
def connection() -> Callable[..., Connection]:
    def make(local: str, local_port: int, peer: str, peer_port: int, where: str = "host") -> Connection:
        return Connection("tcp", peer, peer_port, local, local_port, where)

    return make


@pytest.fixture
def snapshot() -> Callable[..., Snapshot]:
    def make(**given: Any) -> Snapshot:
        return Snapshot(**{"now": NOW, "own": OWN, "bridged": frozenset({4, 6}), **given})

    return make


@pytest.fixture
def standing() -> Table:
    return Table(MANAGEMENT, 22, dropped={"input": 5, "forward": 3, "output": 2, "postrouting": 0})


@pytest.fixture
def begun() -> Entry:
    return Entry(
        time="2026-11-21T21:59:00.000Z",
        run="run-1",
        incident=None,
        playbook=None,
        actor="ada@desk",
        action="network.isolate",
        target="all traffic of this host",
        identity={"management": ["198.51.100.0/28"], "port": 22, "dead_man_seconds": 120},
        risk="disruptive",
        status="done",
        reason="",
        undo=None,
    )
