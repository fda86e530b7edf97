# SPDX-License-Identifier: GPL-3.0-or-later
"""A statement that runs for too long is cancelled, and nothing else is; the heaviest one is on top."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from firebreak_lab import Lab

from .conftest import module as run_module
from .conftest import postgres_cluster

DATA, PORT = "/var/lib/postgresql/firebreak-statements", 5503
DATABASE, SCHEMA = 'Shop "of" 100%; x', 'St "1" 5%'
SOCKET = {"socket": "/var/run/postgresql", "port": PORT, "database": DATABASE}
TCP = {"host": "127.0.0.1", "port": PORT, "database": DATABASE, "user": "boss", "password": "boss' own"}
SETTINGS = "-c fsync=off -c shared_preload_libraries=pg_stat_statements"
ROLES = r"""
CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'boss'' own';
CREATE ROLE "We""b; 100%" LOGIN PASSWORD 'web';
CREATE DATABASE "Shop ""of"" 100%; x" OWNER "We""b; 100%";
CREATE DATABASE stats;
\c "Shop ""of"" 100%; x"
CREATE TABLE items AS SELECT n AS id, md5(n::text) AS name FROM generate_series(1, 20000) n;
ALTER TABLE items OWNER TO "We""b; 100%";
"""
# Who asks what, and for how long it is a burden to the server.
CLIENTS = {
    "report": "SELECT pg_sleep(120)",
    "holder": "BEGIN; LOCK TABLE items; SELECT pg_sleep(0.1); \\! sleep 120",
    "waiter": "SELECT count(*) FROM items",
    "pg_dump": "SELECT pg_sleep(121)",
}
CONNECT = f"host=127.0.0.1 port={PORT} user='We\"b; 100%' dbname='{DATABASE}' password=web application_name="


def module(name: str, *words: str, **options: Any) -> Mapping[str, Any]:
    return run_module("zekka1", name, *words, **options)


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Iterator[Lab]:
    with postgres_cluster(lab, DATA, PORT, ROLES, SETTINGS):
        yield lab
    lab.run("zekka1", ["sh", "-c", "rm -f /run/firebreak-client-*"])


def ask(lab: Lab, query: str, database: str = "postgres") -> list[str]:
    psql = ["runuser", "-u", "postgres", "--", "psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-p", str(PORT)]
    done = lab.run("zekka1", [*psql, "-d", database], input=query)
    return done.check("asking").stdout.splitlines()


@contextmanager
def clients(lab: Lab) -> Iterator[None]:
    started = []
    for name, script in CLIENTS.items():
        lab.run("zekka1", ["tee", f"/run/firebreak-client-{name}"], input=f"{script};\n")
        start = (
            f'setsid psql -qX "$1" -f /run/firebreak-client-{name} > /run/firebreak-client-{name}.out 2>&1 '
            f"< /dev/null & echo $!; sleep 0.3"
        )
        words = ["bash", "-c", start, "start", CONNECT + name]
        started.append(lab.run("zekka1", words).check(f"starting {name}").stdout.strip())
    try:
        yield
    finally:
        for pid in started:
            lab.run("zekka1", ["kill", "--", f"-{pid}"])
        ask(lab, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'We\"b; 100%'")


def active(lab: Lab) -> list[str]:
    return ask(
        lab,
        "SELECT application_name FROM pg_stat_activity "
        "WHERE state = 'active' AND usename = 'We\"b; 100%' ORDER BY 1",
    )


def all_run_for_a_second(lab: Lab) -> None:
    young = (
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND usename = 'We\"b; 100%' "
        "AND query_start > clock_timestamp() - interval '1.1 s'"
    )
    while ask(lab, young) != ["0"]:
        time.sleep(0.1)


def said(lab: Lab, name: str) -> str:
    return lab.run("zekka1", ["cat", f"/run/firebreak-client-{name}.out"]).stdout


def test_what_runs_for_too_long_is_cancelled_and_nothing_else(cluster: Lab, play: Callable[..., Any]) -> None:
    inputs: dict[str, Any] = {"limit": "zekka1", "firebreak_postgres": SOCKET, "min_running": "1s"}
    with clients(cluster):
        assert active(cluster) == ["pg_dump", "report", "waiter"]
        all_run_for_a_second(cluster)
        for place in (SOCKET, TCP):
            seen = module("pg_statements_info", postgres=place, min_running="1s")
            kinds = {one["application"]: (one["expected"], one["blocked"]) for one in seen["running"]}
            assert kinds == {"report": (False, False), "waiter": (False, True), "pg_dump": (True, False)}
            assert [(one["id"], one["level"]) for one in seen["findings"]][:1] == [
                ("postgres.statement.running", "warning")
            ]
            assert len(seen["slow_pids"]) == 1
        plan = play("fix_database_performance", "--check", **inputs)
        assert plan.code == 0, plan.output
        assert plan.result("zekka1", "pg_sessions")["verdict"] == "planned"
        assert active(cluster) == ["pg_dump", "report", "waiter"]
        fixed = play("fix_database_performance", **inputs)
        assert fixed.code == 0, fixed.output
        assert fixed.result("zekka1", "pg_sessions")["verdict"] == "resolved"
        assert active(cluster) == ["pg_dump", "waiter"]
        assert "canceling statement due to user request" in said(cluster, "report")
        again = play("fix_database_performance", **inputs)
        assert (again.code, again.changed()) == (0, 0), again.output
        assert active(cluster) == ["pg_dump", "waiter"]


def test_how_to_enable_it_then_the_heaviest_statement_is_on_top(cluster: Lab) -> None:
    before = module("pg_statements_info", postgres=SOCKET)
    assert before["extension"]["steps"] == [f"in database {DATABASE}: CREATE EXTENSION pg_stat_statements;"]
    assert before["findings"][0]["id"] == "postgres.statements.untracked"
    ask(
        cluster,
        'CREATE SCHEMA "St ""1"" 5%"; CREATE EXTENSION pg_stat_statements SCHEMA "St ""1"" 5%"',
        "stats",
    )
    ask(
        cluster,
        "SELECT pg_sleep(0.4); SELECT pg_sleep(0.5); ALTER ROLE boss PASSWORD 'boss'' own';",
        DATABASE,
    )
    results = [module("pg_statements_info", postgres=place, top=3) for place in (SOCKET, TCP)]
    for seen in results:
        assert seen["extension"]["steps"] == []
        assert (seen["extension"]["database"], seen["extension"]["schema"]) == ("stats", SCHEMA)
        first = seen["statements"][0]
        assert (first["query"], first["calls"], first["database"]) == ("SELECT pg_sleep($1)", 2, DATABASE)
        assert 0.9 <= first["total_seconds"] < 2
        assert "boss' own" not in str(seen) and "firebreak_row" not in str(seen)
    assert results[0]["statements"][0] | {"share": 0} == results[1]["statements"][0] | {"share": 0}
    by_calls = module("pg_statements_info", postgres=SOCKET, order="calls", top=500)["statements"]
    calls = [one["calls"] for one in by_calls]
    assert calls == sorted(calls, reverse=True)


def test_a_role_that_is_shown_nothing_says_so(cluster: Lab) -> None:
    web = {**TCP, "user": 'We"b; 100%', "password": "web"}
    seen = module("pg_statements_info", postgres=web)
    assert [one["id"] for one in seen["findings"] if one["level"] == "warning"] == [
        "postgres.statements.unseen"
    ]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"password": "wrong-one"}, "password authentication failed"),
        ({"database": "nope"}, 'database "nope" does not exist'),
        ({"port": 5999}, "refused"),
    ],
)
def test_no_way_in_is_said(cluster: Lab, change: Mapping[str, Any], says: str) -> None:
    result = module("pg_statements_info", postgres={**TCP, **change})
    assert says in result["msg"]
    assert "wrong-one" not in str(result)


def test_a_superusers_statement_is_told_of_and_left_alone(cluster: Lab) -> None:
    words = ["runuser", "-u", "postgres", "--", "psql", "-qX", "-p", str(PORT), "-c", "SELECT pg_sleep(6)"]
    cluster.run("zekka1", ["bash", "-c", '"$@" > /dev/null 2>&1 & sleep 1.2', "start", *words])
    seen = module("pg_statements_info", postgres=SOCKET, min_running="1s")
    assert seen["slow_pids"] == []
    assert "role postgres is a superuser" in seen["findings"][0]["summary"]
    assert seen["findings"][0]["remedy"] is None
