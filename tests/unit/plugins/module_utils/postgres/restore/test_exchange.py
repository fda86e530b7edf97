# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.postgres.restore import exchange
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.restore.model import Database

from .conftest import make_copy


class Recorder:
    """Answers with what is set for the database in use, and keeps the statement."""

    def __init__(self, settings: list[dict[str, str]]) -> None:
        self._settings = settings
        self.body = ""

    def rows(self, _query: str, params: dict[str, Any]) -> list[dict[str, str]]:
        return self._settings if params["oid"] == 10 else [{"role": "", "setting": "firebreak.restore={}"}]

    def execute(self, statement: str, params: dict[str, str], **_given: Any) -> None:
        assert statement == "DO %(body)s"
        self.body = params["body"]


def put(settings: list[dict[str, str]], name: str = "shop") -> str:
    recorder, copy = Recorder(settings), make_copy()
    mark = copy.mark
    assert mark is not None
    old = Database(10, name)
    exchange.put_in_place(recorder, old, copy, f"{name}_before", mark)  # type: ignore[arg-type]
    return recorder.body


def test_both_are_checked_before_anything_is_done() -> None:
    body = put([])
    assert body.index("oid = 10") < body.index("oid = 20") < body.index("EXECUTE")


def test_the_old_name_is_free_before_it_is_taken() -> None:
    body = put([])
    first = body.index('ALTER DATABASE "shop" RENAME TO "shop_before"')
    assert first < body.index('RENAME TO "shop"\'') < body.index("ALLOW_CONNECTIONS true")


@pytest.mark.parametrize(
    ("setting", "statement"),
    [
        ("work_mem=5MB", "SET \"work_mem\" TO E''5MB''"),
        ('search_path="$user", "a, ""b", public', "TO E''$user'', E''a, \"b'', E''public''"),
        ("search_path=", "SET \"search_path\" TO ''''"),
        ("foo.bar=it's \\ a=b", "SET \"foo\".\"bar\" TO E''it''''s \\\\\\\\ a=b''"),
    ],
)
def test_settings_keep_their_value_whatever_is_in_it(setting: str, statement: str) -> None:
    assert statement in put([{"role": "", "setting": setting}])


def test_settings_of_roles_go_along() -> None:
    body = put([{"role": 'odd "one"', "setting": "statement_timeout=3s"}])
    assert (
        'ALTER ROLE "odd ""one""" IN DATABASE "shop_restore_20261122T050000Z" SET "statement_timeout"' in body
    )


def test_the_mark_of_an_earlier_restore_does_not() -> None:
    body = put([{"role": "", "setting": "firebreak.restore=old"}])
    assert "old" not in body and body.count("SET firebreak.restore TO") == 1


def test_a_name_cannot_leave_its_quotes() -> None:
    name = "a'; DROP DATABASE x; --\\\" $$"
    body = put([], name)
    assert "datname = E'a''; DROP DATABASE x; --\\\\\" $$'" in body
    assert 'ALTER DATABASE "a\'\'; DROP DATABASE x; --\\\\"" $$" RENAME' in body
