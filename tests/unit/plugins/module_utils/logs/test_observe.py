# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import docker, systemd
from ansible_collections.firebreak.incident.plugins.module_utils.clients.docker import Place
from ansible_collections.firebreak.incident.plugins.module_utils.clients.docker_logs import Printed
from ansible_collections.firebreak.incident.plugins.module_utils.clients.logs import Record
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.logs import observe as looking
from ansible_collections.firebreak.incident.plugins.module_utils.logs.decide import judge
from ansible_collections.firebreak.incident.plugins.module_utils.logs.observe import Snapshot, observe
from ansible_collections.firebreak.incident.plugins.module_utils.services import Service

NOW = 1795314600.0
PACKET = "[UFW BLOCK] IN=eth0 OUT= SRC=6.6.6.6 DST=1.2.3.4 PROTO=TCP SPT=1 DPT=23"


def stamp(ago: float) -> str:
    return datetime.fromtimestamp(NOW - ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def put(path: Path, text: str, ago: float = 0.0) -> Path:
    path.write_text(text)
    os.utime(path, (NOW - ago, NOW - ago))
    return path


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Snapshot]:
    """A host with these records and containers, the newest record first; without either where None."""
    for name in ("ACCESS_LOGS", "ERROR_LOGS", "KERNEL_LOGS", "AUDIT_LOGS"):
        monkeypatch.setattr(looking, name, (f"{tmp_path}/{name.lower()}",))

    def look(
        *services: Service, records: Any = None, places: Any = None, lines: Any = None, cut: bool = False
    ) -> Snapshot:
        def journal(*_args: Any) -> Any:
            if isinstance(records, Exception):
                raise records
            return records, cut

        def container(_engine: Any, name: str, *_args: Any) -> Printed:
            if isinstance(lines[name], Exception):
                raise lines[name]
            return Printed(tuple(lines[name]))

        monkeypatch.setattr(systemd, "booted", lambda: records is not None)
        monkeypatch.setattr(looking, "find", lambda _name: "/usr/bin/journalctl")
        monkeypatch.setattr(looking, "newest_records", journal)
        monkeypatch.setattr(docker, "socket_path", lambda: None if places is None else tmp_path)
        monkeypatch.setattr(docker, "places", lambda *_args: places)
        monkeypatch.setattr(looking, "Engine", lambda *_args: type("E", (), {"close": lambda _self: None})())
        monkeypatch.setattr(looking, "printed", container)
        return observe(services, Deadline(5.0), lambda: NOW)

    return look


def record(ago: float, priority: str = "3", **fields: str) -> Record:
    return Record(NOW - ago, {"PRIORITY": priority, "MESSAGE": "it broke", "_TRANSPORT": "syslog", **fields})


def counted(seen: Snapshot) -> dict[str, tuple[str | None, int, int]]:
    return {one.source: (one.service, one.count.now, one.count.before) for one in seen.errors}


def levels(seen: Snapshot) -> list[tuple[str, str]]:
    return [(finding.id, finding.level) for finding in judge(seen)[1]]


def test_the_journal_is_counted_by_unit_and_gives_it_its_service(host: Any) -> None:
    app = Service("app", "systemd", unit="app.service")
    records = [
        record(5, UNIT="app.service", _SYSTEMD_UNIT="init.scope"),
        record(6, _SYSTEMD_UNIT="app.service"),
        record(900, _SYSTEMD_UNIT="app.service"),
        record(7, _TRANSPORT="kernel"),
        record(8, SYSLOG_IDENTIFIER="cron"),
    ]
    assert counted(host(app, records=records)) == {
        "app.service": ("app", 2, 1),
        "kernel": (None, 1, 0),
        "cron": (None, 1, 0),
    }


def test_logins_in_vain_and_what_containers_print_are_no_errors_of_the_journal(host: Any) -> None:
    records = [
        record(5, SYSLOG_IDENTIFIER="sshd-session", _SYSTEMD_UNIT="ssh.service"),
        record(5, SYSLOG_IDENTIFIER="sudo", priority="1"),
        record(5, CONTAINER_NAME="web", _SYSTEMD_UNIT="docker.service"),
        record(5, priority="4", _TRANSPORT="kernel"),
    ]
    assert counted(host(records=records)) == {}


def test_the_kernel_speaks_through_the_journal_or_else_through_syslog(host: Any, tmp_path: Path) -> None:
    put(tmp_path / "kernel_logs", f"{stamp(5)} db1 kernel: {PACKET}\n" * 2)
    assert host(records=[]).kernel.packets.now == 2
    speaks = [record(5, priority="4", _TRANSPORT="kernel", MESSAGE=PACKET)]
    assert host(records=speaks).kernel.packets.now == 1


def test_a_journal_that_cannot_be_read_is_a_warning_and_hides_no_file(host: Any, tmp_path: Path) -> None:
    put(tmp_path / "app.log", f"{stamp(5)} ERROR it broke\n")
    app = Service("app", "systemd", unit="app.service", logs=(f"{tmp_path}/app.log",))
    seen = host(app, records=Unreachable("the journal", "it does not show the system's messages", "Become."))
    assert counted(seen) == {f"{tmp_path}/app.log": ("app", 1, 0)}
    assert levels(seen) == [("logs.source.unseen", "warning")]


def test_a_journal_that_was_cut_is_judged_by_what_was_seen(host: Any) -> None:
    records = [record(ago, _SYSTEMD_UNIT="app.service") for ago in range(20)]
    seen = host(records=records, cut=True)
    assert (seen.errors[0].seen_from, seen.cut) == (NOW - 19, ("journal",))
    assert levels(seen) == []


def test_logs_of_services_are_told_from_access_logs_by_what_they_hold(host: Any, tmp_path: Path) -> None:
    moment = datetime.fromtimestamp(NOW - 5, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    put(tmp_path / "a.log", f'6.6.6.6 - - [{moment}] "GET / HTTP/1.1" 500 1\n')
    put(tmp_path / "b.log", f"{stamp(5)} ERROR it broke\n")
    put(tmp_path / "old.log", f"{stamp(9000)} ERROR it broke\n", ago=9000)
    app = Service("app", "systemd", unit="app.service", logs=(f"{tmp_path}/*.log",))
    seen = host(app, records=[])
    assert [(one.source, one.server_errors) for one in seen.http] == [(f"{tmp_path}/a.log", 1)]
    assert counted(seen) == {f"{tmp_path}/b.log": ("app", 1, 0)}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, [("logs.source.unseen", "warning")]),
        ({"app.log": ""}, []),
        ({"app.log.xz": "x"}, [("logs.source.unseen", "warning")]),
    ],
    ids=["no file", "a quiet one", "not to be read"],
)
def test_a_configured_log_that_is_not_there_is_told(
    host: Any, tmp_path: Path, files: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    for name, text in files.items():
        put(tmp_path / name, text)
    app = Service("app", "systemd", unit="app.service", logs=(f"{tmp_path}/app.log*",))
    assert levels(host(app, records=[])) == expected


def test_containers_are_read_unless_they_log_to_files(host: Any, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("")
    moment = datetime.fromtimestamp(NOW - 5, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    services = (
        Service("app", "compose", project="shop", service="app", logs=(f"{tmp_path}/app.log",)),
        Service("web", "compose", project="shop", service="nginx"),
    )
    places = [Place("shop-app", "i", "shop", "app"), Place("shop-nginx", "i", "shop", "nginx")]
    places.append(Place("other", "i", None, None))
    lines = {
        "shop-nginx": [
            f'{stamp(5)} 6.6.6.6 - - [{moment}] "GET / HTTP/1.1" 502 1 "-" "-"'.encode(),
            f"{stamp(5)} 2026/11/22 02:29:55 [emerg] 1#1: no".encode(),
        ]
    }
    seen = host(*services, places=places, lines=lines)
    assert counted(seen) == {"container shop-nginx": ("web", 1, 0)}
    assert [(one.source, one.server_errors) for one in seen.http] == [("container shop-nginx", 1)]


def test_with_nothing_configured_every_container_is_read(host: Any) -> None:
    places = [Place("a", "i", "shop", "app"), Place("b", "i", None, None)]
    lines = {
        "a": [f"{stamp(5)} ERROR it broke".encode()],
        "b": Unreachable("log of container b", "no", "Look."),
    }
    seen = host(places=places, lines=lines)
    assert counted(seen) == {"container a": ("app", 1, 0)}
    assert levels(seen) == [("logs.source.unseen", "notice")]


def test_a_host_without_journal_docker_and_logs_is_quiet(host: Any) -> None:
    assert (counted(host()), levels(host())) == ({}, [])
