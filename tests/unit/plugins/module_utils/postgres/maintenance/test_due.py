# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.due import (
    DEAD,
    INSERTS,
    STATISTICS,
    WRAPAROUND,
    age_level,
    allowed,
    due,
    share_done,
    who,
    work,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.due import (
    holder as said_of,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.maintenance.observe import (
    Snapshot,
    Table,
    Worker,
)


@pytest.fixture
def settings(snapshot: Callable[..., Snapshot]) -> Mapping[str, str]:
    return snapshot().settings


def test_the_limits_are_those_of_autovacuum(table: Callable[..., Table], settings: Mapping[str, str]) -> None:
    limits = allowed(table(tuples=10000.0), settings)
    assert (limits.dead, limits.inserted, limits.modified) == (2050, 3000, 1050)
    assert (limits.age, limits.multixacts, limits.enabled) == (200_000_000, 400_000_000, True)


def test_a_table_has_limits_of_its_own(table: Callable[..., Table], settings: Mapping[str, str]) -> None:
    own = ["autovacuum_vacuum_scale_factor=0.01", "autovacuum_vacuum_threshold=7", "fillfactor=70"]
    assert allowed(table(options=own), settings).dead == 107
    none = ["autovacuum_vacuum_insert_threshold=-1", "autovacuum_freeze_max_age=900000000"]
    assert allowed(table(options=none), settings).inserted is None
    assert allowed(table(options=none), settings).age == 200_000_000


def test_from_18_a_large_table_has_a_ceiling(
    table: Callable[..., Table], settings: Mapping[str, str]
) -> None:
    newer = {**settings, "autovacuum_vacuum_max_threshold": "100000000"}
    assert allowed(table(tuples=1e9), newer).dead == 100_000_000
    assert allowed(table(tuples=1e9), {**newer, "autovacuum_vacuum_max_threshold": "-1"}).dead == 200_000_050


@pytest.mark.parametrize(
    "option", ["autovacuum_enabled=false", "autovacuum_enabled=off", "autovacuum_enabled=0"]
)
def test_autovacuum_can_be_off_for_a_table(
    table: Callable[..., Table], settings: Mapping[str, str], option: str
) -> None:
    assert not allowed(table(options=[option]), settings).enabled
    assert not allowed(table(), {**settings, "track_counts": "off"}).enabled


@pytest.mark.parametrize(
    ("given", "reasons"),
    [
        ({}, ()),
        ({"dead": 2050}, ()),
        ({"dead": 2051}, (DEAD,)),
        ({"inserted": 3001}, (INSERTS,)),
        ({"modified": 1051}, (STATISTICS,)),
        ({"modified": 1051, "oid": 2619}, ()),
        ({"age": 200_000_001}, (WRAPAROUND,)),
        ({"multixacts": 400_000_001}, (WRAPAROUND,)),
        ({"kind": "p", "dead": 99999, "modified": 99999}, (STATISTICS,)),
    ],
)
def test_what_exceeds_the_limits_is_due(
    table: Callable[..., Table], settings: Mapping[str, str], given: dict[str, Any], reasons: tuple[str, ...]
) -> None:
    assert due(table(**given), settings) == reasons


@pytest.mark.parametrize(
    ("age", "level"), [(200_000_001, 0), (999_999_999, 0), (1_000_000_000, 1), (1_900_000_000, 2)]
)
def test_an_age_is_worse_the_fewer_numbers_are_left(
    table: Callable[..., Table], settings: Mapping[str, str], age: int, level: int
) -> None:
    assert age_level(table(age=age), allowed(table(), settings)) == level
    assert age_level(table(multixacts=age), allowed(table(), settings)) == level


@pytest.mark.parametrize(
    ("operation", "progress", "share"),
    [
        ("vacuum", {"phase": "scanning heap", "heap_blks_scanned": 1, "heap_blks_total": 3}, 33.3),
        ("vacuum", {"phase": "vacuuming indexes"}, None),
        ("vacuum", {"phase": "vacuuming indexes", "indexes_processed": 1, "indexes_total": 2}, 50.0),
        ("vacuum", {"phase": "initializing", "heap_blks_total": 0}, None),
        (
            "analyze",
            {"phase": "acquiring sample rows", "sample_blks_scanned": 3, "sample_blks_total": 4},
            75.0,
        ),
        ("create_index", {"phase": "waiting for old snapshots", "lockers_done": 0, "lockers_total": 1}, 0.0),
        (
            "create_index",
            {
                "phase": "building index: scanning table",
                "blocks_done": 9,
                "blocks_total": 10,
                "tuples_total": 0,
            },
            90.0,
        ),
        ("create_index", {"phase": "x", "tuples_done": 1, "tuples_total": 10, "blocks_total": 10}, 10.0),
        ("cluster", {"phase": "seq scanning heap", "heap_blks_scanned": 1, "heap_blks_total": 2}, 50.0),
        ("cluster", {"phase": None}, None),
    ],
)
def test_the_share_is_that_of_the_phase(
    operation: str, progress: dict[str, Any], share: float | None
) -> None:
    assert share_done(Worker(operation, 1, progress)) == share


def test_whom_is_waited_for_is_said_with_what_it_does(holder: Callable[..., dict[str, Any]]) -> None:
    one = {"pid": 7, "user": "web", "application": "shop", "state": "active", "transaction_seconds": 61.0}
    assert who(one) == "pid 7 of web (shop), active, its transaction is 61 s old"
    assert said_of(holder()) == "pid 4242 of web (idle in transaction for 14 min)"
    assert said_of(holder(kind="prepared", name="g")) == "the prepared transaction g for 14 min"
    assert (
        said_of(holder(kind="slot", name="s", state="inactive", seconds=None))
        == "the inactive replication slot s"
    )


def test_who_works_is_said_with_how_far_it_is(worker: Callable[..., Worker]) -> None:
    assert work(worker()) == "vacuum by pid 77 of autovacuum worker (scanning heap, 25 %)"
