# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.storage.indexes import (
    droppable,
    judge_collations,
    judge_indexes,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.storage.remedy import Place

PLACE = Place("postgresql shop")
MIB = 1024**2


def judged(facts: dict[str, Any], **given: Any) -> list[Finding]:
    seen = {"invalid": [], "duplicates": [], "unused": [], "counted_seconds": 30 * 86400.0, **given}
    return list(judge_indexes(seen, facts, PLACE))


def invalid(**given: Any) -> dict[str, Any]:
    return {
        "index": 'public."Idx"',
        "table": "public.t",
        "unique": False,
        "ready": True,
        "partitioned": False,
        "leftover": None,
        "building": None,
        **given,
    }


BUILDING = {"pid": 42, "command": "CREATE INDEX CONCURRENTLY", "phase": "building index: scanning table"}


@pytest.mark.parametrize(
    ("given", "state", "level", "said", "inputs"),
    [
        ({}, "invalid", "warning", "its building failed", {"reindex": ['public."Idx"']}),
        ({"unique": True}, "invalid", "warning", "remove them first", {"reindex": ['public."Idx"']}),
        ({"building": BUILDING}, "invalid", "notice", "while pid 42 builds on public.t", None),
        ({"leftover": "new"}, "leftover", "warning", "every write keeps it up", {"invalid_indexes": True}),
        (
            {"leftover": "old", "ready": False},
            "leftover",
            "notice",
            "nothing uses it",
            {"invalid_indexes": True},
        ),
        ({"leftover": "new", "building": BUILDING}, "invalid", "notice", "while pid 42 builds", None),
        ({"partitioned": True}, "invalid", "warning", "ATTACH", None),
    ],
)
def test_what_is_to_be_done_about_an_invalid_index(
    facts: dict[str, Any],
    given: dict[str, Any],
    state: str,
    level: str,
    said: str,
    inputs: dict[str, Any] | None,
) -> None:
    (finding,) = judged(facts, invalid=[invalid(**given)])
    assert (finding.id, finding.level) == (f"postgres.index.{state}", level)
    assert said in finding.summary
    assert (finding.remedy and finding.remedy.inputs) == inputs


def index(name: str, **given: Any) -> dict[str, Any]:
    return {
        "index": name,
        "unique": False,
        "constraint": False,
        "identity": False,
        "nulls": "false",
        "bytes": MIB,
        **given,
    }


@pytest.mark.parametrize(
    ("others", "superfluous"),
    [
        ([index("b"), index("c")], ["b", "c"]),
        ([index("b", constraint=True)], []),
        ([index("b", identity=True)], []),
        # It keeps duplicates out, and the one that is kept does not.
        ([index("b", unique=True)], []),
    ],
)
def test_of_equal_indexes_one_is_kept(others: list[dict[str, Any]], superfluous: list[str]) -> None:
    assert [one["index"] for one in droppable([index("a"), *others])] == superfluous


@pytest.mark.parametrize(("nulls", "superfluous"), [("false", ["b"]), ("true", [])])
def test_a_unique_index_is_superfluous_beside_one_that_enforces_the_same(
    nulls: str, superfluous: list[str]
) -> None:
    primary = index("a", unique=True, constraint=True)
    assert [one["index"] for one in droppable([primary, index("b", unique=True, nulls=nulls)])] == superfluous


def test_duplicates_are_a_notice_with_their_size(facts: dict[str, Any]) -> None:
    group = {"table": "public.t", "indexes": [index("a"), index("b")]}
    (finding,) = judged(
        facts, duplicates=[group, {"table": "u", "indexes": [index("c"), index("d", constraint=True)]}]
    )
    assert (finding.id, finding.level, finding.remedy) == ("postgres.index.duplicate", "notice", None)
    assert "1.0 MiB" in finding.summary and "b (like a)" in finding.summary


UNUSED = [{"index": "public.i", "table": "public.t", "bytes": 64 * MIB}]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, True),
        ({"in_recovery": True}, False),
    ],
)
def test_unused_is_only_said_where_scans_are_counted(
    facts: dict[str, Any], given: dict[str, Any], said: bool
) -> None:
    findings = judged({**facts, **given}, unused=UNUSED)
    assert [(finding.id, finding.level) for finding in findings] == [
        ("postgres.index.unused", "notice")
    ] * said


def test_unused_needs_a_week_of_counting(facts: dict[str, Any]) -> None:
    assert judged(facts, unused=UNUSED, counted_seconds=6.9 * 86400) == []


def test_a_replica_may_need_what_is_unused_here(facts: dict[str, Any]) -> None:
    facts["slots"] = [{"name": "standby1"}]
    assert "ask it too" in judged(facts, unused=UNUSED)[0].summary


def affected(count: int, of: int | None = None) -> list[dict[str, Any]]:
    return [{"index": f"public.i{n}", "table": "public.t", "of": of or count} for n in range(count)]


MISMATCH = {"name": "Sh op", "recorded": "2.28", "actual": "2.36"}


def collated(database: str, **given: Any) -> list[Finding]:
    return list(
        judge_collations(
            {"databases": [MISMATCH], "collations": [], "affected": [], **given}, database, PLACE
        )
    )


def test_a_database_made_with_another_collation_names_its_indexes() -> None:
    (finding,) = collated("Sh op", affected=affected(2))
    assert (finding.id, finding.level) == ("postgres.collation.mismatch", "warning")
    assert "version 2.28 of its collation, the system has 2.36" in finding.summary
    assert "REINDEX 2 indexes on text, among them public.i0, public.i1" in finding.summary
    assert 'ALTER DATABASE "Sh op" REFRESH COLLATION VERSION' in finding.summary
    assert finding.remedy is not None
    # The version that is recorded stays what it was.
    assert not finding.remedy.cures
    assert finding.remedy.inputs == {"reindex": ["public.i0", "public.i1"]}


def test_only_part_of_the_indexes_is_no_remedy() -> None:
    assert collated("Sh op", affected=affected(20, of=90))[0].remedy is None


def test_of_another_database_the_indexes_are_not_known() -> None:
    (finding,) = collated("other", affected=affected(2))
    assert "REINDEX those on text" in finding.summary
    assert finding.remedy is None


def test_up_to_14_only_collations_record_a_version() -> None:
    (finding,) = collated(
        "x", databases=None, collations=[MISMATCH | {"name": "public.de"}], affected=affected(1)
    )
    assert finding.subject == "postgresql shop, collation public.de"
    assert (
        "REINDEX 1 index on text: public.i0; then ALTER COLLATION public.de REFRESH VERSION"
        in finding.summary
    )
