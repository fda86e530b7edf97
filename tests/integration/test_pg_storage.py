# SPDX-License-Identifier: GPL-3.0-or-later
"""What fills a server and wears out in it is named, whatever it is called, and mended where it can be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from firebreak_lab import Lab

from .conftest import module, postgres_cluster

DATA, PORT = "/var/lib/postgresql/firebreak-storage", 5503
DATABASE = 'Shop "of" 100%; x'
TABLE, INDEX = '"Od d; %s"."Ta""ble"', '"Od d; %s"."Un""iq 5%"'
SOCKET = {"socket": "/var/run/postgresql", "port": PORT, "database": DATABASE}
TCP = {"host": "127.0.0.1", "port": PORT, "database": DATABASE, "user": "boss", "password": "boss' own"}
PLACES = {"psql": SOCKET, "psycopg2": TCP}
SETTINGS = (
    "-c fsync=off -c archive_mode=on -c archive_command=false -c max_slot_wal_keep_size=1MB "
    "-c autovacuum=off -c max_wal_size=512MB"
)
CONTENTS = r"""
CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'boss'' own';
CREATE ROLE watcher LOGIN PASSWORD 'watching' IN ROLE pg_monitor;
CREATE ROLE nobody LOGIN PASSWORD 'nobody''s';
CREATE DATABASE "Shop ""of"" 100%; x";
SELECT pg_create_physical_replication_slot('left_behind', true) IS NULL;
\c "Shop ""of"" 100%; x"
CREATE SCHEMA "Od d; %s";
CREATE TABLE "Od d; %s"."Ta""ble" (id smallserial PRIMARY KEY, n int, name text);
INSERT INTO "Od d; %s"."Ta""ble" (n, name) SELECT g / 2, md5(g::text) FROM generate_series(1, 30000) g;
CREATE INDEX "first" ON "Od d; %s"."Ta""ble" (n);
CREATE INDEX "Sec ""ond" ON "Od d; %s"."Ta""ble" (n);
CREATE TABLE dead AS SELECT g AS id FROM generate_series(1, 120000) g;
DELETE FROM dead WHERE id > 1000;
CREATE TABLE reserved AS SELECT g AS id FROM generate_series(1, 1000) g;
CREATE SEQUENCE loose;
CREATE TABLE narrow (id int DEFAULT nextval('loose'));
SELECT setval('loose', 2147483647) IS NULL;
"""


def ask(lab: Lab, query: str, database: str = DATABASE) -> tuple[list[str], str]:
    """What psql prints, and what it complains of."""
    psql = ["runuser", "-u", "postgres", "--", "psql", "-qXAt", "-p", str(PORT), "-d", database]
    done = lab.run("zekka1", psql, input=query)
    return done.stdout.splitlines(), done.stderr


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Iterator[Lab]:
    with postgres_cluster(lab, DATA, PORT, CONTENTS, SETTINGS):
        _rows, said = ask(lab, f'CREATE UNIQUE INDEX CONCURRENTLY "Un""iq 5%" ON {TABLE} (n)')
        assert "could not create unique index" in said
        yield lab


def named(seen: Mapping[str, Any]) -> set[str]:
    return {f"{one['level']} {one['id']}" for one in seen["findings"]}


def test_every_fault_is_named_and_both_ways_see_the_same(cluster: Lab) -> None:
    # Two segments more than the slot may keep, and a few seconds for the archiver to fail.
    ask(cluster, "SELECT pg_switch_wal(); CREATE TABLE fill AS SELECT g FROM generate_series(1, 900000) g; "
        "SELECT pg_switch_wal();")  # fmt: skip
    before = module("zekka1", "pg_storage_info", postgres=SOCKET)["slots"][0]
    assert before["retained_bytes"] > 30 * 1024**2
    ask(cluster, "CHECKPOINT; DROP TABLE fill; CHECKPOINT")
    for _try in range(50):
        if ask(cluster, "SELECT failed_count > 0 FROM pg_stat_archiver")[0] == ["t"]:
            break
        time.sleep(0.1)
    results = {way: module("zekka1", "pg_storage_info", postgres=place) for way, place in PLACES.items()}
    for seen in results.values():
        assert named(seen) >= {
            "critical postgres.sequence.exhausting",
            "warning postgres.archiver.failing",
            "warning postgres.index.invalid",
            "notice postgres.index.duplicate",
            "warning postgres.sequence.exhausting",
            "warning postgres.slot.retaining",
            "warning postgres.table.vacuum_due",
            "notice postgres.table.analyze_due",
        }
        assert [one["table"] for one in seen["tables"]][:2] == ["public.dead", TABLE]
        assert (seen["unseen"], seen["sequences_unread"], seen["estimated"]) == ({}, 0, False)
        assert [(one["index"], one["unique"], one["building"]) for one in seen["invalid_indexes"]] == [
            (INDEX, True, None)
        ]
        assert [one["sequence"] for one in seen["sequences"]] == [
            "public.loose",
            '"Od d; %s"."Ta""ble_id_seq"',
        ]
        assert (seen["slots"][0]["wal_status"], seen["wal"]["archive_waiting"] > 0) == ("lost", True)
        (group,) = seen["duplicate_indexes"]
        assert [one["index"] for one in group["indexes"]] == ['"Od d; %s".first', '"Od d; %s"."Sec ""ond"']
        duplicate = next(one for one in seen["findings"] if one["id"] == "postgres.index.duplicate")
        assert '"Od d; %s"."Sec ""ond" (like "Od d; %s".first)' in duplicate["summary"]
    for part in ("tables", "indexes", "dead_tables", "unanalyzed_tables", "sequences", "invalid_indexes"):
        assert results["psql"][part] == results["psycopg2"][part]


def test_a_table_that_is_locked_is_not_waited_for(cluster: Lab) -> None:
    lock = "BEGIN; LOCK TABLE reserved; SELECT pg_sleep(6)"
    words = ["runuser", "-u", "postgres", "--", "psql", "-qX", "-p", str(PORT), "-d", DATABASE, "-c", lock]
    cluster.run("zekka1", ["bash", "-c", '"$@" > /dev/null 2>&1 & sleep 0.5', "start", *words])
    seen = module("zekka1", "pg_storage_info", postgres=SOCKET)
    assert {one["table"]: one["estimated"] for one in seen["tables"]} == {
        TABLE: False,
        "public.dead": False,
        "public.reserved": True,
        "public.narrow": False,
    }
    assert seen["unseen"] == {}


def test_what_a_role_may_not_see_is_said(cluster: Lab) -> None:
    watcher = module("zekka1", "pg_storage_info", postgres={**TCP, "user": "watcher", "password": "watching"})
    assert (watcher["unseen"], watcher["sequences_unread"]) == ({}, 2)
    nobody = module("zekka1", "pg_storage_info", postgres={**TCP, "user": "nobody", "password": "nobody's"})
    assert set(nobody["unseen"]) == {"directories"}
    assert "warning postgres.storage.unseen" in named(nobody)


def test_another_database_is_looked_into_and_an_unknown_one_is_not(cluster: Lab) -> None:
    seen = module("zekka1", "pg_storage_info", postgres={**SOCKET, "database": "postgres"}, database=DATABASE)
    invalid = next(one for one in seen["findings"] if one["id"] == "postgres.index.invalid")
    assert invalid["remedy"]["inputs"] == {"reindex": [INDEX], "database": DATABASE}
    result = module("zekka1", "pg_storage_info", postgres=SOCKET, database="nope")
    assert 'database "nope" does not exist' in result["msg"]


def test_the_playbook_mends_what_it_is_told_to(cluster: Lab, play: Callable[..., Any]) -> None:
    ask(cluster, f"DELETE FROM {TABLE} a USING {TABLE} b WHERE a.n = b.n AND a.id > b.id")
    inputs: dict[str, Any] = {
        "limit": "zekka1",
        "firebreak_postgres": SOCKET,
        "reindex": [INDEX],
        "analyze": [TABLE],
        "vacuum": ["public.dead"],
    }
    fixed = play("fix_database_performance", **inputs)
    assert fixed.code == 0, fixed.output
    left = named(fixed.result("zekka1", "pg_storage_info"))
    assert not left & {"warning postgres.index.invalid", "warning postgres.table.vacuum_due"}
    assert ask(cluster, "SELECT count(*) FROM pg_index WHERE NOT indisvalid")[0] == ["0"]
    again = play("fix_database_performance", **inputs)
    assert (again.code, again.changed()) == (0, 0), again.output


def test_a_container_is_looked_into_as_well(lab: Lab) -> None:
    seen = module(
        "matrixon1",
        "pg_storage_info",
        services={"db": {"runtime": "compose", "project": "matrixon", "service": "postgres"}},
        postgres={"service": "db", "database": "matrixon", "user": "matrixon"},
    )
    assert (seen["unseen"], seen["estimated"]) == ({}, False)
    assert "public.items" in {one["table"] for one in seen["tables"]}
