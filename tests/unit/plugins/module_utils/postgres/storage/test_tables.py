# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.storage.remedy import Place
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.storage.tables import (
    holder,
    judge_sequences,
    judge_tables,
    threshold,
    used,
)

SETTINGS = {
    "autovacuum": "on",
    "autovacuum_vacuum_threshold": "50",
    "autovacuum_vacuum_scale_factor": "0.2",
    "autovacuum_freeze_max_age": "200000000",
    "autovacuum_multixact_freeze_max_age": "400000000",
}
PLACE = Place("postgresql shop")


def seen(**given: Any) -> dict[str, Any]:
    return {"dead": [], "unanalyzed": [], "oldest": [], "holders": [], "settings": SETTINGS, **given}


def table(**given: Any) -> dict[str, Any]:
    return {
        "table": 'public."Odd"',
        "live_rows": 100_000,
        "dead_rows": 100_000,
        "estimated_rows": 200_000.0,
        "vacuumed": None,
        "options": [],
        "vacuuming": False,
        **given,
    }


def judged(**given: Any) -> list[Finding]:
    return list(judge_tables(seen(**given), PLACE))


@pytest.mark.parametrize(
    ("given", "levels", "said"),
    [
        ({}, ["warning"], "rows of public.\"Odd\" are dead (100000); autovacuum does not keep up"),
        ({"dead_rows": 99_999}, ["notice"], "are dead"),
        # Autovacuum allows 40050 here, and may be on its way until twice as many.
        ({"dead_rows": 80_099}, [], ""),
        ({"live_rows": 900_000}, [], ""),
        ({"dead_rows": 9_999, "live_rows": 0, "estimated_rows": 10.0}, [], ""),
        ({"vacuuming": True}, [], ""),
        ({"options": ["autovacuum_enabled=off", "fillfactor=70"]}, ["warning"], "switched off for it"),
        # It was told to wait for longer.
        ({"options": ["autovacuum_vacuum_scale_factor=0.5"]}, [], ""),
    ],
)  # fmt: skip
def test_dead_rows_beyond_what_autovacuum_allows(given: dict[str, Any], levels: list[str], said: str) -> None:
    findings = judged(dead=[table(**given)])
    assert [finding.level for finding in findings] == levels
    for finding in findings:
        assert finding.id == "postgres.table.vacuum_due"
        assert said in finding.summary
        assert finding.remedy is not None
        assert (finding.remedy.playbook, finding.remedy.inputs) == (
            "fix_database_performance",
            {"vacuum": ['public."Odd"']},
        )


def test_autovacuum_that_is_off_for_all_is_said() -> None:
    off = {**SETTINGS, "autovacuum": "off"}
    assert "autovacuum is switched off" in judged(dead=[table()], settings=off)[0].summary


def test_what_vacuum_could_not_remove_is_not_proposed_to_vacuum() -> None:
    slot = {"kind": "slot", "name": "old", "user": None, "application": None, "state": "inactive"}
    finding = judged(dead=[table()], holders=[{**slot, "transactions": 2_000_000, "seconds": None}])[0]
    assert "before this ends: slot old, inactive, 2000000 transactions ago" in finding.summary
    assert finding.remedy is None


@pytest.mark.parametrize(
    ("seconds", "transactions", "holds"),
    [(299.0, 999_999, False), (300.0, 1, True), (1.0, 1_000_000, True), (None, None, False)],
)
def test_who_holds_rows_for_a_moment_is_nobody(
    seconds: float | None, transactions: int | None, holds: bool
) -> None:
    one = {"kind": "session", "name": "pid 9", "user": "web", "state": "active", "application": "x"}
    assert (holder([{**one, "seconds": seconds, "transactions": transactions}]) is not None) == holds


@pytest.mark.parametrize(
    ("settings", "options", "rows"),
    [
        ({}, [], 50 + 0.2 * 1000),
        ({"autovacuum_vacuum_max_threshold": "100"}, [], 100),
        ({"autovacuum_vacuum_max_threshold": "-1"}, [], 250),
        ({}, ["autovacuum_vacuum_threshold=7", "autovacuum_vacuum_scale_factor=0"], 7),
    ],
)
def test_the_threshold_is_the_tables_own(settings: dict[str, str], options: list[str], rows: float) -> None:
    assert threshold(table(estimated_rows=1000.0, options=options), {**SETTINGS, **settings}) == rows


def test_a_table_that_was_never_counted_has_no_rows_to_its_threshold() -> None:
    assert threshold(table(estimated_rows=-1.0), SETTINGS) == 50


@pytest.mark.parametrize(("rows", "levels"), [(9_999, []), (10_000, ["notice"]), (1_000_000, ["warning"])])
def test_a_table_that_was_never_analyzed(rows: int, levels: list[str]) -> None:
    findings = judged(unanalyzed=[{"table": "public.t", "live_rows": rows, "changed_rows": rows}])
    assert [finding.level for finding in findings] == levels
    assert all(finding.remedy and finding.remedy.inputs == {"analyze": ["public.t"]} for finding in findings)


@pytest.mark.parametrize(
    ("transactions", "multixacts", "levels"),
    [
        (199_999_999, 0, []),
        (999_999_999, 0, []),
        (1_000_000_000, 0, ["warning"]),
        (0, 1_900_000_000, ["critical"]),
    ],
)
def test_old_tables_are_named_once(transactions: int, multixacts: int, levels: list[str]) -> None:
    one = {"table": "public.t", "transactions": transactions, "multixacts": multixacts, "pages": 1}
    findings = judged(oldest=[{**one, "toast": False}, {**one, "toast": True}])
    assert [finding.level for finding in findings] == levels
    assert all(finding.remedy and finding.remedy.inputs == {"vacuum": ["public.t"]} for finding in findings)


def test_another_database_is_an_input_of_the_remedy() -> None:
    place = Place("postgresql other", "other")
    finding = next(judge_tables(seen(dead=[table()]), place))
    assert finding.remedy is not None
    assert finding.remedy.inputs["database"] == "other"


def test_a_standby_has_no_remedy_of_its_own() -> None:
    finding = next(judge_tables(seen(dead=[table()]), Place("postgresql shop", standby=True)))
    assert finding.remedy is None


def sequence(**given: Any) -> dict[str, Any]:
    return {
        "sequence": "public.s",
        "column": "public.t.id",
        "type": "integer",
        "bits": 31,
        "step": 1,
        "lowest": 1,
        "highest": 2**63 - 1,
        "last": 2**30,
        **given,
    }


@pytest.mark.parametrize(
    ("given", "share", "left"),
    [
        # The column holds less than the sequence gives.
        ({"last": 2**31 - 1}, 100.0, 0),
        ({"last": 2**31 + 100}, 100.0, -101),
        ({"last": 2_000_000_000}, 93.1, 147_483_647),
        ({"bits": None, "column": None, "type": None, "highest": 1000, "last": 901, "step": 10}, 90.1, 9),
        (
            {"bits": 15, "type": "smallint", "step": -1, "lowest": -(2**63), "highest": -1, "last": -30_000},
            91.6,
            2768,
        ),
        ({"lowest": -(2**31), "highest": 2**31 - 1, "last": 0}, 50.0, 2**31 - 1),
    ],
)
def test_how_far_a_sequence_is(given: dict[str, Any], share: float, left: int) -> None:
    one = used([sequence(**given)])[0]
    assert (one["share"], one["left"]) == (share, left)


def test_sequences_that_were_never_used_or_have_far_to_go_are_not_listed() -> None:
    assert used([sequence(last=None), sequence(last=2**20), sequence(bits=63, last=2**40)]) == []


@pytest.mark.parametrize(
    ("last", "levels"),
    [(2**30, []), (1_716_000_000, []), (1_720_000_000, ["warning"]), (2**31 - 1, ["critical"])],
)
def test_a_sequence_is_critical_when_the_next_number_is_refused(last: int, levels: list[str]) -> None:
    findings = list(judge_sequences(used([sequence(last=last)]), PLACE))
    assert [finding.level for finding in findings] == levels
    assert all("public.t.id, which is integer" in finding.summary for finding in findings)
