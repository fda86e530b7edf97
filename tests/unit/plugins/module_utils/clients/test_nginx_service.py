# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import docker, systemd
from ansible_collections.firebreak.incident.plugins.module_utils.clients import nginx_service as subject
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.clients.docker import Place
from ansible_collections.firebreak.incident.plugins.module_utils.clients.nginx_service import NginxService
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.services import Service

COMPOSE = Service("nginx", "compose", project="shop", service="web")
UNIT = Service("nginx", "systemd", unit="nginx.service")


@pytest.mark.parametrize(
    "stderr",
    [
        'nginx: [emerg] unknown directive "on" in /etc/nginx/a.conf:1\nnginx: x test failed\n',
        '2026/11/22 09:19:46 [emerg] 1729#1729: unknown directive "on" in /etc/nginx/a.conf:1\n'
        "nginx: configuration file x test failed\n",
    ],
)
def test_the_complaint_is_the_line_with_file_and_number(stderr: str) -> None:
    said = subject.complaint(Completed((), 1, "", stderr))
    assert said == '[emerg] unknown directive "on" in /etc/nginx/a.conf:1'


def test_garbage_is_passed_on_by_its_last_line() -> None:
    assert subject.complaint(Completed((), 1, "", "\nodd\nlast\n")) == "last"
    assert subject.complaint(Completed((), 7, "", "")) == "exit code 7 and no message"


@pytest.mark.parametrize(
    ("places", "problem"),
    [
        ((), "no container of it runs"),
        ((Place("a", "i", "shop", "web"), Place("b", "i", "shop", "web")), "2 containers of it run"),
        ((Place("a", "i", "other", "web"),), "no container of it runs"),
    ],
)
def test_another_container_is_never_taken_for_it(
    monkeypatch: pytest.MonkeyPatch, places: tuple[Place, ...], problem: str
) -> None:
    monkeypatch.setattr(docker, "running", lambda remaining: places)
    monkeypatch.setattr(docker, "socket_path", lambda: Path("/docker.sock"))
    with pytest.raises(Unreachable, match=problem):
        NginxService(COMPOSE).complaint()


def test_in_a_container_nginx_itself_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    def run_inside(path: Path, name: str, argv: list[str], timeout: float) -> Completed:
        told.append((name, argv))
        return Completed(argv, 0, "", "")

    monkeypatch.setattr(docker, "running", lambda remaining: (Place("web-1", "i", "shop", "web"),))
    monkeypatch.setattr(docker, "socket_path", lambda: Path("/docker.sock"))
    monkeypatch.setattr(subject, "run_inside", run_inside)
    service = NginxService(COMPOSE)
    assert service.complaint() is None
    service.reload()
    assert told == [("web-1", ["nginx", "-t"]), ("web-1", ["nginx", "-s", "reload"])]


@pytest.mark.parametrize(
    ("state", "said"),
    [("active", None), ("inactive", "it does not run (inactive): systemctl start nginx.service")],
)
def test_a_unit_that_does_not_run_takes_nothing_over(
    monkeypatch: pytest.MonkeyPatch, state: str, said: str | None
) -> None:
    monkeypatch.setattr(subject, "require", lambda program, package: program)
    monkeypatch.setattr(subject, "run", lambda argv, timeout: Completed(argv, 0, "", ""))
    monkeypatch.setattr(systemd, "show", lambda unit, names: {"ActiveState": state})
    assert NginxService(UNIT).complaint() == said


def test_a_unit_that_does_not_reload_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "nginx.service is not active, cannot reload."
    monkeypatch.setattr(systemd, "control", lambda *words, timeout: Completed(words, 1, "", said))
    with pytest.raises(FirebreakError, match="cannot reload"):
        NginxService(UNIT).reload()
