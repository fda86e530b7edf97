# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.disk import usage as usage_module
from ansible_collections.firebreak.incident.plugins.module_utils.disk.model import Usage
from ansible_collections.firebreak.incident.plugins.module_utils.disk.usage import measure

NOW = 1_800_000_000.0
DAY = 86400.0


def fill(path: Path, size: int, age: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (NOW - age, NOW - age))
    return path


def look(*roots: Path, top: int = 20, over: bool = False, pinned: tuple[str, ...] = ()) -> Usage:
    return measure([str(root) for root in roots], NOW, top, lambda: over, pinned)


def blocks(path: Path) -> int:
    return path.lstat().st_blocks * 512


def test_every_block_of_a_tree_is_counted_once(tmp_path: Path) -> None:
    fill(tmp_path / "a/b/one", 50_000)
    os.link(tmp_path / "a/b/one", tmp_path / "a/two")
    fill(tmp_path / "three", 10)
    usage = look(tmp_path)
    everything = [tmp_path, tmp_path / "a", tmp_path / "a/b", tmp_path / "a/b/one", tmp_path / "three"]
    assert usage.bytes == sum(map(blocks, everything))
    assert (usage.files, usage.directories, usage.complete) == (2, 3, True)
    assert sum(share.files for share in usage.shares) == usage.files


def test_several_roots_are_added_up(tmp_path: Path) -> None:
    fill(tmp_path / "a/one", 50_000)
    fill(tmp_path / "b/two", 60_000)
    usage = look(tmp_path / "a", tmp_path / "b")
    assert usage.files == 2 and [file.path for file in usage.biggest] == [
        f"{tmp_path}/b/two",
        f"{tmp_path}/a/one",
    ]


def test_a_file_with_holes_counts_for_what_it_takes(tmp_path: Path) -> None:
    with (tmp_path / "holes").open("wb") as stream:
        stream.truncate(1 << 30)
    usage = look(tmp_path)
    assert usage.bytes < 1 << 20 and usage.size > 1 << 30
    assert (usage.sparse, usage.sparse_bytes) == (1, (1 << 30) - blocks(tmp_path / "holes"))


def test_ages_are_those_of_the_last_write(tmp_path: Path) -> None:
    for days in (-1, 0, 2, 10, 100):
        fill(tmp_path / f"f{days}", 1000, days * DAY)
    found = {share.age: share.files for share in look(tmp_path).shares}
    assert found == {"day": 2, "week": 1, "month": 1, "older": 1}


def test_the_biggest_of_every_kind_are_kept_however_big_others_are(tmp_path: Path) -> None:
    for number in range(1, 10):
        fill(tmp_path / f"{number}.bin", number * 100_000)
        fill(tmp_path / f"{number}.log", number * 10_000)
    usage = look(tmp_path, top=2)
    assert [Path(file.path).name for file in usage.biggest] == ["9.bin", "8.bin", "9.log", "8.log"]


def test_areas_are_found_by_their_place_and_where_they_were_asked_for(tmp_path: Path) -> None:
    fill(tmp_path / "cache/apt/archives/x.deb", 50_000)
    fill(tmp_path / "db/pg_wal/000000010000000000000001", 90_000)
    for number in range(3):
        fill(tmp_path / f"db/pg_wal/archive_status/{number}.ready", 0)
    fill(tmp_path / "mine/sub/x", 30_000)
    fill(tmp_path / "docker/volumes/v/_data/x", 20_000)
    areas = {area.path: area for area in look(tmp_path, pinned=(f"{tmp_path}/mine",)).areas}
    apt, wal = areas[f"{tmp_path}/cache/apt"], areas[f"{tmp_path}/db/pg_wal"]
    assert (apt.kind, apt.name) == ("package_cache", "apt") and apt.bytes >= 50_000
    assert (wal.kind, wal.waiting) == ("wal", 3) and wal.bytes >= 90_000
    assert areas[f"{tmp_path}/mine"].bytes >= 30_000
    assert areas[f"{tmp_path}/docker/volumes/v/_data"].bytes >= 20_000
    assert f"{tmp_path}/db/pg_wal/archive_status" not in areas


def test_what_the_directories_above_a_root_say_holds_below_it(tmp_path: Path) -> None:
    fill(tmp_path / "cache/apt/archives/file", 50_000)
    [share] = look(tmp_path / "cache/apt/archives").shares
    assert share.kind == "package_cache"


def test_what_a_layer_consists_of_is_not_listed(tmp_path: Path) -> None:
    fill(tmp_path / "docker/overlay2/abc/diff/usr/lib/x", 5_000_000)
    found = {one.path for one in look(tmp_path).large}
    assert found == {f"{tmp_path}/docker/overlay2/abc/diff"}


def test_a_walk_that_was_cut_off_keeps_what_it_saw(tmp_path: Path) -> None:
    fill(tmp_path / "a/b/c", 1000)
    usage = look(tmp_path, over=True)
    assert not usage.complete and usage.directories == 1 and usage.files == 0


def test_a_root_that_vanished_is_said_and_costs_no_other(tmp_path: Path) -> None:
    fill(tmp_path / "a", 1000)
    usage = look(tmp_path / "gone", tmp_path)
    assert usage.files == 1 and usage.unreadable == 1 and f"{tmp_path}/gone" in usage.first_unreadable


def test_memory_does_not_grow_with_the_number_of_endings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_module, "MOST_ENDINGS", 2)
    for ending in ("a", "b", "c", "sql"):
        fill(tmp_path / f"x.{ending}", 1000)
    kinds = {share.kind: share.files for share in look(tmp_path).shares}
    assert kinds == {"temporary": 3, "dump": 1}
