# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.catalogue import (
    GLOBALS,
    everything,
    found,
    globals_name_for,
    looked_at,
    name_for,
    unfinished,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.files import becoming

STARTED = datetime(2026, 11, 22, 1, 2, 3, 456789, tzinfo=UTC)
BEGUN = STARTED.replace(microsecond=0).timestamp()


def integer(value: int) -> bytes:
    return b"\0" + value.to_bytes(4, "little")


def custom(database: str, minor: int = 14) -> bytes:
    """The head of an archive: magic, version, sizes, format, compression, time, names."""
    compression = b"\x01" if minor >= 15 else integer(-1 & 0xFFFFFFFF)
    moment = b"".join(integer(part) for part in (3, 2, 1, 22, 10, 126, 0))
    name = database.encode()
    head = b"PGDMP\x01" + bytes([minor, 0, 4, 8, 1])
    return head + compression + moment + integer(len(name)) + name


def put(
    directory: Path, name: str, content: bytes = b"--\n-- PostgreSQL", mtime: float | None = None
) -> Path:
    path = directory / name
    path.write_bytes(content)
    moment = BEGUN + 60 if mtime is None else mtime
    os.utime(path, (moment, moment))
    return path


@pytest.mark.parametrize("minor", [12, 14, 15, 16])
def test_an_archive_says_itself_what_it_is_a_dump_of(minor: int, tmp_path: Path) -> None:
    put(tmp_path, "nightly-1.dump", custom("Shop ü", minor))
    put(tmp_path, "nightly-2.dump.gz", gzip.compress(custom("Shop ü", minor)))
    assert [(one.kind, one.database) for one in found(str(tmp_path))] == [
        ("custom_gz", "Shop ü"),
        ("custom", "Shop ü"),
    ]


@pytest.mark.parametrize("content", [b"PGDMP", b"PGDMP\x01\x0e\x00\x04\x08\x01" + b"\xff" * 50, b""])
def test_a_head_that_is_no_head_leaves_the_name_to_say_it(content: bytes, tmp_path: Path) -> None:
    put(tmp_path, "shop-20261122T010203Z.dump", content)
    assert found(str(tmp_path))[0].database == "shop"


@pytest.mark.parametrize(
    ("name", "database"),
    [
        ("zekka_production-20261122T010203Z.sql.gz", "zekka_production"),
        ("shop-2026-11-22.sql", "shop"),
        ("shop_2026-11-22_03-15-00.sql.gz", "shop"),
        ("shop.20261122.sql", "shop"),
        ("shop-20261122-031500.pgdump", "shop"),
        ("shop-1795326703.sql", "shop"),
        ("shop.sql.gz", "shop"),
        ("shop_2.sql", "shop_2"),
        ("%2E.%2Fa%20b-20261122T010203Z.sql", "../a b"),
        ("backup-2026-11-22.sql.gz", None),
        ("dump.sql", None),
    ],
)
def test_the_name_up_to_its_date_is_the_database(name: str, database: str | None, tmp_path: Path) -> None:
    put(tmp_path, name)
    assert [one.database for one in everything(str(tmp_path))] == [database]


def test_the_dumps_of_one_database_are_not_those_of_another_with_a_longer_name(tmp_path: Path) -> None:
    for name in ("shop-20261122T010203Z.sql", "shop-archive-20261122T010203Z.sql", "backup.sql"):
        put(tmp_path, name)
    assert {one.path.rpartition("/")[2] for one in found(str(tmp_path), "shop")} == {
        "shop-20261122T010203Z.sql",
        "backup.sql",
    }


def test_what_is_no_dump_is_not_listed(tmp_path: Path) -> None:
    for name in ("shop.sql.part", "shop.rdb", "uploads.tar.gz", "shop.dump.json", "shop.dump.zst"):
        put(tmp_path, name)
    real = put(tmp_path, "shop-20261122T010203Z.sql")
    (tmp_path / "latest.sql").symlink_to(real)
    (tmp_path / "old.sql").mkdir()
    os.mkfifo(tmp_path / "pipe.sql")
    put(tmp_path, globals_name_for(STARTED))
    assert [one.path for one in found(str(tmp_path))] == [str(real)]
    assert looked_at(str(tmp_path / "pipe.sql")) is None
    assert {one.kind for one in everything(str(tmp_path))} == {"sql", "globals"}


def test_a_backup_is_as_old_as_its_beginning_unless_that_cannot_be(tmp_path: Path) -> None:
    put(tmp_path, "a-20261122T010203Z.sql")
    # Local time with a Z behind it, from the east of Greenwich.
    put(tmp_path, "b-20261122T060203Z.sql")
    put(tmp_path, "c-20269999T999999Z.sql")
    put(tmp_path, "d.sql")
    assert {str(one.database): one.created for one in found(str(tmp_path))} == {
        "a": BEGUN,
        "b": BEGUN + 60,
        "c": BEGUN + 60,
        "d": BEGUN + 60,
    }


def test_the_newest_comes_first(tmp_path: Path) -> None:
    for name in ("a-20261122T010202Z.sql", "a-20261122T010203Z.sql", "a-20261122T010201Z.sql"):
        put(tmp_path, name)
    assert [one.path[-8:] for one in found(str(tmp_path))] == ["203Z.sql", "202Z.sql", "201Z.sql"]


def test_a_manifest_counts_as_long_as_the_file_is_the_same(tmp_path: Path) -> None:
    path = put(tmp_path, "x-20261122T010203Z.sql", b"content")
    manifest = {
        "sha256": "abc",
        "size": 7,
        "mtime_ns": path.stat().st_mtime_ns,
        "verified_at": "2026-11-22T01:02:05.000Z",
        "started": "2026-11-22T01:02:03.456Z",
        "database": "shop",
    }
    beside = tmp_path / f"{path.name}.json"
    beside.write_text(json.dumps(manifest))
    one = found(str(tmp_path))[0]
    assert (one.database, one.sha256, one.proved, one.created) == ("shop", "abc", True, BEGUN + 0.456)
    os.utime(path, (BEGUN + 61, BEGUN + 61))
    assert found(str(tmp_path))[0].proved is False


@pytest.mark.parametrize("text", ["", "[]", '"x"', "{}", '{"sha256": 5}', "\xff", "{" * 70_000])
def test_a_manifest_that_is_none_is_as_good_as_none(text: str, tmp_path: Path) -> None:
    path = put(tmp_path, "x.sql")
    (tmp_path / "x.sql.json").write_bytes(text.encode("latin-1"))
    assert found(str(tmp_path))[0].manifest is None
    (tmp_path / "x.sql.json").unlink()
    os.mkfifo(tmp_path / "x.sql.json")
    one = looked_at(str(path))
    assert one is not None and one.manifest is None


@pytest.mark.parametrize("name", ["shop", "Shop ü", "../a/b", ".hidden", 'q"; rm -rf', "a\nb", "x" * 63])
def test_any_name_becomes_one_of_a_file_and_back(name: str, tmp_path: Path) -> None:
    file_name = name_for(name, STARTED)
    assert "/" not in file_name and not file_name.startswith(".") and len(file_name) < 255
    path = put(tmp_path, file_name)
    assert path.parent == tmp_path
    assert [one.database for one in found(str(tmp_path), name)] == [name]


def test_no_directory_has_no_backups_and_one_that_is_no_directory_is_said(tmp_path: Path) -> None:
    assert found(str(tmp_path / "none")) == ()
    put(tmp_path, "file")
    with pytest.raises(Unreachable, match="Not a directory"):
        found(str(tmp_path / "file"))


def test_only_what_nobody_writes_any_more_was_left_unfinished(tmp_path: Path) -> None:
    names = ("shop-20261122T050000Z.dump", "cluster-20261122T050000Z.globals.sql")
    for name in (*names, "notes", "shop.dump"):
        (tmp_path / f"{name}.part").write_bytes(b"12345")
    (tmp_path / "a-20261122T050000Z.dump.part").symlink_to(tmp_path / "notes.part")
    paths = [str(tmp_path / f"{name}.part") for name in names]
    assert unfinished(str(tmp_path)) == tuple((path, 5) for path in sorted(paths))
    with becoming(tmp_path / "new-20261122T050000Z.dump"):
        assert [path for path, _size in unfinished(str(tmp_path))] == sorted(paths)
    assert unfinished(str(tmp_path / "none")) == ()


def test_roles_are_only_those_that_were_dumped_here(tmp_path: Path) -> None:
    for name in ("cluster-20261122T050000Z.globals.sql", "before-upgrade.globals.sql"):
        (tmp_path / name).write_bytes(b"x")
    assert {Path(one.path).name for one in everything(str(tmp_path)) if one.kind == GLOBALS} == {
        "cluster-20261122T050000Z.globals.sql"
    }
