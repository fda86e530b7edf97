# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    SILENT,
    Access,
    Failed,
    Refused,
    Session,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, IdentityChanged
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.act import Workshop
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.decide import Policy
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.room import Room, Volume
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server

Rows = list[dict[str, Any]]


class Fake:
    """A server with one table and some indexes. `on` says what a statement does, by its first words."""

    def __init__(self, tables: Rows, indexes: Rows, settings: Mapping[str, str]) -> None:
        self.tables, self.indexes, self.settings = tables, indexes, settings
        self.running: Rows = []
        self.others: Rows = []
        self.said: list[tuple[str, float, float]] = []
        self.on: dict[str, Callable[[], None]] = {}
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def enter(self, _server: Server, _seconds: float, database: str | None = None) -> Session:
        assert database == "shop"
        return _Session(self)

    def answer(self, query: str, params: Mapping[str, Any]) -> Rows:
        if "FROM pg_index i" in query:
            wanted = {"oid": "oid", "table": "table_oid", "schema": "schema", "name": "name"}
            found = [one for one in self.indexes if all(one[wanted[key]] == params[key] for key in params)]
            return [one for one in found if not (one["valid"] and "NOT i.indisvalid" in query)]
        if "pg_stat_progress_vacuum" in query:
            facts = {"version": 150020, "started": 0, "settings": self.settings}
            return [{**facts, "running": self.running}]
        return self.others if "pg_locks" in query else self.tables


class _Session(Session):
    def __init__(self, fake: Fake) -> None:
        super().__init__(Access(), lambda: 60.0)
        self.fake = fake

    def close(self) -> None:
        pass

    def _lines(
        self, statement: str, params: Mapping[str, Any], timeout: float, lock_timeout: float
    ) -> list[str]:
        text = statement % params
        if "firebreak_row" in text:
            return [json.dumps(row) for row in self.fake.answer(text, params)]
        self.fake.said.append((text, timeout, lock_timeout))
        for start, does in self.fake.on.items():
            if text.startswith(start):
                does()
        return []


@pytest.fixture
def fake(
    table_row: Callable[..., dict[str, Any]],
    index_row: Callable[..., dict[str, Any]],
    snapshot: Callable[..., Any],
) -> Fake:
    made = Fake([table_row(name="Odd 100%")], [index_row()], snapshot().settings)

    def vacuum() -> None:
        made.tables[0].update(vacuumed_seconds=0.0, analyzed_seconds=0.0, dead=0)

    def rebuild() -> None:
        made.indexes[0].update(oid=16700, filenode=16700, bytes=500_000)

    def drop() -> None:
        made.indexes[:] = [one for one in made.indexes if "_cc" not in one["name"]]

    made.on = {"VACUUM": vacuum, "ANALYZE": vacuum, "REINDEX": rebuild, "DROP": drop}
    return made


@pytest.fixture
def workshop(fake: Fake) -> Workshop:
    def room(*_given: Any) -> Room:
        return Room(Volume("/data", "1", 10_000_000))

    return Workshop(
        Server(Access()),
        Policy("reindex", lock_timeout=2.0, timeout=1800.0),
        enter=fake.enter,
        look_for_room=room,
        clock=lambda: fake.now,
        sleep=fake.sleep,
    )


def identity(**given: Any) -> dict[str, Any]:
    return {
        "cluster": "7412",
        "database": "shop",
        "schema": "public",
        "name": "orders_n",
        "oid": 16500,
        "filenode": 16500,
        **given,
    }


def table_identity(**given: Any) -> dict[str, Any]:
    return identity(
        **{
            "name": "Odd 100%",
            "oid": 16400,
            "filenode": 16400,
            "analyze": True,
            "skip_indexes": False,
            **given,
        }
    )


def other(**given: Any) -> dict[str, Any]:
    return {
        "transaction": "3/9",
        "pid": 7,
        "user": "web",
        "application": "shop",
        "backend_type": "client backend",
        "state": "idle in transaction",
        "modes": ["RowExclusiveLock"],
        "transaction_seconds": 840.0,
        "state_seconds": 840.0,
        "query": "",
        "prepared": None,
        **given,
    }


def fails(error: Exception) -> Callable[[], None]:
    def raising() -> None:
        raise error

    return raising


def leaves(fake: Fake, error: Exception, **given: Any) -> Callable[[], None]:
    """A rebuild that fails when its new index is there."""

    def raising() -> None:
        old = fake.indexes[0]
        fake.indexes.append(
            {**old, "oid": 16600, "name": "orders_n_ccnew", "valid": False, "twin": True, **given}
        )
        raise error

    return raising


LOCKED = Failed(Access(), "canceling statement due to lock timeout", "55P03")


def test_vacuum_cuts_nothing_off_and_never_is_full(workshop: Workshop, fake: Fake) -> None:
    workshop.vacuum(table_identity())
    assert fake.said == [('VACUUM (TRUNCATE FALSE, ANALYZE) "public"."Odd 100%"', 1800.0, 2.0)]
    workshop.vacuum(table_identity(analyze=False, skip_indexes=True))
    assert fake.said[1][0] == 'VACUUM (TRUNCATE FALSE, INDEX_CLEANUP FALSE) "public"."Odd 100%"'
    assert workshop.log[0]["operation"] == "vacuum"


@pytest.mark.parametrize("given", [{"oid": 1, "filenode": 9}, {"filenode": 9}, {"name": "other"}])
def test_another_table_by_that_number_is_not_touched(
    workshop: Workshop, fake: Fake, given: dict[str, Any]
) -> None:
    with pytest.raises(IdentityChanged):
        workshop.vacuum(table_identity(**given))
    with pytest.raises(IdentityChanged):
        workshop.reindex(identity(**given))
    assert fake.said == []


def test_a_table_that_the_server_passed_over_in_silence_is_a_failure(workshop: Workshop, fake: Fake) -> None:
    fake.on = {}
    with pytest.raises(FirebreakError, match="its statistics show no VACUUM"):
        workshop.vacuum(table_identity())
    assert fake.now < 10


def test_who_keeps_the_lock_is_named(workshop: Workshop, fake: Fake) -> None:
    fake.on = {"ANALYZE": fails(LOCKED)}
    fake.others = [other(modes=["RowExclusiveLock"]), other(pid=8, modes=["AccessExclusiveLock"])]
    with pytest.raises(FirebreakError, match="lock timeout, for pid 8 of web") as raised:
        workshop.analyze(table_identity())
    assert "pid 7" not in str(raised.value)


def test_work_that_began_in_between_is_left_alone(
    workshop: Workshop, fake: Fake, worker: Callable[..., Any]
) -> None:
    fake.running = [vars(worker())]
    for perform, given in ((workshop.vacuum, table_identity()), (workshop.reindex, identity())):
        with pytest.raises(IdentityChanged, match="somebody works on it by now"):
            perform(given)
    assert fake.said == []


def test_an_index_is_rebuilt_concurrently_and_measured(workshop: Workshop, fake: Fake) -> None:
    workshop.reindex(identity())
    assert fake.said == [('REINDEX INDEX CONCURRENTLY "public"."orders_n"', 1800.0, 2.0)]
    assert (workshop.log[0]["bytes_before"], workshop.log[0]["bytes_after"]) == (1_000_000, 500_000)


def test_an_index_that_is_still_the_same_is_not_rebuilt(workshop: Workshop, fake: Fake) -> None:
    fake.on = {}
    with pytest.raises(FirebreakError, match="it is not rebuilt"):
        workshop.reindex(identity())


@pytest.mark.parametrize(
    "one",
    [
        other(),
        other(modes=["AccessShareLock"]),
        other(state="active"),
        other(pid=None, user=None, state=None, backend_type=None, modes=["AccessShareLock"], prepared="gid"),
    ],
)
def test_whoever_would_be_waited_for_in_vain_keeps_it_from_starting(
    workshop: Workshop, fake: Fake, one: dict[str, Any]
) -> None:
    fake.others = [one]
    with pytest.raises(FirebreakError, match="nothing was started"):
        workshop.reindex(identity())
    assert fake.said == []
    assert fake.now < 5


@pytest.mark.parametrize("one", [other(state="active", modes=["AccessShareLock"]), other(modes=[])])
def test_a_reader_at_work_and_a_transaction_elsewhere_do_not(
    workshop: Workshop, fake: Fake, one: dict[str, Any]
) -> None:
    fake.others = [one]
    workshop.reindex(identity())


def test_only_those_who_were_there_are_waited_for(workshop: Workshop, fake: Fake) -> None:
    def sleep(seconds: float) -> None:
        fake.now += seconds
        fake.others = [other(transaction=f"4/{fake.now}", state="active")]

    fake.others = [other(state="active")]
    workshop.sleep = sleep
    workshop.reindex(identity())
    assert fake.now < 1


def test_what_a_failure_left_is_dropped_and_who_was_waited_for_is_named(
    workshop: Workshop, fake: Fake
) -> None:
    fake.on["REINDEX"] = leaves(fake, LOCKED)
    fake.others = [other(modes=[], transaction_seconds=1.0, pid=9), other(modes=[])]
    with pytest.raises(FirebreakError) as raised:
        workshop.reindex(identity())
    assert "lock timeout, for pid 7 of web" in str(raised.value)
    assert "what it left was dropped: public.orders_n_ccnew" in str(raised.value)
    assert "pid 9" not in str(raised.value)
    assert [text for text, _timeout, _lock in fake.said][1] == (
        'DROP INDEX CONCURRENTLY "public"."orders_n_ccnew"'
    )


def test_what_cannot_be_dropped_is_said_with_who_is_in_the_way(workshop: Workshop, fake: Fake) -> None:
    fake.on["REINDEX"] = leaves(fake, LOCKED)
    fake.on["DROP"] = fails(LOCKED)
    with pytest.raises(
        FirebreakError, match=r"still there: public\.orders_n_ccnew .* run the operation clean_up"
    ):
        workshop.reindex(identity())


def test_what_was_left_before_or_is_no_leftover_is_not_dropped(
    workshop: Workshop, fake: Fake, index_row: Callable[..., dict[str, Any]]
) -> None:
    fake.indexes.append(index_row(oid=5, name="orders_n_ccnew", valid=False, twin=True))
    fake.on["REINDEX"] = leaves(fake, LOCKED, name="orders_other")
    with pytest.raises(FirebreakError):
        workshop.reindex(identity())
    assert len(fake.said) == 1


def test_a_rebuild_whose_old_copy_goes_a_moment_later_has_succeeded(workshop: Workshop, fake: Fake) -> None:
    def swapped() -> None:
        old = fake.indexes[0]
        fake.indexes[:] = [
            {**old, "oid": 16700, "bytes": 7},
            {**old, "name": "orders_n_ccold", "valid": False, "twin": True},
        ]
        raise LOCKED

    fake.on["REINDEX"] = swapped
    workshop.reindex(identity())
    assert workshop.log[0]["bytes_after"] == 7
    assert [one["oid"] for one in fake.indexes] == [16700]


def test_a_statement_we_no_longer_hear_of_is_looked_for_on_the_server(
    workshop: Workshop, fake: Fake, worker: Callable[..., Any]
) -> None:
    def silent() -> None:
        fake.running = [vars(worker("create_index", application="firebreak"))]
        raise Refused(Access(), "no answer within 1800.0 s", "See.", SILENT)

    fake.on["REINDEX"] = silent
    with pytest.raises(FirebreakError, match="pid 77 still works on it, until its statement_timeout"):
        workshop.reindex(identity())
    assert fake.now < 15


def test_a_full_filesystem_stops_it_at_the_last_moment(workshop: Workshop, fake: Fake) -> None:
    workshop.look_for_room = lambda *_given: Room(Volume("/data", "1", 1))
    with pytest.raises(FirebreakError, match="Make room first"):
        workshop.reindex(identity())
    assert fake.said == []


def test_only_a_leftover_is_dropped(
    workshop: Workshop, fake: Fake, index_row: Callable[..., dict[str, Any]]
) -> None:
    given = identity(oid=5, filenode=5, name="orders_n_ccold")
    fake.indexes.append(index_row(**{key: given[key] for key in ("oid", "filenode", "name")}, twin=True))
    with pytest.raises(IdentityChanged, match="it is valid"):
        workshop.drop(given)
    fake.indexes[1]["valid"] = False
    workshop.drop(given)
    assert [text for text, _timeout, _lock in fake.said] == [
        'DROP INDEX CONCURRENTLY "public"."orders_n_ccold"'
    ]
