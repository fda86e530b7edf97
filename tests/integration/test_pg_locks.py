# SPDX-License-Identifier: GPL-3.0-or-later
"""Who waits for locks gets on, because the one at the root ends, and nobody else."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from firebreak_lab import Lab, broken

HOST, CLUSTER, PORT = "zekka1", "locks", 5502
DATABASE, TABLE = 'Shop "of" 100%; x', '"Odd ""T;able%"'
GID = "pay 'n' go; --"
SET_UP = f"""
pg_createcluster 15 {CLUSTER} -p {PORT} -- --no-sync > /dev/null
echo 'max_prepared_transactions = 5' > /etc/postgresql/15/{CLUSTER}/conf.d/test.conf
pg_ctlcluster 15 {CLUSTER} start
runuser -u postgres -- psql -qX -v ON_ERROR_STOP=1 -p {PORT}
"""
# Opens sessions one after another, and says of each how its statements end, whenever that changes.
ACTORS = """
import json, psycopg2, select, sys, time
held, told = {}, {}
def state(connection, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            now = connection.poll()
        except psycopg2.Error:
            return "ended" if connection.closed else "cancelled"
        if now == psycopg2.extensions.POLL_OK:
            return "done"
        socket = [connection.fileno()]
        select.select(socket, socket if now == psycopg2.extensions.POLL_WRITE else [], [], 0.02)
    return "waits"
def tell(name, seconds):
    now = state(held[name][0], seconds)
    if now != told.get(name):
        print(name, now, flush=True)
    told[name] = now
for name, access, statements in json.load(sys.stdin):
    connection = psycopg2.connect(async_=1, application_name=name, **access)
    state(connection, 5)
    for statement in statements:
        cursor = connection.cursor()
        cursor.execute(statement)
        held[name] = connection, cursor
        tell(name, 0.2)
print("ready", flush=True)
while True:
    for name in held:
        if told[name] != "ended":
            tell(name, 0.02)
    time.sleep(0.05)
"""


class Scene:
    """Sessions on the host, and what became of their last statements."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def begin(self, actors: Sequence[tuple[str, Mapping[str, Any], Sequence[str]]]) -> None:
        self.lab.run(HOST, ["tee", "/run/actors.py"], input=ACTORS)
        self.lab.run(HOST, ["tee", "/run/actors.json"], input=json.dumps(actors))
        unit = [
            "systemd-run",
            "-q",
            "--collect",
            "--unit",
            "lab-actors",
            "-p",
            "StandardInput=file:/run/actors.json",
        ]
        output = ["-p", "StandardOutput=truncate:/run/actors.out", "-p", "StandardError=journal"]
        self.lab.run(HOST, [*unit, *output, "python3", "/run/actors.py"]).check("starting sessions")
        self.wait_for("ready")

    def said(self) -> list[str]:
        return self.lab.run(HOST, ["cat", "/run/actors.out"]).stdout.splitlines()

    def wait_for(self, *lines: str) -> list[str]:
        end = time.monotonic() + 15
        while not set(lines) <= set(self.said()):
            assert time.monotonic() < end, self.said()
            time.sleep(0.1)
        return self.said()

    def end(self) -> None:
        self.lab.run(HOST, ["systemctl", "stop", "lab-actors"])
        self.lab.run(HOST, ["bash", "-c", "rm -f /run/actors.*"])


@pytest.fixture(scope="module")
def passwords(lab: Lab) -> Iterator[dict[str, str]]:
    """Of a superuser and of an application's role, on a cluster of their own."""
    given = {"chief": secrets.token_hex(16), "web": secrets.token_hex(16)}
    name = DATABASE.replace('"', '""')
    lab.reset(HOST)
    lab.run(
        HOST,
        ["bash", "-ec", SET_UP],
        input=f"CREATE ROLE chief SUPERUSER LOGIN PASSWORD '{given['chief']}';"
        f"CREATE ROLE web LOGIN PASSWORD '{given['web']}'; CREATE DATABASE \"{name}\" OWNER web",
    ).check("making a cluster")
    yield given
    lab.run(HOST, ["pg_dropcluster", "--stop", "15", CLUSTER])
    lab.reset(HOST)


@pytest.fixture
def as_role(passwords: dict[str, str]) -> Callable[[str], dict[str, Any]]:
    def access(role: str) -> dict[str, Any]:
        at = {"host": "127.0.0.1", "port": PORT, "dbname": DATABASE}
        return {**at, "user": role, "password": passwords[role]}

    return access


@pytest.fixture
def scene(lab: Lab, as_role: Callable[[str], dict[str, Any]]) -> Iterator[Scene]:
    scene = Scene(lab)
    tables = [f"CREATE TABLE IF NOT EXISTS {name} (id int PRIMARY KEY)" for name in (TABLE, "other")]
    rows = [f"TRUNCATE {TABLE}", f"INSERT INTO {TABLE} VALUES (1)"]
    scene.begin([("maker", as_role("web"), tables + rows)])
    scene.end()
    yield scene
    scene.end()


SOCKET = {"socket": "/var/run/postgresql", "port": PORT, "database": DATABASE}


@pytest.fixture(params=["psql", "psycopg2"])
def server(request: pytest.FixtureRequest, passwords: dict[str, str]) -> dict[str, Any]:
    """`firebreak_postgres`, over the socket and over TCP."""
    if request.param == "psql":
        return SOCKET
    login = {"user": "chief", "password": passwords["chief"]}
    return {"host": "127.0.0.1", "port": PORT, "database": DATABASE, **login}


def fix(play: Callable[..., Any], server: Mapping[str, Any], *words: str, **inputs: Any) -> Any:
    return play(
        "fix_database_locks", *words, limit=HOST, firebreak_postgres=server, min_waiting="1s", **inputs
    )


def test_the_reader_at_the_root_ends_and_everybody_else_gets_on(
    scene: Scene,
    as_role: Callable[[str], dict[str, Any]],
    server: dict[str, Any],
    play: Callable[..., Any],
) -> None:
    web = as_role("web")
    readers = [(f"reader{number}", web, [f"SELECT count(*) FROM {TABLE}"]) for number in range(3)]
    scene.begin(
        [
            ("left\x1b[2Jalone", web, ["BEGIN", f"SELECT count(*) FROM {TABLE}"]),
            ("change", web, [f"ALTER TABLE {TABLE} ADD COLUMN IF NOT EXISTS more int"]),
            *readers,
        ]
    )
    assert [line for line in scene.said() if line.endswith("waits")] == [
        "change waits",
        *(f"{name} waits" for name, _access, _statements in readers),
    ]
    if "socket" in server:
        planned = fix(play, server, "--check")
        result = planned.result(HOST, "pg_locks")
        assert (planned.code, result["verdict"]) == (0, "planned"), planned.output
        drawn = planned.result(HOST, "debug")["msg"]
        assert [line[:3] for line in drawn] == ["pid", "└─ ", "   ", "   ", "   "]
        assert 'for AccessExclusiveLock on "Odd ""T;able%", 3 behind: ALTER' in drawn[1]
        assert "ended" not in " ".join(scene.said())

    done = fix(play, server)
    assert done.code == 0, done.output
    tree = done.result(HOST, "pg_locks_info")["tree"]
    assert [one["depth"] for one in tree] == [0, 1, 2, 2, 2]
    result = done.result(HOST, "pg_locks")
    assert (result["verdict"], result["after"]["waiting"], result["findings"]) == ("resolved", 0, [])
    assert [act["status"] for act in result["actions"]] == ["done"]
    assert str(tree[0]["pid"]) in result["actions"][0]["target"]
    said = scene.wait_for("change done", *(f"reader{number} done" for number in range(3)))
    assert [line for line in said if line.endswith(("ended", "cancelled"))] == ["left\x1b[2Jalone ended"]

    again = fix(play, server)
    assert (again.code, again.changed()) == (0, 0), again.output
    assert again.result(HOST, "pg_locks")["verdict"] == "not_needed"


def test_a_statement_is_cancelled_and_its_session_ends_only_if_it_blocks_still(
    scene: Scene, as_role: Callable[[str], dict[str, Any]], play: Callable[..., Any]
) -> None:
    web = as_role("web")
    sleep = "SELECT pg_sleep(90)"
    scene.begin(
        [
            ("report", web, ["BEGIN", f"LOCK TABLE {TABLE}", sleep]),
            ("stubborn", web, ["BEGIN", "LOCK TABLE other", "SAVEPOINT here", sleep]),
            ("reader", web, [f"SELECT count(*) FROM {TABLE}"]),
            ("other reader", web, ["SELECT count(*) FROM other"]),
        ]
    )
    time.sleep(1)
    done = fix(play, SOCKET)
    assert done.code == 0, done.output
    assert done.result(HOST, "pg_locks")["verdict"] == "resolved"
    said = scene.wait_for("reader done", "other reader done", "report cancelled", "stubborn ended")
    assert "report ended" not in said


def test_a_prepared_transaction_is_resolved_by_its_name_and_with_leave_only(
    scene: Scene,
    as_role: Callable[[str], dict[str, Any]],
    play: Callable[..., Any],
    server: dict[str, Any],
) -> None:
    web = as_role("web")
    quoted = GID.replace("'", "''")
    scene.begin(
        [
            ("xa", web, ["BEGIN", f"UPDATE {TABLE} SET id = 2", f"PREPARE TRANSACTION '{quoted}'"]),
            ("writer", web, [f"UPDATE {TABLE} SET id = 3"]),
        ]
    )
    time.sleep(1)
    # Where its table has no name.
    elsewhere = {**server, "database": "postgres"}
    if "socket" in server:
        refused = fix(play, elsewhere)
        assert refused.code != 0
        (message,) = refused.messages()
        assert GID in message
        assert "name it in gids" in message
        unsaid = fix(play, elsewhere, gids=[GID], resolve="commit")
        assert "max_risk is disruptive" in unsaid.messages()[0]
        assert scene.said()[-1] == "ready"

    done = fix(play, elsewhere, gids=[GID], resolve="rollback", max_risk="destructive")
    assert done.code == 0, done.output
    assert done.result(HOST, "pg_locks")["verdict"] == "resolved"
    scene.wait_for("writer done")


def test_who_must_not_end_is_refused_with_the_reason(
    scene: Scene, as_role: Callable[[str], dict[str, Any]], play: Callable[..., Any]
) -> None:
    web = as_role("web")
    scene.begin(
        [
            ("console", as_role("chief"), ["BEGIN", f"LOCK TABLE {TABLE}"]),
            ("pg_dump", web, ["BEGIN", "LOCK TABLE other"]),
            ("reader", web, [f"SELECT count(*) FROM {TABLE}"]),
            ("other reader", web, ["SELECT count(*) FROM other"]),
        ]
    )
    time.sleep(1)
    refused = fix(play, SOCKET)
    assert refused.code != 0
    reasons = [act["reason"] for act in refused.result(HOST, "pg_locks")["actions"]]
    assert {reason.partition(".")[0] for reason in reasons} == {"role chief is a superuser", "it is pg_dump"}
    assert "was refused: " in refused.messages()[0]
    assert scene.said()[-1] == "ready"


def test_the_fault_of_the_lab_is_cured_by_the_playbook_that_triage_names(
    lab: Lab, play: Callable[..., Any]
) -> None:
    with broken(lab, "sessions-blocked"):
        time.sleep(1)
        found = play("triage", limit=HOST, sections=["postgres"]).result(HOST, "triage_info")["findings"]
        (blocked,) = [each for each in found if each["id"] == "postgres.sessions.blocked"]
        assert blocked["remedy"]["playbook"] == "fix_database_locks"
        done = play("fix_database_locks", limit=HOST, min_waiting="2s")
        assert done.code == 0, done.output
        assert done.result(HOST, "pg_locks")["verdict"] == "resolved"
        after = done.result(HOST, "triage_info")["findings"]
        assert "postgres.sessions.blocked" not in [each["id"] for each in after]
        assert done.result(HOST, "summary")["next"] == []
