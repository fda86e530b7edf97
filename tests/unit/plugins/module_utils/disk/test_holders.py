# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.disk import holders
from ansible_collections.firebreak.incident.plugins.module_utils.disk.holders import (
    SIZES,
    see_backups,
    see_docker,
)
from ansible_collections.firebreak.incident.plugins.module_utils.disk.model import Volume
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

CONTAINER = {
    "Name": "/shop-web",
    "GraphDriver": {"Data": {"UpperDir": "/var/lib/docker/overlay2/a/diff"}},
    "Mounts": [{"Name": "data"}, {"Source": "/etc"}],
}
ANSWERS: dict[str, Any] = {
    "/containers/json?all=true": [{"Id": "1"}, {"Id": "2"}],
    "/containers/1/json": CONTAINER,
    "/containers/2/json": None,
    "/volumes": {
        "Volumes": [{"Name": "data", "Mountpoint": "/v/data"}, {"Name": "old", "Mountpoint": "/v/old"}]
    },
    SIZES: {
        "LayersSize": 900,
        "Images": [
            {"Containers": 1, "Size": 500, "SharedSize": 100},
            {"Containers": 0, "Size": 400, "SharedSize": 100},
            {"Containers": -1, "Size": 300, "SharedSize": -1},
        ],
        "BuildCache": [
            {"Size": 70, "InUse": True, "Shared": False},
            {"Size": 30, "InUse": False, "Shared": False},
            {"Size": 10, "InUse": False, "Shared": True},
        ],
    },
}


def engine(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any]) -> None:
    class Engine:
        def __init__(self, _path: Path, _remaining: Any) -> None:
            pass

        def get(self, target: str) -> Any:
            if answers[target] == "late":
                raise Unreachable("docker", "it did not answer in time", "See its journal.")
            return answers[target]

        def close(self) -> None:
            pass

    monkeypatch.setattr(holders, "Engine", Engine)
    monkeypatch.setattr(holders, "container_logs", lambda _path, _remaining: ())
    monkeypatch.setattr(holders, "socket_path", lambda: Path("/run/docker.sock"))


def test_what_the_engine_has_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    engine(monkeypatch, ANSWERS)
    found = see_docker(lambda *_most: 5.0)
    assert found is not None and found.unseen is None
    assert found.layers == {"/var/lib/docker/overlay2/a/diff": "shop-web"}
    assert found.volumes == (Volume("data", "/v/data", True), Volume("old", "/v/old", False))
    assert (found.images, found.images_unused, found.build_cache, found.build_cache_unused) == (
        900,
        300,
        100,
        30,
    )


def test_an_engine_that_counts_for_too_long_costs_only_the_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    engine(monkeypatch, {**ANSWERS, SIZES: "late"})
    found = see_docker(lambda *_most: 5.0)
    assert found is not None and found.images is None and len(found.volumes) == 2
    assert "in time" in str(found.unseen)


def test_a_host_without_an_engine_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holders, "socket_path", lambda: None)
    assert see_docker(lambda *_most: 5.0) is None


def test_dumps_beyond_those_to_keep_are_counted_for_each_database(tmp_path: Path) -> None:
    for name, days in (("shop", 4), ("wiki", 2)):
        for day in range(1, days + 1):
            (tmp_path / f"{name}-2026010{day}T030000Z.sql").write_text("x" * 100 * day)
    (tmp_path / "notes.txt").write_text("no dump")
    found = see_backups(str(tmp_path), 3)
    assert (found.count, found.bytes) == (6, 1300)
    # The oldest of the shop.
    assert (found.beyond, found.beyond_bytes) == (1, 100)
    assert found.oldest is not None and found.newest is not None and found.oldest < found.newest


def test_no_directory_is_no_backup(tmp_path: Path) -> None:
    found = see_backups(f"{tmp_path}/none", 7)
    assert (found.count, found.oldest, found.beyond) == (0, None, 0)
