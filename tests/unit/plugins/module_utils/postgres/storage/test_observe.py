# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres import Access, Refused
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    Failed,
    Session,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.storage.observe import (
    Snapshot,
    observe,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.storage.relations import (
    BATCH,
    LAST_VALUES,
    SEQUENCES,
    collations,
)

TOO_LONG = Failed(Access(), "canceling statement due to statement timeout", "57014")
DENIED = Failed(Access(), "permission denied", "42501")


class Database(Session):
    """Answers every statement with one row, but those that contain a key of `errors`."""

    def __init__(self, errors: Mapping[str, Exception], sequences: int, readable: int) -> None:
        super().__init__(Access(), lambda: 1.0)
        self._errors, self._sequences, self._readable = errors, sequences, readable
        self.asked: list[str] = []

    def rows(
        self, query: str, params: Mapping[str, Any] | None = None, timeout: float = 5.0, limit: int = 10_000
    ) -> list[Mapping[str, Any]]:
        self.asked.append(query)
        for part, error in self._errors.items():
            if part in query:
                raise error
        if query == SEQUENCES:
            return [{"oid": number, "of": self._sequences + 3} for number in range(self._sequences)]
        if query == LAST_VALUES:
            oids = (params or {})["oids"]
            assert len(oids) <= BATCH
            return [{"oid": oid, "last": oid} for oid in oids if oid < self._readable]
        return [{"version_number": 150000}]

    def close(self) -> None:
        pass

    def _lines(
        self, statement: str, params: Mapping[str, Any], timeout: float, lock_timeout: float
    ) -> list[str]:
        raise AssertionError(statement)


def look(
    errors: Mapping[str, Exception] | None = None, sequences: int = 0, readable: int = 10_000
) -> tuple[Snapshot, Database]:
    database = Database(errors or {}, sequences, readable)
    return observe(Server(Access()), lambda _server, _seconds, _database: database, None, 20), database


def test_a_part_that_fails_costs_only_itself() -> None:
    seen, _database = look({"pg_ls_waldir": DENIED})
    assert list(seen.unseen) == ["directories"]
    assert "permission denied" in seen.unseen["directories"]
    assert {"relations", "tables", "indexes", "collations", "database_sizes"} <= set(seen.parts)


def test_sizes_are_estimated_where_measuring_takes_too_long() -> None:
    seen, _database = look({"pg_relation_size": TOO_LONG})
    assert seen.parts["relations"]["estimated"]
    assert seen.unseen == {}
    assert not look()[0].parts["relations"]["estimated"]


def test_what_is_not_allowed_is_not_estimated() -> None:
    assert list(look({"pg_relation_size": DENIED})[0].unseen) == ["relations"]


def test_no_way_in_is_no_answer() -> None:
    with pytest.raises(Refused):
        look({"current_database": Refused(Access(), "no", "No.")})


def test_sequences_are_read_in_batches_for_each_is_locked() -> None:
    seen, database = look(sequences=2 * BATCH + 1)
    assert database.asked.count(LAST_VALUES) == 3
    assert [one["last"] for one in seen.sequences] == list(range(2 * BATCH + 1))
    assert seen.unread == 3


def test_sequences_that_may_not_be_read_count_as_unread() -> None:
    seen, _database = look(sequences=10, readable=4)
    assert (len(seen.sequences), seen.unread) == (4, 9)


def test_what_was_read_before_a_failure_is_kept() -> None:
    seen, _database = look({"pg_sequence_last_value": TOO_LONG}, sequences=10)
    assert (len(seen.sequences), seen.unread) == (0, 13)
    assert "sequences" in seen.unseen


@pytest.mark.parametrize(("version", "recorded"), [(130016, False), (149999, False), (150000, True)])
def test_databases_record_their_collation_from_15(version: int, recorded: bool) -> None:
    look = collations(version)
    text = " ".join([*look.columns.values(), *look.tables.values()])
    assert ("pg_database_collation_actual_version" in text) == recorded
    assert ("datcollversion" in text) == recorded
