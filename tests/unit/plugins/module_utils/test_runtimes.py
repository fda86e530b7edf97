# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import docker, systemd
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.runtimes import Runtimes
from ansible_collections.firebreak.incident.plugins.module_utils.services import Service

UNIT = systemd.Unit("app.service", "loaded", "active", "running")
SERVICES = (
    Service("app", "systemd", unit="app.service"),
    Service("db", "compose", project="shop", service="db"),
)


def test_each_runtime_is_asked_once_however_many_want_to_know(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def units(named: list[str], _timeout: float) -> tuple[systemd.Unit, ...]:
        asked.append(named)
        return (UNIT,)

    def containers(path: Path, _remaining: Any) -> None:
        asked.append(path)
        raise Unreachable("docker", "permission denied", "Run as root.")

    monkeypatch.setattr(systemd, "booted", lambda: True)
    monkeypatch.setattr(systemd, "units", units)
    monkeypatch.setattr(docker, "socket_path", lambda: Path("/x"))
    monkeypatch.setattr(docker, "containers", containers)
    runtimes = Runtimes(SERVICES)
    for _section in range(2):
        assert runtimes.units(Deadline(1)) == (UNIT,)
        with pytest.raises(Unreachable):
            runtimes.containers(Deadline(1))
    assert asked == [["app.service"], Path("/x")]


def test_a_host_without_a_runtime_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "booted", lambda: False)
    monkeypatch.setattr(docker, "socket_path", lambda: None)
    assert (Runtimes().units(Deadline(1)), Runtimes().containers(Deadline(1))) == (None, None)
