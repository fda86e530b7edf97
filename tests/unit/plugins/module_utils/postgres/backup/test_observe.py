# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    Access,
    Refused,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Space
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.catalogue import Backup
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.observe import (
    ALL,
    NEWEST,
    NONE,
    Proofs,
    examined,
    room_of,
    wanted,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.verify import Verification
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server

from .conftest import NOW, PLAIN

Make = Callable[..., Backup]
SERVER = Server(Access())


class Reader:
    def __init__(self, *good: str) -> None:
        self.good = good
        self.read: list[str] = []

    def __call__(self, backup: Backup, access: Access, _seconds: float) -> Verification:
        self.read.append(backup.path)
        if backup.path == "/b/unread":
            raise Refused(access, "pg_restore is not on this host", "Install it.")
        return Verification(backup.path in self.good, "", 0)


@pytest.fixture
def four(backup: Make) -> list[Backup]:
    return [
        backup(age, path=path, inode=age)
        for age, path in enumerate(["/b/broken", "/b/unread", "/b/good", "/b/older"])
    ]


@pytest.mark.parametrize(
    ("depth", "verified"),
    [
        (NONE, [None, None, None, None]),
        (NEWEST, [False, None, True, None]),
        (ALL, [False, None, True, True]),
    ],
)
def test_so_much_is_read_as_was_asked_for(
    depth: str, verified: list[bool | None], four: list[Backup]
) -> None:
    reader = Reader("/b/good", "/b/older")
    result = examined(four, Proofs(Access(), 10, reader), depth)
    assert [one.verified for one in result] == verified
    assert ("not on this host" in result[1].reason) is (depth != NONE)


def test_those_that_are_too_old_to_help_are_not_read(four: list[Backup]) -> None:
    reader = Reader()
    examined(four, Proofs(Access(), 10, reader), NEWEST, NOW - 1.5)
    assert reader.read == ["/b/broken", "/b/unread"]


def test_for_deleting_the_manifests_are_believed_and_what_has_none_is_read(backup: Make) -> None:
    reader = Reader("/b/new", "/b/bare")
    backups = [
        backup(1, path="/b/new", inode=1),
        backup(2, path="/b/known", inode=2, proved=True),
        backup(3, path="/b/bare", inode=3),
    ]
    result = examined(backups, Proofs(Access(), 10, reader), NEWEST, 0, recorded=True)
    assert [one.verified for one in result] == [True, True, True]
    assert reader.read == ["/b/new", "/b/bare"]


def test_what_was_read_once_is_not_read_again_unless_it_is_another_file(backup: Make) -> None:
    reader = Reader("/b/x")
    proofs = Proofs(Access(), 10, reader)
    first = backup(1, path="/b/x")
    for one in (first, first, replace(first, mtime_ns=10), replace(first, size=1)):
        proofs.of(one)
    assert len(reader.read) == 3


@pytest.mark.parametrize(
    ("names", "every", "chosen"),
    [
        ([], False, ("shop",)),
        (["other", "other"], False, ("other",)),
        ([], True, ("shop", "other")),
    ],
)
def test_the_configured_database_is_meant_unless_others_are_named(
    names: list[str], every: bool, chosen: tuple[str, ...]
) -> None:
    assert wanted(names, every, "shop", PLAIN, SERVER) == chosen


def test_a_database_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(BadInput, match=r"no database 'nowhere'.*There are: other, shop"):
        wanted(["nowhere"], False, "shop", PLAIN, SERVER)


def test_without_the_server_only_named_databases_are_known() -> None:
    assert wanted([], False, "shop", None, SERVER) == ("shop",)
    with pytest.raises(Unreachable):
        wanted([], True, "shop", None, SERVER)


def test_room_is_that_of_where_the_directory_would_be(tmp_path: Path) -> None:
    asked: list[str] = []

    def space(place: str) -> Space:
        asked.append(place)
        return Space(1, 1, 1, 1, 1)

    cluster = replace(PLAIN, data_directory=str(tmp_path))
    room = room_of(str(tmp_path / "a" / "b"), SERVER, cluster, space)
    assert (asked, room.exists, room.holds_data) == ([str(tmp_path)], False, True)
    # Data that cannot be found, or that are on another host, are not here.
    hidden = replace(PLAIN, data_directory=str(tmp_path / "none"))
    assert not room_of(str(tmp_path), SERVER, hidden, space).holds_data
    elsewhere = Server(Access(host="db2"))
    assert not room_of(str(tmp_path), elsewhere, cluster, space).holds_data


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for given in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadInput, match="no directory"):
            room_of(str(given), SERVER, None)
