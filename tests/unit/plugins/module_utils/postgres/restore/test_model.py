# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import IdentityChanged
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.restore.model import (
    Database,
    Mark,
    Snapshot,
    before_name,
    belongs,
    side_name,
)

from .conftest import SHA, make_copy, make_live, make_snapshot

NOW = datetime(2026, 11, 22, 6, 0, 0, tzinfo=UTC)


def test_a_copy_is_called_after_the_age_of_its_backup() -> None:
    assert side_name("shop", 1795323600.0, []) == "shop_restore_20261122T050000Z"
    assert side_name("shop", 1795323600.0, ["shop_restore_20261122T050000Z"]).endswith("Z_2")


@pytest.mark.parametrize("name", ["x" * 63, "ü" * 31, "a" + "ü" * 31, "☃" * 21])
def test_no_name_is_longer_than_the_server_keeps(name: str) -> None:
    for taken in ([], [before_name(name, NOW, [])]):
        made = before_name(name, NOW, taken)
        assert len(made.encode()) <= 63
        assert "_before_20261122T060000Z" in made and made not in taken
        assert name.startswith(made.partition("_before_")[0])


@pytest.mark.parametrize("text", [None, "", "x", "{}", "[1]", '"x"', '{"of": "shop", "nope": 1}', "3"])
def test_what_is_no_mark_is_none(text: str | None) -> None:
    assert Mark.parse(text) is None


def test_a_mark_comes_back_as_it_was_written() -> None:
    mark = make_copy(of='odd "na;me" 100%').mark
    assert Mark.parse(str(mark)) == mark


def test_the_database_before_is_known_by_its_oid_whatever_its_name() -> None:
    old, other = Database(9, "whatever", 5), Database(5, "postgres")
    mark = make_copy(swapped="2026-11-22T05:40:00.000Z", replaced=9).mark
    seen = make_snapshot(live=make_live(database=Database(10, "shop", 5, mark=mark)), others=(old, other))
    assert seen.kept() == [old] and seen.sides() == []


def test_copies_of_other_databases_are_not_ours(seen: Snapshot) -> None:
    mine, theirs = make_copy(), make_copy(name="x", oid=21, of="blog")
    assert replace(seen, others=(mine, theirs)).sides() == [mine]


def test_a_copy_of_another_backup_is_another_one() -> None:
    identity = {"database": "shop", "sha256": SHA}
    assert belongs(make_copy(), identity).checked
    for other in (make_copy(sha256="x"), make_copy(of="blog"), Database(3, "shop_restore")):
        with pytest.raises(IdentityChanged):
            belongs(other, identity)
