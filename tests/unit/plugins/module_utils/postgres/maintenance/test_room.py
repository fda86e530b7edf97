# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import docker
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import Access
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.room import (
    Room,
    look,
    volumes,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server

STARTED = 1_795_326_745
DF = """Filesystem     1024-blocks     Used Available Capacity Mounted on
/dev/vda         264212084 26446116  79944796      25% /var/lib/postgresql/data
/dev/vdb            100000    90000     10000      90% /fast disk
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "postmaster.pid").write_text(f"6401\n{tmp_path}\n{STARTED - 2}\n5504\n/run\nlocalhost\n")
    return tmp_path


def seen(data: Path, started: int = STARTED, port: str = "5504") -> Room:
    return look(Server(Access()), {"data_directory": str(data), "port": port}, started)


def test_the_server_of_this_host_is_known_by_its_start_and_port(data: Path) -> None:
    room = seen(data)
    assert room.unseen is None
    assert room.data is not None
    assert room.at("") is room.data
    assert room.data.free > 0
    assert room.at("/elsewhere") is None


@pytest.mark.parametrize(("started", "port"), [(STARTED + 3600, "5504"), (STARTED, "5432")])
def test_the_standby_of_a_server_is_not_taken_for_it(data: Path, started: int, port: str) -> None:
    assert "another server" in str(seen(data, started, port).unseen)


def test_what_cannot_be_seen_is_said_with_the_reason(tmp_path: Path) -> None:
    assert "No such file" in str(seen(tmp_path).unseen)
    assert "pg_read_all_settings" in str(look(Server(Access()), {}, STARTED).unseen)
    (tmp_path / "postmaster.pid").write_text("garbage")
    assert "another server" in str(seen(tmp_path).unseen)


def inside(monkeypatch: pytest.MonkeyPatch, code: int, said: str) -> Room:
    monkeypatch.setattr(docker, "socket_path", lambda: Path("/run/docker.sock"))
    asked: list[Any] = []

    def run(*words: Any, **_given: Any) -> Completed:
        asked.append(words)
        return Completed((), code, said, "df: gone")

    settings = {"data_directory": "/data", "port": "5432"}
    room = look(Server(Access(container="db")), settings, STARTED, ["/fast disk", ""], inside=run)
    assert asked[0][1:3] == ("db", ["df", "-P", "-k", "/data", "/fast disk"])
    return room


def test_in_a_container_df_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    room = inside(monkeypatch, 0, DF)
    assert (room.data and room.data.free, room.data and room.data.device) == (79944796 * 1024, "/dev/vda")
    volume = room.at("/fast disk")
    assert (volume and volume.free, volume and volume.device) == (10000 * 1024, "/dev/vdb")


@pytest.mark.parametrize(
    ("code", "said"), [(126, ""), (1, DF), (0, "x"), (0, ""), (0, DF.replace("10000", "?"))]
)
def test_an_odd_answer_of_df_is_no_answer(monkeypatch: pytest.MonkeyPatch, code: int, said: str) -> None:
    room = inside(monkeypatch, code, said)
    assert (room.data, bool(room.unseen)) == (None, True)


def test_a_line_for_each_path_is_wanted() -> None:
    with pytest.raises(ValueError, match="a line for each path"):
        volumes(["/data"], DF)
