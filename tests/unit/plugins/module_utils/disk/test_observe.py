# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Procfs, Space, space
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.disk import observe as observe_module
from ansible_collections.firebreak.incident.plugins.module_utils.disk.job import wish_of
from ansible_collections.firebreak.incident.plugins.module_utils.disk.model import Docker, Log, Snapshot
from ansible_collections.firebreak.incident.plugins.module_utils.disk.observe import Wish, observe
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable


@pytest.fixture(autouse=True)
def no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe_module, "see_docker", lambda _remaining: None)


def small(_point: str) -> Space:
    """Of which a file of a megabyte is a good deal."""
    return replace(space("/"), total=20_000_000)


def look(path: Path, **given: Any) -> Snapshot:
    wish = replace(Wish((str(path),), 20, 30.0), **given)
    return observe(wish, statvfs=small, nice=lambda _by: None)


def logs_of(snapshot: Snapshot) -> dict[str, Log]:
    return {Path(log.file.path).name: log for log in snapshot.seen[0].logs}


def test_logs_that_are_large_are_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("app.log", "web.log", "web.log.1", "webber.log", "webber-1.log.x"):
        (tmp_path / name).write_bytes(bytes(1_000_000))
    (tmp_path / "small.log").write_bytes(bytes(1000))

    def write(_remaining: Any) -> None:
        # While others are asked, behind the walk's back.
        time.sleep(0.3)
        with (tmp_path / "app.log").open("ab") as stream:
            stream.write(bytes(500_000))

    monkeypatch.setattr(observe_module, "see_docker", write)
    logs = logs_of(look(tmp_path))
    assert set(logs) == {"app.log", "web.log", "webber.log"}
    assert {name: log.rotated for name, log in logs.items()} == {
        "app.log": False,
        "web.log": True,
        "webber.log": False,
    }
    assert logs["app.log"].grown >= 450_000 and logs["web.log"].grown == 0


def test_the_slots_of_a_server_that_is_down_are_named(tmp_path: Path) -> None:
    (tmp_path / "main/pg_wal").mkdir(parents=True)
    (tmp_path / "main/pg_replslot/standby1").mkdir(parents=True)
    assert look(tmp_path).slots == {f"{tmp_path}/main/pg_wal": ("standby1",)}


def test_an_engine_that_does_not_answer_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_remaining: Any) -> None:
        raise Unreachable("docker", "it did not answer in time", "See its journal.")

    monkeypatch.setattr(observe_module, "see_docker", refuse)
    found = look(tmp_path)
    assert "in time" in found.unseen["docker"] and found.seen[0].usage.complete


def test_sizes_that_the_engine_does_not_tell_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe_module, "see_docker", lambda _remaining: Docker(unseen="too slow"))
    assert look(tmp_path).unseen == {"images": "too slow"}


def test_a_walk_that_hangs_is_left_behind_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(_wish: Wish, _places: Any, _now: float, _deadline: Deadline) -> None:
        raise Unreachable("walk", "the disk does not answer", "See dmesg.")

    monkeypatch.setattr(observe_module, "_walk", hang)
    found = look(tmp_path)
    assert not found.seen[0].usage.complete and "does not answer" in found.unseen["walk"]


def test_backups_on_the_network_are_not_touched(tmp_path: Path) -> None:
    root = tmp_path / "proc"
    (root / "self").mkdir(parents=True)
    (root / "filesystems").write_text("\text4\n")
    (root / "self/mountinfo").write_text(
        "1 1 8:1 / / rw - ext4 /dev/x rw\n2 1 0:9 / /backups rw - nfs4 nas:/ rw\n"
    )
    wish = Wish((str(tmp_path),), 20, 30.0, backups="/backups/shop", keep=7)
    found = observe(wish, Procfs(root=root), small, lambda _by: None)
    assert found.backups is None and "network" in found.unseen["backups"]


def params(**given: Any) -> dict[str, Any]:
    return {
        "paths": [],
        "top": 20,
        "timeout": "60s",
        "backup": None,
        "postgres": None,
        "services": {},
        **given,
    }


def test_what_is_asked_is_understood() -> None:
    given = params(paths=["/srv", ""], timeout="5m", backup={"directory": "/b", "keep": 3})
    wish = wish_of(given)
    assert (wish.paths, wish.timeout, wish.backups, wish.keep) == (("/srv",), 300.0, "/b", 3)


@pytest.mark.parametrize(
    "given",
    [
        {"top": 0},
        {"top": 501},
        {"timeout": "0s"},
        {"timeout": "2h"},
        {"timeout": "soon"},
        {"backup": {"directory": "b", "keep": 7}},
        {"backup": {"directory": "/b", "keep": 0}},
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        wish_of(params(**given))
