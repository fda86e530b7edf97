# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.firebreak.incident.plugins.module_utils.postgres.look import Look, statement


def test_looks_are_asked_in_one_statement_with_a_shared_table_once() -> None:
    activity = {"a": "(SELECT 1 AS n)"}
    text = statement(
        Look({"x": "(SELECT n FROM a)"}, activity),
        Look({"y": "2"}),
        Look({"z": "(SELECT n FROM a)"}, activity),
    )
    assert text.count("a AS (SELECT 1 AS n)") == 1
    assert text.startswith("WITH RECURSIVE a AS")
    assert text.endswith("SELECT (SELECT n FROM a) AS x,\n2 AS y,\n(SELECT n FROM a) AS z")


def test_without_tables_there_is_no_with() -> None:
    assert statement(Look({"one": "1"})) == "SELECT 1 AS one"
