# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that somebody else runs: asked from the controller, over TCP, without a superuser."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml

from firebreak_lab import Lab
from firebreak_lab.model import address

CLUSTER, PORT = "managed", 5510
DATABASE = 'Shop "of" 100%; x'
LEDGER = Path("/var/lib/firebreak/ledger.jsonl")
ENOUGH = 6
SET_UP = f"""
pg_createcluster 15 {CLUSTER} -p {PORT} -- --no-sync > /dev/null
printf '%s\\n' "listen_addresses = '*'" 'max_connections = 15' > /etc/postgresql/15/{CLUSTER}/conf.d/test.conf
echo 'host all all {address(1, "ipv4")}/32 scram-sha-256' >> /etc/postgresql/15/{CLUSTER}/pg_hba.conf
pg_ctlcluster 15 {CLUSTER} start
ufw allow proto tcp from {address(1, "ipv4")} to any port {PORT} > /dev/null
runuser -u postgres -- psql -qX -v ON_ERROR_STOP=1 -p {PORT}
"""


@pytest.fixture(scope="module")
def passwords(lab: Lab) -> Iterator[dict[str, str]]:
    given = {"responder": secrets.token_hex(16), "web": secrets.token_hex(16)}
    name = DATABASE.replace('"', '""')
    script = (
        f"CREATE ROLE responder LOGIN PASSWORD '{given['responder']}' IN ROLE pg_monitor, pg_signal_backend;"
        f"CREATE ROLE web LOGIN PASSWORD '{given['web']}'; CREATE DATABASE \"{name}\" OWNER web"
    )
    lab.reset("zekka1")
    lab.run("zekka1", ["bash", "-ec", SET_UP], input=script).check("making a cluster")
    yield given
    lab.run("zekka1", ["pg_dropcluster", "--stop", "15", CLUSTER])
    lab.reset("zekka1")


@pytest.fixture
def own_ledger() -> Iterator[None]:
    """The controller's own ledger is as it was afterwards."""
    size = LEDGER.stat().st_size if LEDGER.exists() else None
    yield
    if size is None:
        LEDGER.unlink(missing_ok=True)
    else:
        with LEDGER.open("r+b") as stream:
            stream.truncate(size)


@pytest.fixture
def leaked(passwords: dict[str, str]) -> Iterator[list[Any]]:
    """All but one of the connections that ordinary roles may have, left open by the application."""
    held = [
        psycopg2.connect(
            host=address(11, "ipv4"), port=PORT, dbname=DATABASE, user="web", password=passwords["web"]
        )
        for _session in range(11)
    ]
    for number, connection in enumerate(held):
        connection.autocommit = number >= 4
        connection.cursor().execute("SELECT 1")
    yield held
    for connection in held:
        connection.close()


@pytest.fixture
def managed(passwords: dict[str, str], tmp_path: Path, play: Callable[..., Any]) -> Callable[..., Any]:
    server = {
        "host": address(11, "ipv4"),
        "port": PORT,
        "database": DATABASE,
        "user": "responder",
        "password": passwords["responder"],
    }
    host = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "firebreak_postgres": server,
    }
    inventory = tmp_path / "managed.yml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": {"shop": host}}}))

    def run(playbook: str, *words: str, **inputs: Any) -> Any:
        return play(playbook, "-i", str(inventory), *words, limit="shop", **inputs)

    return run


def test_connections_are_freed_from_the_controller(
    managed: Callable[..., Any], leaked: list[Any], own_ledger: None, passwords: dict[str, str]
) -> None:
    triage = managed("triage", sections=["postgres"])
    assert [
        (each["id"], each["level"], each["remedy"]["playbook"])
        for each in triage.result("shop", "triage_info")["findings"]
        if each["id"].startswith("postgres.connections")
    ] == [("postgres.connections.high", "warning", "fix_database_connections")], triage.output

    inputs = {"min_idle": "0s", "min_idle_in_transaction": "0s", "free_connections": ENOUGH}
    fixed = managed("fix_database_connections", **inputs)
    assert fixed.code == 0, fixed.output
    result = fixed.result("shop", "pg_sessions")
    assert result["verdict"] == "resolved"
    assert sum(each.closed == 0 and alive(each) for each in leaked) == 12 - ENOUGH

    again = managed("fix_database_connections", **inputs)
    assert (again.code, again.changed()) == (0, 0), again.output
    assert passwords["responder"] not in fixed.output


def alive(connection: Any) -> bool:
    try:
        connection.cursor().execute("SELECT 1")
    except psycopg2.OperationalError:
        return False
    return True
