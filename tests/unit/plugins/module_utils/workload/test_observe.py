# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import docker, http, systemd
from ansible_collections.firebreak.incident.plugins.module_utils.clients.http import Answer, Target
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.services import Service
from ansible_collections.firebreak.incident.plugins.module_utils.workload.observe import (
    observe_http,
    observe_workload,
)
from ansible_collections.firebreak.incident.plugins.module_utils.workload.probes import parse_probes

UNIT = systemd.Unit("redis-server.service", "loaded", "active", "running")


@pytest.fixture
def runtimes(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Each runtime: None where it is not there, else what it answers or the error it raises."""

    def install(units: Any = None, containers: Any = None) -> None:
        def answer(value: Any) -> Any:
            if isinstance(value, Exception):
                raise value
            return value

        monkeypatch.setattr(systemd, "booted", lambda: units is not None)
        monkeypatch.setattr(systemd, "units", lambda _named, _timeout: answer(units))
        monkeypatch.setattr(docker, "socket_path", lambda: None if containers is None else Path("/x"))
        monkeypatch.setattr(docker, "containers", lambda _path, _remaining: answer(containers))

    return install


def test_a_host_without_any_runtime_is_no_error(runtimes: Any) -> None:
    runtimes()
    seen = observe_workload((), Deadline(1.0))
    assert (seen.units, seen.containers, seen.unseen) == (None, None, {})


def test_one_runtime_that_fails_does_not_hide_the_other(runtimes: Any) -> None:
    runtimes((UNIT,), Unreachable("docker /x", "permission denied", "Run as root."))
    seen = observe_workload((Service("redis", "systemd", unit="redis-server.service"),), Deadline(1.0))
    assert seen.units == (UNIT,)
    assert seen.containers is None
    assert seen.unseen == {"docker": "docker /x: permission denied. Run as root."}


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A web whose answers are looked up by what is asked for; notes where the connections went."""

    def install(**answers: Answer) -> list[tuple[str, str]]:
        asked: list[tuple[str, str]] = []

        def get(target: Target, verify: bool, timeout: float) -> Answer:
            asked.append((target.shown, f"{target.connect_host}:{target.connect_port}"))
            return answers[target.path.strip("/") or "root"]

        monkeypatch.setattr(http, "get", get)
        return asked

    return install


def ask(url: str, connect_to: str | None = None) -> Any:
    probes = parse_probes({}, [{"url": url, "connect_to": connect_to}])
    return observe_http(probes, Deadline(1.0))[0]


def test_a_redirect_on_the_same_host_is_followed_to_where_connect_to_says(web: Any) -> None:
    asked = web(
        root=Answer(0.1, 301, location="https://api.example/app"),
        app=Answer(0.2, 302, location="health"),
        health=Answer(0.3, 503),
    )
    probed = ask("http://api.example/", "192.0.2.1:80")
    assert asked == [
        ("http://api.example/", "192.0.2.1:80"),
        ("https://api.example/app", "192.0.2.1:443"),
        ("https://api.example/health", "192.0.2.1:443"),
    ]
    assert (probed.answer.status, probed.redirects) == (503, 2)
    assert probed.answer.seconds == pytest.approx(0.6)


@pytest.mark.parametrize(
    "location", ["https://login.example/", "ftp://api.example/x", "http://u:p@api.example/", ""]
)
def test_a_redirect_to_elsewhere_is_left_alone(web: Any, location: str) -> None:
    asked = web(root=Answer(0.1, 302, location=location))
    assert ask("http://api.example/").answer.status == 302
    assert len(asked) == 1


def test_redirects_come_to_an_end(web: Any) -> None:
    asked = web(root=Answer(0.1, 302, location="/"))
    assert ask("http://api.example/").redirects == 3
    assert len(asked) == 4


def test_nothing_to_ask_is_answered_at_once() -> None:
    assert observe_http((), Deadline(1.0)) == ()
