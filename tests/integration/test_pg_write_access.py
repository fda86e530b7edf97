# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that nobody writes to any more, while users read on; saved; and writable again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from firebreak_lab import Lab
from firebreak_lab.state import read_secrets

from .conftest import module, postgres_cluster

DATA, PORT = "/var/lib/postgresql/firebreak-write-access", 5507
DATABASE = 'Shop "of" 100%; x'
PLACES = {
    "psql": {"socket": "/var/run/postgresql", "port": PORT, "database": "postgres"},
    "psycopg2": {
        "host": "127.0.0.1",
        "port": PORT,
        "database": "postgres",
        "user": "boss",
        "password": "boss' own",
    },
}
WEB = {"application_user": 'We"b; 100% Sure', "application_password": "web"}
ROLES = r"""
CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'boss'' own';
CREATE ROLE "We""b; 100% Sure" LOGIN PASSWORD 'web';
CREATE ROLE stubborn LOGIN PASSWORD 'web';
CREATE DATABASE "Shop ""of"" 100%; x" OWNER "We""b; 100% Sure";
ALTER DATABASE "Shop ""of"" 100%; x" SET default_transaction_read_only = off;
ALTER ROLE stubborn IN DATABASE "Shop ""of"" 100%; x" SET default_transaction_read_only = off;
"""
SETTINGS = "SELECT setrole::regrole, setconfig FROM pg_db_role_setting ORDER BY setrole"
# A session of the application that is left open.
HOLD = 'setsid bash -c "sleep 60 | psql -X" > /dev/null 2>&1 < /dev/null & sleep 0.5'


def as_user(user: str, password: str, database: str, port: int = 5432) -> list[str]:
    """The environment of psql as a client uses it."""
    given = {"PGHOST": "127.0.0.1", "PGPORT": port, "PGUSER": user, "PGPASSWORD": password}
    given["PGDATABASE"], given["PGAPPNAME"] = database, "client"
    return ["env", *(f"{name}={value}" for name, value in given.items())]


def statuses(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(act["action"].replace("postgres.", ""), act["status"]) for act in result["actions"]]


def findings(result: Mapping[str, Any]) -> set[str]:
    return {each["id"].replace("postgres.database.", "") for each in result["findings"]}


def entered(lab: Lab, port: int = 5432) -> str:
    """What is set, and who is connected since when."""
    script = f"""{SETTINGS}; SELECT pid, backend_start FROM pg_stat_activity WHERE datname IS NOT NULL
      AND backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid"""
    argv = ["runuser", "-u", "postgres", "--", "psql", "-XAt", "-p", str(port), "-d", "postgres"]
    return str(lab.run("zekka1", argv, input=script).check("looking").stdout)


def test_writers_stop_while_readers_go_on_and_undo_lets_them_write(
    pristine: Lab, play: Callable[..., Any]
) -> None:
    client = as_user("zekka_user", read_secrets()["zekka_postgres_password"], "zekka_production")

    def write() -> Any:
        write = "INSERT INTO items (name) VALUES ('from the test') RETURNING id"
        return pristine.run("zekka1", [*client, "psql", "-X", "-v", "VERBOSITY=sqlstate", "-c", write])

    def read() -> str:
        url = ["--resolve", "api.zekka.example:443:127.0.0.1", "https://api.zekka.example/"]
        return str(pristine.run("zekka1", ["curl", "-sk", "-w", "%{http_code}", *url]).stdout)

    assert write().rc == 0
    assert read().endswith("200")

    before = entered(pristine)
    planned = play("contain_data", "--check", limit="zekka1")
    assert planned.code == 0, planned.output
    assert planned.result("zekka1", "pg_write_access")["verdict"] == "planned"
    assert planned.result("zekka1", "pg_backup")["verdict"] == "planned"
    assert entered(pristine) == before

    contained = play("contain_data", limit="zekka1")
    assert contained.code == 0, contained.output
    closed = contained.result("zekka1", "pg_write_access")
    assert closed["verdict"] == "resolved"
    assert closed["before"]["sessions_writing"] > 0
    assert (closed["after"]["sessions_writing"], closed["after"]["read_only"]) == (0, True)
    assert closed["after"]["proof"]["user"] == "zekka_user"
    assert closed["after"]["proof"]["write_refused"]
    assert contained.result("zekka1", "pg_backup")["verdict"] == "resolved"
    refused = write()
    assert refused.rc != 0 and "25006" in refused.stderr
    assert read().endswith("200")

    again = play("contain_data", limit="zekka1")
    assert (again.code, again.changed()) == (0, 0), again.output
    assert again.result("zekka1", "pg_backup")["verdict"] == "not_needed"

    run = contained.result("zekka1", "begin")["run"]["id"]
    undone = play("undo", limit="zekka1", id=run)
    assert undone.code == 0, undone.output
    assert undone.result("zekka1", "undo")["verdict"] == "resolved"
    assert write().rc == 0
    assert entered(pristine).count("{") == 0
    ledger = pristine.run("zekka1", ["tail", "-1", "/var/lib/firebreak/ledger.jsonl"]).stdout
    last = json.loads(ledger)
    assert (last["action"], last["status"]) == ("postgres.write_access.read_write", "done")
    assert play("undo", limit="zekka1", id=run).changed() == 0


def test_a_failed_backup_hides_nothing_and_the_database_stays_closed(
    pristine: Lab, play: Callable[..., Any]
) -> None:
    contained = play("contain_data", limit="zekka1", firebreak_backup={"directory": "/proc/nowhere"})
    assert contained.code != 0
    assert contained.result("zekka1", "pg_write_access")["verdict"] == "resolved"
    assert contained.result("zekka1", "pg_backup")["failed"]
    assert not contained.result("zekka1", "triage_info")["failed"]
    assert any("playbooks/undo.yml" in line for line in contained.result("zekka1", "summary")["next"])
    assert "default_transaction_read_only=on" in entered(pristine)


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Iterator[Lab]:
    lab.reset("zekka1")
    with postgres_cluster(lab, DATA, PORT, ROLES):
        yield lab
    lab.reset("zekka1")


@pytest.mark.parametrize("way", PLACES)
def test_what_was_set_before_comes_back_whatever_the_names(
    cluster: Lab, play: Callable[..., Any], way: str
) -> None:
    web = as_user(WEB["application_user"], WEB["application_password"], DATABASE, PORT)
    place = {**PLACES[way], **WEB}
    before = entered(cluster, PORT).split("\n")[:3]
    cluster.run("zekka1", [*web, "bash", "-c", HOLD])
    asked = {"postgres": place, "database": DATABASE, "max_risk": "disruptive"}

    closed = module("zekka1", "pg_write_access", state="read_only", **asked)
    assert closed["verdict"] == "resolved", closed
    assert statuses(closed) == [("write_access.read_only", "done"), ("terminate", "done")]
    assert findings(closed) == {"read_only", "writable_override", "not_enforced"}
    assert closed["after"]["overrides"] == ["stubborn"]
    assert "password" not in json.dumps(closed["actions"])
    assert not module("zekka1", "pg_write_access", state="read_only", **asked)["changed"]

    ledger = cluster.run("zekka1", ["tail", "-1", "/var/lib/firebreak/ledger.jsonl"]).stdout
    run = json.loads(ledger)["run"]
    if way == "psycopg2":
        # Its password is not that of the server in the inventory.
        elsewhere = play("undo", limit="zekka1", id=run)
        assert "Name that server in firebreak_postgres" in elsewhere.result("zekka1", "undo")["msg"]
    cluster.run("zekka1", [*web, "bash", "-c", HOLD])
    undone = play(
        "undo", limit="zekka1", id=run, **({"firebreak_postgres": place} if way == "psycopg2" else {})
    )
    assert undone.code == 0, undone.output
    # With the one who began read-only gone.
    assert [line for line in entered(cluster, PORT).split("\n") if line] == [line for line in before if line]


def test_an_application_that_overrides_is_no_success(cluster: Lab) -> None:
    role = {"application_user": "stubborn", "application_password": "web"}
    asked = {"postgres": {**PLACES["psql"], **role}, "database": DATABASE, "max_risk": "disruptive"}
    first = module("zekka1", "pg_write_access", state="read_only", **asked)
    assert (first["verdict"], first["after"]["read_only"]) == ("unchanged", False)
    assert "role stubborn" in first["msg"] and "of its own" in first["msg"]
    assert module("zekka1", "pg_write_access", state="read_write", **asked)["after"]["setting"] is None


def test_the_official_image_s_superuser_is_ended_only_when_the_site_says_so(
    lab: Lab, play: Callable[..., Any]
) -> None:
    lab.reset("matrixon1")
    site = {"limit": "matrixon1", "backup": False}
    unsaid = {
        "service": "postgres",
        "database": "matrixon",
        "user": "matrixon",
        "application_user": "matrixon",
        "application_password": read_secrets()["matrixon_postgres_password"],
    }
    first = play("contain_data", **site, firebreak_postgres=unsaid).result("matrixon1", "pg_write_access")
    assert first["verdict"] == "improved"
    assert {act["status"] for act in first["actions"] if act["action"] == "postgres.terminate"} == {"refused"}
    second = play("contain_data", **site)
    assert second.code == 0, second.output
    result = second.result("matrixon1", "pg_write_access")
    assert (result["verdict"], result["after"]["sessions_writing"]) == ("resolved", 0)
    versions = ["curl", "-s", "-w", "%{http_code}", "http://127.0.0.1/_matrix/client/versions"]
    assert lab.run("matrixon1", versions).stdout.endswith("200")
    assert play("contain_data", **site).changed() == 0
    lab.reset("matrixon1")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"database": "Shpo"},
            'database Shpo: the server has no database of that name. There are: Shop "of"',
        ),
        ({"postgres": {**PLACES["psycopg2"], "password": "wrong"}}, "password authentication failed"),
        (
            {"postgres": {**PLACES["psycopg2"], "user": WEB["application_user"], "password": "web"}},
            "superuser",
        ),
    ],
)
def test_what_cannot_be_looked_at_is_said(cluster: Lab, more: dict[str, Any], said: str) -> None:
    result = module(
        "zekka1", "pg_write_access_info", **{"postgres": PLACES["psql"], "database": DATABASE, **more}
    )
    assert said in result["msg"]
