# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import struct
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.persistence.walk import (
    parse_capabilities,
    walk,
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, mode in (("a", 0o4755), ("b", 0o755), ("deep/.hidden/c", 0o2755), ("d", 0o4644)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        path.chmod(mode)
    tmp_path.chmod(0o755)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    return tmp_path


def device(path: Path) -> int:
    return path.stat().st_dev


def test_suid_and_sgid_programs_are_found_and_links_are_not_followed(tree: Path) -> None:
    found = walk([str(tree)], [device(tree)], lambda: 9.0)
    assert [item.path.rpartition("/")[2] for item in found.items] == ["a", "c"]
    assert (found.files, found.missed) == (4, "")


def test_a_folder_is_walked_once_however_often_it_is_named(tree: Path) -> None:
    assert walk([str(tree / "deep"), str(tree)], [device(tree)], lambda: 9.0).files == 4


def test_other_filesystems_are_left_alone(tree: Path) -> None:
    assert walk([str(tree)], [device(tree) + 1], lambda: 9.0).files == 0


def test_where_only_root_gets_in_such_a_file_helps_nobody(tree: Path) -> None:
    (tree / "deep").chmod(0o700)
    if tree.stat().st_uid == 0:
        assert len(walk([str(tree)], [device(tree)], lambda: 9.0).items) == 1


def test_what_was_not_reached_in_time_is_named(tree: Path) -> None:
    assert walk([str(tree)], [device(tree)], lambda: 0.05).missed == str(tree)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (struct.pack("<IIIII", 0x2000001, 1 << 7, 0, 0, 0), ("setuid",)),
        (struct.pack("<IIIII", 0x2000000, 1 << 13, 0, 1 << 7, 0), ("net_raw", "bpf")),
        (struct.pack("<III", 0x1000000, 1 << 21, 0), ("sys_admin",)),
        (b"", ()),
        (b"\xff" * 5, ()),
    ],
)
def test_capabilities_have_names(value: bytes, names: tuple[str, ...]) -> None:
    assert parse_capabilities(value) == names
