# SPDX-License-Identifier: GPL-3.0-or-later
"""The same results whichever way in: psql on the socket, psycopg2, and where that cannot be imported."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from firebreak_lab import Lab, broken

from .conftest import module as run_module

HOST, DATABASE = "zekka1", "zekka_production"
PSQL = ["runuser", "-u", "postgres", "--", "psql", "-qXAt", "-v", "ON_ERROR_STOP=1"]
WITHOUT = "/var/tmp/firebreak-python"
HIDE = f"""
mkdir -p {WITHOUT}
echo 'raise ImportError("hidden by a test")' > {WITHOUT}/psycopg2.py
printf '#!/bin/sh\\nPYTHONPATH={WITHOUT} exec /usr/bin/python3 "$@"\\n' > {WITHOUT}/python
chmod 755 {WITHOUT} {WITHOUT}/python
! {WITHOUT}/python -c 'import psycopg2' 2> /dev/null && python3 -c 'import psycopg2'
"""
WAYS = ("psql", "psycopg2", "without psycopg2")
# What is asked, and what of the answer does not depend on when.
QUESTIONS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "pg_sessions_info": lambda found: (
        found["connections"]["budget"],
        sorted((one["pid"], one["state"], one["user"], one["query"]) for one in clients(found)),
    ),
    "pg_locks_info": lambda found: [
        (one["pid"], one["depth"], one["waiting_behind"]) for one in found["tree"]
    ],
    "pg_statements_info": lambda found: [finding["id"] for finding in found["findings"]],
    "pg_storage_info": lambda found: [(one["table"], one["bytes"]) for one in found["tables"]],
    "pg_maintenance_info": lambda found: (found["running"], [one["id"] for one in found["findings"]]),
    "pg_write_access_info": lambda found: (found["read_only"], found["sessions"], found["overrides"]),
    "pg_backup_info": lambda found: [finding["id"] for finding in found["findings"]],
}


@pytest.fixture(scope="module")
def boss(lab: Lab) -> Iterator[str]:
    """The password of a superuser who may come over TCP."""
    password = secrets.token_hex(16)
    lab.reset(HOST)
    script = f"CREATE ROLE boss LOGIN SUPERUSER PASSWORD '{password}'"
    lab.run(HOST, PSQL, input=script).check("making a role")
    lab.run(HOST, ["bash", "-ec", HIDE]).check("hiding psycopg2")
    yield password
    lab.run(HOST, PSQL, input="DROP ROLE boss")
    lab.run(HOST, ["rm", "-rf", WITHOUT])
    lab.reset(HOST)


def module(way: str, password: str, name: str, **options: Any) -> Mapping[str, Any]:
    place = {"database": DATABASE, "application_user": "zekka_user"}
    if way != "psql":
        place |= {"host": "127.0.0.1", "user": "boss", "password": password}
    words = ["-e", f"ansible_python_interpreter={WITHOUT}/python"] if way == "without psycopg2" else []
    return run_module(HOST, name, *words, postgres=place, **options)


def clients(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        one
        for one in found["sessions"]
        if one["backend_type"] == "client backend" and one["application"] != "firebreak"
    ]


def test_every_way_sees_the_same(lab: Lab, boss: str) -> None:
    with broken(lab, "sessions-blocked"):
        for name, essence in QUESTIONS.items():
            seen = {way: essence(module(way, boss, name)) for way in WAYS}
            assert seen["psql"], name
            assert seen["psycopg2"] == seen["psql"], name
            assert seen["without psycopg2"] == seen["psql"], name


@pytest.mark.parametrize("way", WAYS)
def test_every_way_ends_the_root_and_no_other(lab: Lab, boss: str, way: str) -> None:
    with broken(lab, "sessions-blocked"):
        before = module(way, boss, "pg_locks_info")["tree"]
        done = module(way, boss, "pg_locks", min_waiting="1s", max_risk="disruptive")
        again = module(way, boss, "pg_locks", min_waiting="1s", max_risk="disruptive")
    root = next(one for one in before if one["depth"] == 0)
    assert len(before) == 4
    assert (done["verdict"], again["verdict"], again["changed"]) == ("resolved", "not_needed", False)
    assert [(act["status"], act["identity"]["pid"]) for act in done["actions"]] == [("done", root["pid"])]
