# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_programs import Ran
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, IdentityChanged
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.restore import (
    copies,
    observe,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.restore.act import performers
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.restore.model import (
    MARK,
    Report,
    Snapshot,
)

from .conftest import make_copy, make_live, make_snapshot

LOCALE = {"encoding": "UTF8", "datcollate": "C", "datctype": "C"}
SCRIPT = (
    b"-- Data for Name: items; Type: TABLE DATA; Schema: public; Owner: web\n"
    b"COPY public.items (id) FROM stdin;\n1\n2\n\\.\n-- PostgreSQL database dump complete\n"
)
Make = Callable[..., "Place"]


class Place:
    """A server with one look; keeps the statements that it is given and what it was fed."""

    version = 150006

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path, seen: Snapshot, ran: Ran) -> None:
        self.seen, self._ran, self.statements, self.fed = seen, ran, list[str](), b""
        self.fail_at, self.help = "nothing", b"  \\restrict RESTRICT_KEY\n"
        self.settings: dict[str, str] = {}
        self.report = Report()
        monkeypatch.setattr(observe, "observe", lambda *_given: self.seen)
        monkeypatch.setattr(observe, "beside", lambda *_given: self)
        monkeypatch.setattr(copies, "run_program", self._run)
        self.identity = {
            "database": "shop",
            "oid": 10,
            "side": "shop_restore_20261122T050000Z",
            "backup": str(path),
            "sha256": hashlib.sha256(SCRIPT).hexdigest(),
        }
        self.acts = performers(lambda _identity: seen.server, self.report, 60)

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def execute(self, statement: str, *_given: Any, **_named: Any) -> None:
        self.statements.append(statement)
        if self.fail_at in statement:
            raise FirebreakError("it", "refused", "")

    def do(self, action: str, **changed: Any) -> None:
        self.acts[f"postgres.restore.{action}"]({**self.identity, **changed})

    def _run(
        self,
        _access: object,
        _program: str,
        arguments: Any,
        _s: float,
        source: Any = None,
        *more: Any,
        sink: Any = None,
        **_named: Any,
    ) -> Ran:
        if sink is not None:
            assert arguments == ["--help=commands"]
            sink.write(self.help)
            return Ran(0, "", 0, 0, 0.1)
        self.settings = more[-1]
        self.fed = b"".join(iter(lambda: source.read(1000), b""))
        return self._ran


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Make:
    path = tmp_path / "shop.sql"
    path.write_bytes(SCRIPT)

    def place(code: int = 0, stderr: str = "", **mark: Any) -> Place:
        copy = make_copy(**{"sha256": hashlib.sha256(SCRIPT).hexdigest(), "checked": False, **mark})
        seen = make_snapshot(live=make_live(locale=LOCALE), others=(copy,))
        return Place(monkeypatch, path, seen, Ran(code, stderr, 0, 0, 0.1))

    return place


def test_a_copy_is_closed_to_all_but_superusers_and_marked(make: Make) -> None:
    place = make()
    place.seen = replace(place.seen, others=())
    place.do("create")
    create, mark = place.statements
    assert "TEMPLATE template0" in create and "CONNECTION LIMIT 0" in create and 'OWNER "web"' in create
    assert MARK in mark


def test_a_copy_that_cannot_be_marked_does_not_stay(make: Make) -> None:
    place = make()
    place.seen, place.fail_at = replace(place.seen, others=()), "SET firebreak"
    with pytest.raises(FirebreakError):
        place.do("create")
    assert place.statements[-1].startswith("DROP DATABASE")


@pytest.mark.parametrize("changed", [{"oid": 11}, {}])
def test_no_copy_is_made_of_another_database_or_over_another_one(make: Make, changed: dict[str, Any]) -> None:
    place = make()
    with pytest.raises(IdentityChanged):
        place.do("create", **changed)
    assert place.statements == []


def test_a_script_is_loaded_and_its_rows_are_counted(make: Make) -> None:
    place = make()
    place.do("load")
    restriction, _newline, fed = place.fed.partition(b"\n")
    assert restriction.startswith(b"\\restrict ") and fed == SCRIPT
    assert "idle_session_timeout" in place.settings and "transaction_timeout" not in place.settings
    assert place.report.rows == {("public", "items"): 2} and place.report.counted
    assert place.statements == []


def test_a_load_that_fails_drops_the_copy(make: Make) -> None:
    place = make(3, 'psql:<stdin>:9: ERROR:  role "gone" does not exist\n')
    with pytest.raises(FirebreakError, match=r'role "gone".*was dropped.*Create the role'):
        place.do("load")
    assert place.statements == ['DROP DATABASE "shop_restore_20261122T050000Z" WITH (FORCE)']


def test_a_script_is_not_given_to_a_psql_that_would_start_programs(make: Make) -> None:
    place = make()
    place.help = b"  \\connect\n"
    with pytest.raises(FirebreakError, match=r"too old.*was dropped"):
        place.do("load")
    assert place.fed == b""


def test_a_backup_that_was_written_to_meanwhile_is_not_taken(make: Make) -> None:
    place = make(sha256="other")
    with pytest.raises(IdentityChanged, match="no longer the backup"):
        place.do("load", sha256="other")
    assert len(place.statements) == 1


def test_a_copy_that_cannot_be_dropped_is_named(make: Make) -> None:
    place = make(1, "no")
    place.fail_at = "DROP"
    with pytest.raises(
        FirebreakError, match="AND the copy shop_restore_20261122T050000Z could not be dropped"
    ):
        place.do("load")


def test_a_copy_that_was_in_use_is_not_dropped(make: Make) -> None:
    place = make(swapped="2026-11-22T05:40:00.000Z")
    with pytest.raises(IdentityChanged, match="has been in use"):
        place.do("drop")
    assert place.statements == []


def test_dropping_what_is_gone_is_done(make: Make) -> None:
    place = make()
    place.seen = replace(place.seen, others=())
    place.do("drop")
    assert place.statements == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({}, "ENCODING %(encoding)s LC_COLLATE %(collate)s LC_CTYPE %(ctype)s"),
        ({"datlocprovider": "i", "daticulocale": "de"}, "LOCALE_PROVIDER icu ICU_LOCALE %(locale)s"),
        ({"datlocprovider": "i", "datlocale": "de", "daticurules": "&a < b"}, "ICU_RULES %(rules)s"),
        ({"datlocprovider": "b", "datlocale": "C.UTF-8"}, "BUILTIN_LOCALE %(locale)s"),
    ],
)
def test_the_locale_is_that_of_the_database_in_use(found: dict[str, str], words: str) -> None:
    asked = copies._locale({**LOCALE, **found})
    values = copies._locale_values({**LOCALE, **found})
    assert words in asked and asked % dict.fromkeys(values, "x")
