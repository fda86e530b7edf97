# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables and indexes are put in order under readers and writers; who is in the way is named."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ansible_runner
import pytest

from firebreak_lab import Lab

CHECKOUT = Path(__file__).resolve().parents[2]
BIN, DATA = "/usr/lib/postgresql/15/bin", "/var/lib/postgresql/maintenance"
PORT, DATABASE = 5504, "upkeep"
# A server of its own, so that nothing of the site is touched.
START = f"""
cd /; set -e
runuser -u postgres -- {BIN}/pg_ctl -D {DATA} -m immediate stop || true
rm -rf {DATA}
runuser -u postgres -- {BIN}/initdb --no-sync -A peer -D {DATA}
cat >> {DATA}/postgresql.conf <<X
port = {PORT}
unix_socket_directories = '/var/run/postgresql'
listen_addresses = '127.0.0.1'
fsync = off
autovacuum = off
shared_buffers = 16MB
max_prepared_transactions = 2
X
printf 'local all all peer\\nhost all all 127.0.0.1/32 scram-sha-256\\n' > {DATA}/pg_hba.conf
runuser -u postgres -- {BIN}/pg_ctl -D {DATA} -w -l {DATA}/log start > /dev/null
"""
STOP = f"cd /; runuser -u postgres -- {BIN}/pg_ctl -D {DATA} -m immediate stop; rm -rf {DATA}"
# An index that is made at once and whose rebuild takes minutes.
SLOW = (
    "CREATE OR REPLACE FUNCTION slow(n int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT n'",
    "CREATE INDEX orders_slow ON orders (slow(n))",
    "CREATE OR REPLACE FUNCTION slow(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql "
    "AS 'BEGIN PERFORM pg_sleep(0.01); RETURN n; END'",
)

SOCKET = {"socket": "/var/run/postgresql", "port": PORT, "database": DATABASE}
TCP = {"host": "127.0.0.1", "port": PORT, "database": DATABASE, "user": "boss", "password": "hush-hush"}
INSIDE = {"service": "postgres", "database": DATABASE, "user": "matrixon"}
SERVICES = {"postgres": {"runtime": "compose", "project": "matrixon", "service": "postgres"}}
# psql on the host, the library over TCP, psql inside a container.
WAYS = pytest.mark.parametrize(
    ("host", "postgres"),
    [("zekka1", SOCKET), ("zekka1", TCP), ("matrixon1", INSIDE)],
    ids=["psql", "library", "17"],
)
TWO_WAYS = pytest.mark.parametrize(
    ("host", "postgres"), [("zekka1", TCP), ("matrixon1", INSIDE)], ids=["library", "17"]
)


class Servers:
    """Statements as a person with psql gives them, and the modules."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab, self.directory = lab, directory

    def client(self, host: str) -> str:
        if host == "zekka1":
            return f"runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -p {PORT}"
        return "docker exec -i -e PGAPPNAME matrixon-postgres psql -XAtq -v ON_ERROR_STOP=1 -U matrixon"

    def sql(self, host: str, *statements: str, database: str = DATABASE, check: bool = True) -> str:
        words = " ".join('-c "$' + str(number) + '"' for number in range(1, len(statements) + 1))
        done = self.lab.run(
            host, ["bash", "-c", f"cd /; {self.client(host)} -d {database} {words}", "-", *statements]
        )
        assert not check or done.rc == 0, done.stderr
        return str(done.stdout).strip()

    def begin(self, host: str, application: str, statements: str, then: str = "true") -> None:
        """A session in the background, which nobody waits for."""
        inner = f"(cat /run/{application}.sql; {then}) | {self.client(host)} -d {DATABASE}"
        script = f"cat > /run/{application}.sql; cd /; export PGAPPNAME={application}; "
        script += f"setsid bash -c '{inner}' < /dev/null > /dev/null 2>&1 &"
        self.lab.run(host, ["bash", "-c", script], input=statements).check(application)

    @contextmanager
    def holding(self, host: str, statements: str) -> Iterator[int]:
        """A session that has done this and does nothing more; gives its pid."""
        self.begin(host, "holder", statements, "sleep 30")
        asked = "SELECT pid FROM pg_stat_activity WHERE application_name = 'holder' AND state LIKE 'idle in%'"
        end = time.monotonic() + 5
        while not (pid := self.sql(host, asked)) and time.monotonic() < end:
            time.sleep(0.1)
        try:
            yield int(pid)
        finally:
            self.sql(
                host,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'",
            )

    def play(self, host: str, *tasks: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The result of every task, one that failed too."""
        runner = ansible_runner.run(
            private_data_dir=tempfile.mkdtemp(dir=self.directory),
            playbook=[{"hosts": host, "become": True, "gather_facts": False, "tasks": list(tasks)}],
            inventory=str(CHECKOUT / "inventories" / "lab"),
            envvars={"ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg")},
            quiet=True,
            timeout=120,
        )
        with runner.stdout as stream:
            output = stream.read()
        ended = {"runner_on_ok": False, "runner_on_failed": True}
        results: list[Mapping[str, Any]] = [
            {**event["event_data"]["res"], "failed": ended[event["event"]]}
            for event in runner.events
            if event["event"] in ended
        ]
        assert len(results) == len(tasks), output
        return results

    def invalid(self, host: str) -> str:
        return self.sql(host, "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid")


@pytest.fixture(scope="module")
def servers(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    found = Servers(lab, tmp_path_factory.mktemp("maintenance"))
    lab.run("zekka1", ["bash", "-c", START]).check("a server of its own")
    found.sql("zekka1", "CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'hush-hush'", database="postgres")
    for host in ("zekka1", "matrixon1"):
        found.sql(
            host, f"DROP DATABASE IF EXISTS {DATABASE}", f"CREATE DATABASE {DATABASE}", database="postgres"
        )
    yield found
    found.sql("matrixon1", f"DROP DATABASE {DATABASE} WITH (FORCE)", database="postgres")
    lab.run("zekka1", ["bash", "-c", STOP])
    for host in ("zekka1", "matrixon1"):
        lab.run(host, ["rm", "-f", "/run/holder.sql", "/run/busy.sql"])


@pytest.fixture
def orders(servers: Servers, host: str) -> str:
    """A table with more dead rows and more changes than autovacuum allows, and an index twice its size."""
    servers.sql(
        host,
        "DROP TABLE IF EXISTS orders",
        "CREATE TABLE orders (id int PRIMARY KEY, n int) WITH (autovacuum_enabled = off)",
        "CREATE INDEX orders_n ON orders (n)",
        "INSERT INTO orders SELECT g, g FROM generate_series(1, 20000) g",
        "DELETE FROM orders WHERE id > 10000",
    )
    return "orders"


def statuses(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(act["action"], act["status"]) for act in result["actions"]]


def task(module: str, host: str, check: bool = False, **given: Any) -> Mapping[str, Any]:
    services = SERVICES if host == "matrixon1" else {}
    words = {f"firebreak.incident.{module}": {"services": services, **given}}
    return {**words, "check_mode": check, "ignore_errors": True}


def maintain(operation: str, host: str, check: bool = False, **given: Any) -> Mapping[str, Any]:
    # Objects of these names were worked on by the test before.
    asked = {"fresh": "0s", **given, "operation": operation, "max_risk": "disruptive"}
    return task("pg_maintenance", host, check, **asked)


@WAYS
def test_dead_rows_go_and_statistics_come(
    servers: Servers, host: str, postgres: Mapping[str, Any], orders: str
) -> None:
    asked: dict[str, Any] = {"postgres": postgres, "tables": [orders], "fresh": "1h"}
    before, planned, done, again = servers.play(
        host,
        task("pg_maintenance_info", host, postgres=postgres),
        maintain("vacuum_analyze", host, check=True, **asked),
        maintain("vacuum_analyze", host, **asked),
        maintain("vacuum_analyze", host, **asked),
    )
    (due,) = [one for one in before["due"] if one["table"] == "public.orders"]
    assert {"dead", "statistics"} <= set(due["reasons"])
    assert (due["dead"], due["autovacuum"], due["vacuumed_seconds"]) == (10000, False, None)
    assert before["free_bytes"] > 0
    assert (planned["verdict"], statuses(planned)) == ("planned", [("postgres.vacuum", "planned")])
    assert planned["after"]["tables"][0]["dead"] == 10000
    assert (done["verdict"], statuses(done)) == ("resolved", [("postgres.vacuum", "done")])
    assert done["plan_digest"] == planned["plan_digest"]
    counted = "SELECT reltuples, pg_stat_get_dead_tuples(oid) FROM pg_class WHERE relname = 'orders'"
    assert servers.sql(host, counted) == "10000|0"
    assert (again["changed"], again["verdict"]) == (False, "not_needed")
    assert "done within 1 h" in again["actions"][0]["reason"]


@TWO_WAYS
def test_an_index_is_rebuilt_while_others_read_and_write(
    servers: Servers, host: str, postgres: Mapping[str, Any], orders: str
) -> None:
    asked = "SELECT 'orders_n'::regclass::oid, pg_relation_size('orders_n')"
    old, size = servers.sql(host, asked).split("|")
    loop = "SELECT count(*) FROM orders; UPDATE orders SET n = n + 1 WHERE id % 5000 = 1;\n" * 5000
    servers.begin(host, "busy", loop)
    (done,) = servers.play(host, maintain("reindex", host, postgres=postgres, indexes=["orders_n"]))
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'busy'"
    assert (done.get("verdict"), servers.sql(host, ended)) == ("resolved", "t"), done
    new, smaller = servers.sql(host, asked).split("|")
    assert (new != old, int(smaller) < int(size)) == (True, True)
    assert servers.invalid(host) == ""
    (again,) = servers.play(
        host, maintain("reindex", host, postgres=postgres, indexes=["orders_n"], fresh="1h")
    )
    assert (again["changed"], again["verdict"]) == (False, "not_needed")


@pytest.mark.parametrize("host", ["zekka1"])
@pytest.mark.parametrize(
    "statement", ["UPDATE orders SET n = 1 WHERE id = 1", "SELECT 1 FROM orders LIMIT 1"]
)
def test_who_sits_in_a_transaction_is_named_and_nothing_is_started(
    servers: Servers, host: str, orders: str, statement: str
) -> None:
    rebuild = maintain("reindex", host, postgres=SOCKET, indexes=["orders_n"], lock_timeout="1s")
    with servers.holding(host, f"BEGIN; {statement};\n") as pid:
        (done,) = servers.play(host, rebuild)
    assert done["failed"]
    assert f"pid {pid} of postgres (holder), idle in transaction" in done["msg"]
    assert "nothing was started" in done["msg"]
    assert servers.invalid(host) == ""


@TWO_WAYS
def test_what_a_rebuild_left_that_waited_in_vain_or_took_too_long_is_dropped(
    servers: Servers, host: str, postgres: Mapping[str, Any], orders: str
) -> None:
    servers.sql(
        host,
        "CREATE TABLE IF NOT EXISTS other ()",
        *SLOW,
    )
    waiting = maintain("reindex", host, postgres=postgres, indexes=["orders_n"], lock_timeout="1s")
    with servers.holding(host, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM other;\n") as pid:
        time.sleep(1.1)
        (done,) = servers.play(host, waiting)
    assert (done["failed"], statuses(done)) == (True, [("postgres.reindex", "failed")])
    assert f"for pid {pid} of" in done["msg"]
    assert "what it left was dropped: public.orders_n_ccnew" in done["msg"]
    assert servers.invalid(host) == ""

    (done,) = servers.play(
        host, maintain("reindex", host, postgres=postgres, indexes=["orders_slow"], timeout="1s")
    )
    assert "statement timeout" in done["msg"]
    assert "what it left was dropped: public.orders_slow_ccnew" in done["msg"]
    asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'firebreak' AND state = 'active'"
    assert servers.sql(host, asked) == "0"
    assert servers.invalid(host) == ""


@pytest.mark.parametrize("host", ["zekka1"])
def test_a_lock_that_keeps_vacuum_out_is_named(servers: Servers, host: str, orders: str) -> None:
    given: dict[str, Any] = {"postgres": SOCKET, "lock_timeout": "1s"}
    servers.sql(host, "CREATE TABLE second (id int PRIMARY KEY)", "INSERT INTO second VALUES (1)")
    servers.sql(host, "BEGIN; UPDATE second SET id = 2; PREPARE TRANSACTION 'forgotten'")
    try:
        with servers.holding(host, "BEGIN; LOCK TABLE orders IN SHARE UPDATE EXCLUSIVE MODE;\n") as pid:
            locked, prepared = servers.play(
                host,
                maintain("vacuum", host, tables=[orders], **given),
                maintain("reindex", host, indexes=["second_pkey"], **given),
            )
    finally:
        servers.sql(host, "ROLLBACK PREPARED 'forgotten'")
    assert f"lock timeout, for pid {pid} of postgres (holder)" in locked["msg"]
    assert "prepared transaction forgotten" in prepared["msg"]


@pytest.mark.parametrize("host", ["zekka1"])
def test_only_leftovers_of_rebuilds_are_cleaned_up(servers: Servers, host: str, orders: str) -> None:
    servers.sql(host, "INSERT INTO orders SELECT g, 1 FROM generate_series(20001, 20002) g")
    servers.sql(host, "CREATE UNIQUE INDEX CONCURRENTLY orders_twice ON orders (n)", check=False)
    with servers.holding(host, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;\n"):
        servers.sql(host, "SET lock_timeout = '300ms'", "REINDEX INDEX CONCURRENTLY orders_n", check=False)
    info, kept, done, again = servers.play(
        host,
        task("pg_maintenance_info", host, postgres=SOCKET),
        maintain("clean_up", host, postgres=SOCKET, indexes=["orders_twice"]),
        maintain("clean_up", host, postgres=SOCKET),
        maintain("clean_up", host, postgres=SOCKET),
    )
    assert [one["index"] for one in info["leftovers"]] == ["public.orders_n_ccnew"]
    assert [one["index"] for one in info["invalid_indexes"]] == ["public.orders_twice"]
    levels = {found["id"]: found["level"] for found in info["findings"]}
    assert (levels["postgres.index.leftover"], levels["postgres.index.invalid"]) == ("warning", "warning")
    assert (kept["verdict"], statuses(kept)) == ("not_needed", [("postgres.index.drop", "refused")])
    assert (done["verdict"], statuses(done)) == ("resolved", [("postgres.index.drop", "done")])
    assert servers.invalid(host) == "orders_twice"
    assert (again["changed"], again["verdict"]) == (False, "not_needed")


@TWO_WAYS
def test_odd_names_are_themselves(servers: Servers, host: str, postgres: Mapping[str, Any]) -> None:
    odd = 'Odd "t;x" 100% it\'s'
    name = '"' + odd.replace('"', '""') + '"'
    servers.sql(host, f'DROP TABLE IF EXISTS {name}, twins, "Twins"')
    servers.sql(
        host, f"CREATE TABLE {name} (id int PRIMARY KEY)", "CREATE TABLE twins ()", 'CREATE TABLE "Twins" ()'
    )
    vacuumed, rebuilt, twins, nobody = servers.play(
        host,
        maintain("vacuum", host, postgres=postgres, tables=[odd, f"public.{name}"]),
        maintain("reindex", host, postgres=postgres, tables=[odd]),
        maintain("vacuum", host, postgres=postgres, tables=["Twins"]),
        maintain("vacuum", host, postgres=postgres, tables=["nope; DROP TABLE twins"]),
    )
    assert statuses(vacuumed) == [("postgres.vacuum", "done")]
    assert statuses(rebuilt) == [("postgres.reindex", "done")]
    assert (twins["failed"], "it could be" in twins["msg"]) == (True, True)
    assert (nobody["failed"], "none of that name" in nobody["msg"]) == (True, True)
