# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that run out and are won back; whoever must not be ended is still there afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from firebreak_lab import Attacker, Lab, broken

from .conftest import module, postgres_cluster

DATA, PORT = "/var/lib/postgresql/firebreak-sessions", 5501
ROLE, DATABASE = 'We"b; 100% Sure', 'Shop "of" 100%; x'
PLACES = {
    "psql": {"socket": "/var/run/postgresql", "port": PORT, "database": DATABASE},
    "psycopg2": {
        "host": "127.0.0.1",
        "port": PORT,
        "database": DATABASE,
        "user": "boss",
        "password": "boss' own",
    },
}
SURVIVORS = {"autovacuum worker", "console", "firebreak", "mirror", "pg_dump", "pg_receivewal", "worker"}
EVERYTHING = {"min_age": "0", "max_risk": "disruptive", "max_actions": 500}
# One page a tenth of a second, so that the autovacuum worker is there for as long as it takes.
SETTINGS = (
    "-c max_connections=400 -c fsync=off -c autovacuum_naptime=1s -c autovacuum_vacuum_cost_limit=1 "
    "-c autovacuum_vacuum_cost_delay=100ms -c autovacuum_max_workers=1"
)
ROLES = r"""
CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'boss'' own';
CREATE ROLE mirror LOGIN REPLICATION PASSWORD 'mirror';
CREATE ROLE "We""b; 100% Sure" LOGIN PASSWORD 'web';
CREATE DATABASE "Shop ""of"" 100%; x" OWNER "We""b; 100% Sure";
\c "Shop ""of"" 100%; x"
CREATE TABLE items (id int, name text)
  WITH (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0);
INSERT INTO items SELECT n, repeat('x', 200) FROM generate_series(1, 20000) n;
DELETE FROM items WHERE id % 2 = 0;
ALTER TABLE items OWNER TO "We""b; 100% Sure";
CREATE TABLE locked (id int);
ALTER TABLE locked OWNER TO "We""b; 100% Sure";
"""
# Prints a line when all sessions are there, and keeps them until it is ended.
CLIENTS = """
import json, os, subprocess, sys, time
import psycopg2
from psycopg2.extras import wait_select
given = json.loads(sys.argv[1])
held = []
def open_one(application, user=given["role"], password="web", query="SELECT 1", autocommit=True):
    held.append(psycopg2.connect(host="127.0.0.1", port=given["port"], dbname=given["database"], user=user,
        password=password, application_name=application))
    held[-1].autocommit = autocommit
    held[-1].cursor().execute(query)
if given["survivors"]:
    open_one("console", "boss", "boss' own", "LOCK TABLE locked", autocommit=False)
    open_one("mirror", "mirror", "mirror")
    open_one("worker", query="LISTEN jobs")
    open_one("firebreak")
    os.makedirs("/run/firebreak-wal", exist_ok=True)
    at = ["-h", "127.0.0.1", "-p", str(given["port"]), "-w"]
    for password, argv in (
        ("mirror", ["pg_receivewal", *at, "-U", "mirror", "-D", "/run/firebreak-wal", "--no-loop"]),
        ("web", ["pg_dump", *at, "-U", given["role"], "-f", "/dev/null", given["database"]]),
    ):
        subprocess.Popen(argv, env={**os.environ, "PGPASSWORD": password})
for n in range(given["idle"]):
    open_one("Pool 'of' 100%; \\"y\\"")
for n in range(given["in_transaction"]):
    open_one("pool", autocommit=False)
for n in range(given["active"]):
    held.append(psycopg2.connect(host="127.0.0.1", port=given["port"], dbname=given["database"],
        user=given["role"], password="web", application_name="report", async_=1))
    wait_select(held[-1])
    held[-1].cursor().execute("SELECT pg_sleep(300)")
time.sleep(given["settle"])
print("there", flush=True)
time.sleep(300)
"""
START = """
umask 077; cat > /run/firebreak-clients.py; rm -f /run/firebreak-clients.out
setsid python3 /run/firebreak-clients.py "$1" > /run/firebreak-clients.out 2>&1 < /dev/null &
for i in $(seq 150); do grep -q . /run/firebreak-clients.out 2> /dev/null && break; sleep 0.1; done
grep -qx there /run/firebreak-clients.out || cat /run/firebreak-clients.out >&2
echo $!
"""


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Iterator[Lab]:
    with postgres_cluster(lab, DATA, PORT, ROLES, SETTINGS):
        yield lab
    lab.reset("zekka1")


@contextmanager
def clients(lab: Lab, idle: int = 0, in_transaction: int = 0, active: int = 0, **more: Any) -> Iterator[None]:
    given = {
        "role": ROLE, "database": DATABASE, "port": PORT, "survivors": False, "settle": 0.0,
        "idle": idle, "in_transaction": in_transaction, "active": active, **more,
    }  # fmt: skip
    started = lab.run("zekka1", ["bash", "-c", START, "start", json.dumps(given)], input=CLIENTS)
    assert not started.stderr, started.stderr
    try:
        yield
    finally:
        # The group: it has started programs of its own.
        lab.run("zekka1", ["bash", "-c", f"kill -- -{started.stdout.strip()}; rm -rf /run/firebreak-wal"])
        # A query that runs does not notice that its client has gone.
        ask(lab, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> 'postgres'")


def connected(lab: Lab) -> list[str]:
    """Who is connected to the cluster, as it says itself."""
    query = (
        "SELECT coalesce(nullif(application_name, ''), backend_type) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND (datid IS NOT NULL OR backend_type = 'walsender') ORDER BY 1"
    )
    return ask(lab, query)


def ask(lab: Lab, query: str) -> list[str]:
    psql = ["runuser", "-u", "postgres", "--", "psql", "-qXAt", "-p", str(PORT), "-c", query]
    return lab.run("zekka1", psql).check("asking").stdout.splitlines()


def told(result: Mapping[str, Any], status: str) -> list[str]:
    return [act["reason"] for act in result["actions"] if act["status"] == status]


@pytest.mark.parametrize(("way", "idle"), [("psql", 280), ("psycopg2", 10)])
def test_whoever_must_not_be_ended_survives_every_criterion(cluster: Lab, way: str, idle: int) -> None:
    with clients(cluster, idle, 10, 10, survivors=True, settle=1.5):
        seen = module("zekka1", "pg_sessions_info", postgres=PLACES[way])
        done = module("zekka1", "pg_sessions", postgres=PLACES[way], **EVERYTHING)
        left = connected(cluster)
        again = module("zekka1", "pg_sessions", postgres=PLACES[way], **EVERYTHING)
    assert (seen["connections"]["used"], seen["connections"]["budget"]) == (idle + 24, 397)
    assert seen["by_user"][0] | {"idle": 0} == {
        "name": ROLE, "sessions": idle + 22, "active": 11, "idle": 0, "idle_in_transaction": 10,
    }  # fmt: skip
    clients_seen = [one for one in seen["sessions"] if one["backend_type"] == "client backend"]
    assert (len(clients_seen), seen["more"]) == (idle + 25, 0)
    reasons = {one["application"] or one["backend_type"]: one["protected"] for one in seen["sessions"]}
    assert {name for name, because in reasons.items() if because} == SURVIVORS
    assert (done["verdict"], len(told(done, "done")), len(told(done, "refused"))) == (
        "resolved",
        idle + 20,
        7,
    )
    assert left == [
        "autovacuum worker",
        "console",
        "firebreak",
        "mirror",
        "pg_dump",
        "pg_receivewal",
        "worker",
    ]
    assert (again["verdict"], again["changed"], len(told(again, "refused"))) == ("not_needed", False, 7)


def test_only_as_many_go_as_are_needed_and_the_useless_first(cluster: Lab) -> None:
    with clients(cluster, 8, 2, 2):
        wish = {**EVERYTHING, "postgres": PLACES["psql"], "free_connections": 397 - 7}
        plan = module("zekka1", "pg_sessions", "--check", **wish)
        done = module("zekka1", "pg_sessions", **wish)
        left = module("zekka1", "pg_sessions_info", postgres=PLACES["psql"])["connections"]
        impossible = module("zekka1", "pg_sessions", **{**wish, "states": ["idle"], "free_connections": 397})
    assert (plan["verdict"], plan["plan_digest"]) == ("planned", done["plan_digest"])
    assert (done["verdict"], done["before"]["short"], done["after"]["short"]) == ("resolved", 5, 0)
    assert ["idle in transaction" in reason for reason in told(done, "done")] == [True] * 2 + [False] * 3
    assert left["by_state"] == {"idle": 5, "active": 2}
    assert (impossible["verdict"], impossible["after"]["short"]) == ("improved", 2)
    assert "397 connections are to be free, and 2 more" in told(impossible, "refused")[0]


def test_a_query_is_cancelled_and_an_idle_session_is_not(cluster: Lab) -> None:
    place = {"postgres": PLACES["psycopg2"], "method": "cancel", "max_risk": "disruptive"}
    with clients(cluster, 0, 1, 1):
        refused = module("zekka1", "pg_sessions", **place, states=["idle in transaction"])
        done = module("zekka1", "pg_sessions", **place, clients=["127.0.0.0/8"], states=["active"])
        nobody = module("zekka1", "pg_sessions", **place, users=[], databases=[DATABASE])
        left = connected(cluster)
    assert (refused["changed"], refused["verdict"]) == (False, "unchanged")
    assert "cancelling does nothing" in refused["msg"]
    assert (done["verdict"], len(told(done, "done"))) == ("resolved", 1)
    assert (nobody["verdict"], nobody["actions"]) == ("not_needed", [])
    assert [name for name in left if name != "autovacuum worker"] == ["pool", "report"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"password": "wrong-one"}, "password authentication failed"),
        ({"database": "nope"}, 'database "nope" does not exist'),
        ({"port": 5999}, "refused"),
        ({"user": "nobody-here"}, "password authentication failed"),
    ],
)
def test_no_way_in_is_said(cluster: Lab, change: Mapping[str, Any], says: str) -> None:
    result = module("zekka1", "pg_sessions", postgres={**PLACES["psycopg2"], **change}, **EVERYTHING)
    assert says in result["msg"]
    assert "wrong-one" not in str(result)


def test_without_a_criterion_nothing_is_meant(cluster: Lab) -> None:
    result = module("zekka1", "pg_sessions", postgres=PLACES["psql"], max_risk="disruptive")
    assert "nothing says which sessions are meant" in result["msg"]


def test_an_applications_superuser_is_ended_only_when_the_site_says_so(lab: Lab) -> None:
    leak = ["sh", "-c", "(echo 'BEGIN;'; sleep 15) | psql -U matrixon"]
    for application in ("matrixon-app-2", "psql"):
        inside = ["docker", "exec", "-d", "-e", f"PGAPPNAME={application}", "matrixon-postgres", *leak]
        lab.run("matrixon1", inside).check("opening a session")
    place: dict[str, Any] = {
        "services": {"db": {"runtime": "compose", "project": "matrixon", "service": "postgres"}},
        "postgres": {
            "service": "db", "database": "matrixon", "user": "matrixon", "application_user": "matrixon",
        },
    }  # fmt: skip
    meant: dict[str, Any] = {**place, "states": ["idle in transaction"], "max_risk": "disruptive"}
    refused = module("matrixon1", "pg_sessions", **meant)
    meant["postgres"] = {**place["postgres"], "application_is_superuser": True}
    done = module("matrixon1", "pg_sessions", **meant)
    assert (refused["changed"], len(told(refused, "refused"))) == (False, 2)
    assert "application_is_superuser is not set" in told(refused, "refused")[0]
    assert ["matrixon-app-2" in reason for reason in told(done, "done")] == [True]
    assert ["this is its psql" in reason for reason in told(done, "refused")] == [True]


def test_an_exhausted_pool_is_won_back(cluster: Lab, attacker: Attacker, play: Callable[..., Any]) -> None:
    lab = cluster
    lab.run("zekka1", ["systemctl", "stop", "zekka"]).check("stopping the app")
    with broken(lab, "pool-exhausted"):
        lab.run("zekka1", ["systemctl", "start", "zekka"]).check("starting the app")
        assert wait_for(attacker, lambda status: status >= 500)
        inputs = {"limit": "zekka1", "min_idle": "1s"}
        plan = play("fix_database_connections", "--check", **inputs)
        assert plan.code == 0, plan.output
        assert plan.result("zekka1", "pg_sessions")["verdict"] == "planned"
        assert attacker.get("zekka1", "/api/items")[0] >= 500
        fixed = play("fix_database_connections", **inputs)
        assert fixed.code == 0, fixed.output
        result = fixed.result("zekka1", "pg_sessions")
        assert (result["verdict"], len(told(result, "done"))) == ("resolved", 5)
        assert wait_for(attacker, lambda status: status == 200)
        # The application has taken one of the five.
        assert play("fix_database_connections", **inputs).code == 0
        again = play("fix_database_connections", **inputs)
    assert (again.code, again.changed()) == (0, 0), again.output
    assert again.result("zekka1", "pg_sessions")["verdict"] == "not_needed"


def wait_for(attacker: Attacker, wanted: Callable[[int], bool]) -> bool:
    return any(wanted(attacker.get("zekka1", "/api/items")[0]) for _try in range(20))
