# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.firebreak.incident.plugins.module_utils.postgres.corruption.decide import (
    judge_damage,
    judge_unchecked,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.corruption.observe import Reading


def damage(failures: int = 0, reading: Reading | None = None) -> list[str]:
    return [
        f"{one.level} {one.id} {one.summary}"
        for one in judge_damage("shop", "pg", failures, "2026-11-22T05:00:00+00:00", reading)
    ]


def unchecked(checksums: bool, reading: Reading | None) -> str:
    return " ".join(one.summary for one in judge_unchecked("shop", "pg", checksums, reading))


def test_a_sound_database_is_not_mentioned() -> None:
    assert damage(0, Reading(amcheck=True, total=9, read=9)) == []
    assert unchecked(True, None) == unchecked(False, Reading(amcheck=True, total=9, read=9)) == ""


def test_one_wrong_checksum_is_critical() -> None:
    (said,) = damage(1)
    assert said.startswith("critical postgres.data.corrupt 1 page of shop failed the checksum")
    assert "copy the data directory before anything else" in said


def test_damage_names_what_is_damaged_and_how() -> None:
    (said,) = damage(0, Reading(amcheck=True, damaged={"public.i": "item order invariant violated"}))
    assert "public.i of shop: item order invariant violated" in said and "REINDEX" in said


def test_what_was_not_looked_at_is_said() -> None:
    assert "no data checksums" in unchecked(False, None)
    assert "CREATE EXTENSION amcheck" in unchecked(True, Reading(available=True))
    assert "contrib" in unchecked(True, Reading())
    unread = Reading(amcheck=True, total=3, read=2, unread={"public.big": "the time was over"})
    assert "1 of 3 tables and indexes of shop were not read: public.big" in unchecked(True, unread)
