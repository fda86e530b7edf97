# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    Access,
    Failed,
)
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.restore.tables import (
    compare,
    count,
    missing,
)

NO_DATA = "public.a is empty, in use it has 9 rows, and the backup has no data of it"
NO_ROWS = "it has not a single row, and what is in use has some"
A, B = ("public", "a"), ("public", "b")


class Tables:
    """A database whose tables have so many rows; of those without a number, the server says nothing."""

    def __init__(self, rows: dict[str, int | None], kind: str = "r") -> None:
        self._rows, self._kind = rows, kind
        self.asked: list[str] = []

    def rows(self, query: str, *_given: Any, **_named: Any) -> list[dict[str, Any]]:
        if "pg_class" in query:
            return [{"schema": "public", "name": name, "kind": self._kind} for name in self._rows]
        self.asked.append(query)
        found = []
        for part in query.split(" UNION ALL "):
            name = part.split('"')[3]
            rows = self._rows[name]
            if rows is None:
                raise Failed(Access(), "invalid page", "XX001")
            found.append({"n": int(part.split()[1].rstrip(",")), "rows": rows})
        return found


def counted(tables: Tables, seconds: float = 10, **given: Any) -> Any:
    return count(tables, Deadline(seconds), **given)  # type: ignore[arg-type]


def test_one_table_that_cannot_be_read_does_not_hide_the_others() -> None:
    assert counted(Tables({"a": 3, "b": None, "c": 0})) == {A: 3, B: None, ("public", "c"): 0}


def test_many_tables_are_asked_for_together() -> None:
    tables = Tables({f"t{number}": number for number in range(120)})
    assert counted(tables)[("public", "t119")] == 119 and len(tables.asked) == 3


def test_when_the_time_is_over_the_rest_is_not_known() -> None:
    assert counted(Tables({"a": 3}), seconds=0) == {A: None}


def test_a_partitioned_table_is_counted_as_a_whole_only_when_it_was_loaded_so() -> None:
    assert counted(Tables({"a": 3}, "p")) == {}
    tables = Tables({"a": 3}, "p")
    assert counted(tables, roots={A: 3}) == {A: 3} and "ONLY" not in tables.asked[0]


@pytest.mark.parametrize(
    ("expected", "restored", "live", "without", "said"),
    [
        ({A: 3}, {A: 3}, {A: 9}, (), []),
        ({A: 3}, {A: 2}, {}, (), ["public.a has 2 rows, and the backup 3"]),
        ({A: 3, B: 1}, {B: 1}, {A: 3}, (), ["public.a is missing"]),
        ({A: 3}, {A: None}, {}, (), ["public.a could not be counted in time"]),
        ({A: 0, B: 1}, {A: 0, B: 1}, {A: 9}, (), []),
        ({B: 1}, {A: 0, B: 1}, {A: 9}, (), [NO_DATA]),
        ({B: 1}, {A: 0, B: 1}, {A: 9}, (A,), []),
        ({}, {A: 8}, {A: 9}, (), []),
        ({A: 0}, {A: 0}, {A: 9}, (), [NO_ROWS]),
        ({}, {}, {A: 9}, (), [NO_ROWS]),
        ({}, {}, {A: 0}, (), []),
        # As after somebody dropped the tables and left one of their own.
        ({A: 3}, {A: 3}, {B: 1}, (), []),
    ],
)
def test_a_copy_is_held_against_its_backup(
    expected: Any, restored: Any, live: Any, without: Any, said: list[str]
) -> None:
    assert missing(compare(expected, restored, live), restored, without) == said
