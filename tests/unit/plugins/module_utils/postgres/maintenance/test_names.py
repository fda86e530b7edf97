# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.names import (
    INDEXES,
    TABLES,
    readable,
    settle,
)


@pytest.mark.parametrize(
    "text", ["orders", "public.orders", '"Odd; name"', 'a."b.c"', ' "a""b" . c ', "ünïcödé", "_x$1"]
)
def test_what_postgresql_reads_is_given_to_it(text: str) -> None:
    assert readable(text) == text


@pytest.mark.parametrize(
    "text", ["", "a b", "1a", "a.b.c", "a;b", 'a"b', '""', "a.", "orders; DROP TABLE x", 'Odd "t"', "a-b"]
)
def test_what_would_be_an_error_is_not(text: str) -> None:
    assert readable(text) is None


def row(oid: int, how: str = "read", kind: str = "r", name: str = "public.orders") -> dict[str, Any]:
    return {"text": "orders", "oid": oid, "kind": kind, "name": name, "how": how}


@pytest.mark.parametrize(
    ("rows", "oid"),
    [
        ([row(1)], 1),
        ([row(1), row(2, "elsewhere")], 1),
        ([row(2, "elsewhere")], 2),
        ([row(1, "spelled")], 1),
    ],
)
def test_what_it_reads_counts_before_another_schema(rows: list[dict[str, Any]], oid: int) -> None:
    assert settle(["orders"], rows, TABLES, "table") == (oid,)


@pytest.mark.parametrize("rows", [[row(1), row(2, "spelled")], [row(1, "elsewhere"), row(2, "elsewhere")]])
def test_what_can_be_read_in_two_ways_is_refused(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(BadInput, match=r"it could be public\.orders, public\.orders"):
        settle(["orders"], rows, TABLES, "table")


def test_what_is_not_there_or_is_something_else_is_named() -> None:
    with pytest.raises(BadInput, match="table 'orders': there is none of that name"):
        settle(["orders"], [], TABLES, "table")
    with pytest.raises(BadInput, match=r"public\.orders is a view, not a table"):
        settle(["orders"], [row(1, kind="v")], TABLES, "table")
    with pytest.raises(BadInput, match=r"public\.orders is a table, not an index"):
        settle(["orders"], [row(1)], INDEXES, "index")
