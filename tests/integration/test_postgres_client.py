# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers: PostgreSQL 15 on a socket and on TCP, 17 inside a container; the same rows whichever way."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from firebreak_lab import Lab
from firebreak_lab.state import read_secrets

UTILS = Path(__file__).resolve().parents[2] / "plugins" / "module_utils"
PLACE = "/run/firebreak-client"
PACKAGE = "ansible_collections/firebreak/incident/plugins/module_utils"
COMPOSE = ["docker", "compose", "--project-directory", "/opt/matrixon"]
HEAD = f"""
import json, sys, threading
sys.path.insert(0, {PLACE!r})
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres import *
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_library import *
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_psql import *
def left():
    return 8.0
"""
NASTY = [
    "",
    "it's",
    'say "hi"',
    "back\\slash \\n \\' \\",
    "two\nlines\r\n\ttab",
    "'; DROP TABLE items; --",
    "$$ $tag$ :x :'firebreak_0' :\"y\" %s %(v)s %% `id` ${HOME}",
    "ünïcödé ☃ 𝄞 \u2028 \x85 \x01",
    "\\q\n\\! id\n",
    "x" * 100_000,
]
ROWS = """
SELECT 1 AS n, 9007199254740993 AS big, 1.5::float8 AS f, 1.50::numeric(5,2) AS d, true AS b,
  NULL::text AS no, 'ü''%%'::text AS t, ARRAY[1,2,NULL] AS a, ARRAY['x','y z'] AS ta,
  '{"k": [1, null]}'::jsonb AS j,
  timestamptz '2026-01-02 03:04:05.678901+02' AS at, '10.0.0.1/32'::inet AS ip, '\\xff00'::bytea AS raw,
  (SELECT json_agg(x) FROM (SELECT id, name FROM items ORDER BY id LIMIT 3) x) AS nested,
  current_setting('statement_timeout') AS st, current_setting('lock_timeout') AS lt,
  current_setting('TimeZone') AS tz, current_setting('application_name') AS app
"""


@pytest.fixture(scope="module")
def on_host(lab: Lab) -> Iterator[Callable[..., Any]]:
    """Runs Python on a host with the collection's code, as a module would; gives what it prints as JSON."""
    lab.reset()
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for path in sorted(UTILS.rglob("*.py")):
            archive.add(path, f"{PACKAGE}/{path.relative_to(UTILS)}")
    for host in ("zekka1", "matrixon1"):
        lab.run(host, ["mkdir", "-p", PLACE])
        lab.run(host, ["tar", "x", "-C", PLACE], input=data.getvalue()).check("unpacking")

    def run(host: str, code: str, **given: Any) -> Any:
        text = f"{HEAD}\ngiven = json.loads({json.dumps(given)!r})\n{code}"
        done = lab.run(host, ["python3", "-"], input=text).check(f"Python on {host}")
        return json.loads(done.stdout)

    yield run
    for host in ("zekka1", "matrixon1"):
        lab.run(host, ["rm", "-rf", PLACE])


def application(password: str | None = None) -> dict[str, Any]:
    return {
        "user": "zekka_user",
        "database": "zekka_production",
        "host": "127.0.0.1",
        "password": password or read_secrets()["zekka_postgres_password"],
    }


def inside() -> dict[str, Any]:
    return {"user": "matrixon", "database": "matrixon", "container": "matrixon-postgres"}


def test_both_ways_give_the_same_rows(on_host: Callable[..., Any]) -> None:
    code = """
access = Access(**given["access"])
print(json.dumps([way(access, left).rows(given["query"]) for way in (LibrarySession, PsqlSession)]))
"""
    library, psql = on_host("zekka1", code, access=application(), query=ROWS)
    assert library == psql
    assert psql[0]["big"] == 9007199254740993
    assert (psql[0]["d"], psql[0]["no"], psql[0]["a"]) == (1.5, None, [1, 2, None])
    assert psql[0]["at"] == "2026-01-02T01:04:05.678901+00:00"
    assert [row["name"] for row in psql[0]["nested"]] == ["item 1", "item 2", "item 3"]
    assert (psql[0]["st"], psql[0]["lt"], psql[0]["tz"], psql[0]["app"]) == ("5s", "2s", "UTC", "firebreak")


@pytest.mark.parametrize(
    ("host", "access", "ways"),
    [
        ("zekka1", application, ["LibrarySession", "PsqlSession"]),
        ("matrixon1", inside, ["PsqlSession"]),
    ],
)
def test_parameters_mean_themselves(
    on_host: Callable[..., Any], host: str, access: Callable[[], Mapping[str, Any]], ways: list[str]
) -> None:
    code = """
for name in given["ways"]:
    session = globals()[name](Access(**given["access"]), left)
    for text in given["nasty"]:
        row = session.row("SELECT %(v)s::text AS v, %(w)s::text[] AS w", {"v": text, "w": [text, None]})
        if row != {"v": text, "w": [text, None]}:
            print(json.dumps([name, text, row]))
            raise SystemExit
    row = session.row("SELECT %(n)s AS n, 5-%(m)s AS m, %(t)s AS t, %(z)s::text AS z, %(l)s::int[] AS l, "
        "%(none)s::text[] AS e", {"n": 3, "m": -1, "t": True, "z": None, "l": [1, -2], "none": []})
    if row != {"n": 3, "m": 6, "t": True, "z": None, "l": [1, -2], "e": []}:
        print(json.dumps([name, row]))
        raise SystemExit
print(json.dumps("the same"))
"""
    assert on_host(host, code, access=access(), ways=ways, nasty=NASTY) == "the same"


def test_a_role_is_given_a_verifier_and_an_odd_name(on_host: Callable[..., Any]) -> None:
    code = """
name = 'odd "name" 100%% sure'.replace("%%", "%")
with connect(Access(), left) as session:
    session.execute(f"CREATE ROLE {identifier(name)}")
    session.execute(f"ALTER ROLE {identifier(name)} PASSWORD %(verifier)s", {"verifier": given["verifier"]})
    row = session.row("SELECT rolpassword FROM pg_authid WHERE rolname = %(name)s", {"name": name})
    session.execute(f"DROP ROLE {identifier(name)}")
print(json.dumps([type(session).__name__, row["rolpassword"]]))
"""
    verifier = (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )
    assert on_host("zekka1", code, verifier=verifier) == ["PsqlSession", verifier]


def test_a_refusal_has_the_same_reason_both_ways(on_host: Callable[..., Any]) -> None:
    code = """
def reason(way, access):
    try:
        way(Access(**access), left).rows("SELECT 1 AS n")
    except Refused as error:
        return error.reason
def failure(way, statement):
    try:
        way(Access(**given["good"]), left).execute(statement, timeout=0.3, lock_timeout=0.1)
    except Failed as error:
        return [error.code, error.problem]
ways = (LibrarySession, PsqlSession)
print(json.dumps([
    [[reason(way, access) for way in ways] for access in given["bad"]],
    [[failure(way, statement) for way in ways] for statement in given["statements"]],
]))
"""
    good = application()
    bad = [
        {**good, "password": "wrong"},
        {**good, "password": None},
        {**good, "database": "nope"},
        {**good, "port": 5999},
        {**good, "host": "/nowhere"},
        {**good, "host": "/var/run/postgresql"},
    ]
    reasons, failures = on_host(
        "zekka1", code, good=good, bad=bad, statements=["SELECT * FROM nope", "SELECT pg_sleep(5)"]
    )
    words = ["password", "password", "database", "stopped", "stopped", "peer"]
    assert reasons == [[word, word] for word in words]
    assert failures == [
        [["42P01", 'relation "nope" does not exist']] * 2,
        [["57014", "canceling statement due to statement timeout"]] * 2,
    ]


def test_neither_password_nor_parameters_show_in_the_process_list(on_host: Callable[..., Any]) -> None:
    code = """
import glob, time
session = PsqlSession(Access(**given["access"]), left)
sleep = ("SELECT pg_sleep(1)::text, %(s)s AS s", {"s": "hush-hush"})
sleeper = threading.Thread(target=session.rows, args=sleep)
sleeper.start()
time.sleep(0.5)
lines = []
for path in glob.glob("/proc/[0-9]*/cmdline"):
    try:
        lines.append(open(path).read())
    except OSError:
        pass
sleeper.join()
print(json.dumps([line for line in lines if "psql" in line or given["access"]["password"] in line]))
"""
    found = on_host("zekka1", code, access=application())
    assert any("psql" in line for line in found)
    assert not any("hush-hush" in line or application()["password"] in line for line in found)


OPEN = """
import psycopg2
held = []
def session(statement=None, autocommit=True):
    held.append(psycopg2.connect(**given["login"]))
    held[-1].autocommit = autocommit
    if statement:
        held[-1].cursor().execute(statement)
"""


@contextmanager
def clients(lab: Lab, code: str) -> Iterator[list[int]]:
    """Sessions of the application's role from inside zekka1; gives what the code prints, ends them after."""
    access = application()
    login = {"dbname": access["database"], **{key: access[key] for key in ("user", "host", "password")}}
    text = f"import json, threading, time\ngiven = {{'login': {login!r}}}\n{OPEN}\n{code}\n"
    started = lab.run("zekka1", ["bash", "-c", STARTER], input=text).check("starting clients")
    number, _space, said = started.stdout.partition(" ")
    try:
        yield json.loads(said)
    finally:
        lab.run("zekka1", ["bash", "-c", f"kill {number}; rm -f /run/clients.py /run/clients.out"])


# Runs what it is given until it is ended, and returns when the first line is there.
STARTER = """
umask 077; cat > /run/clients.py; rm -f /run/clients.out
setsid python3 /run/clients.py > /run/clients.out 2>&1 < /dev/null &
for i in $(seq 100); do grep -q . /run/clients.out 2> /dev/null && break; sleep 0.1; done
echo "$! $(cat /run/clients.out)"
"""


def findings(done: Any, host: str) -> dict[str, Mapping[str, Any]]:
    assert done.code == 0, done.output
    return {found["id"]: found for found in done.result(host, "triage_info")["findings"]}


def test_hosts_that_are_well_have_nothing_to_say(pristine: Lab, play: Callable[..., Any]) -> None:
    done = play("triage", sections=["postgres"])
    for host in ("zekka1", "matrixon1"):
        assert findings(done, host) == {}
        seen = done.result(host, "triage_info")["postgres"]
        assert (seen["administrator"]["ok"], seen["application"]["ok"]) == (True, True)
        assert (seen["connections"]["budget"], seen["in_recovery"]) == (37, False)


def test_a_full_pool_is_named_and_looked_into(pristine: Lab, play: Callable[..., Any]) -> None:
    fill = """
try:
    while True:
        session("BEGIN" if len(held) % 2 else None)
except psycopg2.OperationalError:
    print(json.dumps([len(held)]), flush=True)
time.sleep(120)
"""
    with clients(pristine, fill):
        done = play("triage", sections=["postgres"], limit="zekka1")
    found = findings(done, "zekka1")
    full = found["postgres.connections.exhausted"]
    assert full["level"] == "critical"
    assert (full["evidence"]["used"], full["evidence"]["budget"]) == (37, 37)
    assert full["evidence"]["by_state"]["idle in transaction"] >= 15
    assert "postgres.application.refused" not in found
    seen = done.result("zekka1", "triage_info")["postgres"]
    assert (seen["administrator"]["ok"], seen["application"]["reason"]) == (True, "full")
    assert findings(play("triage", sections=["postgres"], limit="zekka1"), "zekka1") == {}


def test_only_the_root_blocker_is_named(pristine: Lab, play: Callable[..., Any]) -> None:
    queue = """
session("SELECT * FROM items LIMIT 1", autocommit=False)
root = held[0].info.backend_pid
for statement in ["ALTER TABLE items ADD COLUMN later int", *["SELECT count(*) FROM items"] * 6]:
    threading.Thread(target=session, args=(statement,), daemon=True).start()
    time.sleep(0.1)
print(json.dumps([root]), flush=True)
time.sleep(120)
"""
    with clients(pristine, queue) as (root,):
        time.sleep(2.5)
        done = play("triage", sections=["postgres"], limit="zekka1")
    found = findings(done, "zekka1")["postgres.sessions.blocked"]
    assert found["evidence"]["root_pids"] == [root]
    assert found["evidence"]["roots"][0]["state"] == "idle in transaction"
    # The application's own health check may have joined them.
    assert found["evidence"]["roots"][0]["blocked"] >= 7
    assert (found["level"], f"pid {root}" in found["summary"]) == ("critical", True)


def test_a_wrong_password_of_the_application_is_critical(pristine: Lab, play: Callable[..., Any]) -> None:
    wrong = {
        "socket": "/var/run/postgresql",
        "database": "zekka_production",
        "application_user": "zekka_user",
    }
    done = play(
        "triage",
        sections=["postgres"],
        limit="zekka1",
        firebreak_postgres={**wrong, "application_password": "surely-wrong"},
    )
    found = findings(done, "zekka1")
    assert list(found) == ["postgres.application.refused"]
    assert found["postgres.application.refused"]["evidence"]["reason"] == "password"
    assert "surely-wrong" not in done.output


def test_a_stopped_server_is_unreachable_and_never_healthy(pristine: Lab, play: Callable[..., Any]) -> None:
    pristine.run("zekka1", ["systemctl", "stop", "postgresql@15-main"]).check("stopping")
    pristine.run("matrixon1", [*COMPOSE, "stop", "-t", "3", "postgres"]).check("stopping")
    try:
        done = play("triage", sections=["postgres"])
    finally:
        pristine.run("zekka1", ["systemctl", "start", "postgresql@15-main"]).check("starting")
        pristine.run("matrixon1", [*COMPOSE, "start", "postgres"]).check("starting")
    for host in ("zekka1", "matrixon1"):
        found = findings(done, host)
        assert list(found) == ["postgres.server.unreachable"]
        assert found["postgres.server.unreachable"]["level"] == "critical"
    pristine.reset()
    assert findings(play("triage", sections=["postgres"]), "matrixon1") == {}
