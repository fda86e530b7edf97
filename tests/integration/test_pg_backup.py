# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that can be restored, and those that only look like it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from firebreak_lab import Lab

from .conftest import module as run_module

CLUSTER, PORT = "backup", 5505
DATABASE = '../Shop "of" 100%; host=x'
FILE_NAME = "%2E.%2FShop%20%22of%22%20100%25%3B%20host%3Dx"
SECRET = "boss' own; 100%"
DIRECTORY = "/var/backups/firebreak-test"
SMALL = "/run/firebreak-test-small"
SOCKET = {"socket": "/var/run/postgresql", "port": PORT, "database": DATABASE}
TCP = {"host": "127.0.0.1", "port": PORT, "database": DATABASE, "user": "boss", "password": SECRET}
NAMES = {"zekka1": "zekka_production", "matrixon1": "matrixon"}
# A reset takes the configuration of a cluster away and leaves its server running.
TEAR_DOWN = f"""
cd /; pg_dropcluster --stop 15 {CLUSTER} 2> /dev/null && exit 0
data=/var/lib/postgresql/15/{CLUSTER}
runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_ctl -s -m immediate -D $data stop
rm -rf $data
"""
SET_UP = f"""
pg_createcluster 15 {CLUSTER} -p {PORT} -- --no-sync > /dev/null
pg_ctlcluster 15 {CLUSTER} start
cd /; psql() {{ runuser -u postgres -- psql -qX -v ON_ERROR_STOP=1 -p {PORT} "$@"; }}
psql -c "CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'boss'' own; 100%'" \
  -c 'CREATE DATABASE "../Shop ""of"" 100%; host=x"'
PGDATABASE="$1" psql
"""
TABLES = r"""
CREATE TABLE "It""ems; 1" (id int, name text);
INSERT INTO "It""ems; 1" SELECT n, E'a\nb\\.' || n FROM generate_series(1, 1000) n;
ALTER DATABASE "../Shop ""of"" 100%; host=x" SET default_transaction_read_only = on;
"""
# Holds a table until the file is gone and notes, as anybody sees them, the programs that wait for it.
HELD, SEEN = "/tmp/firebreak-held", "/tmp/firebreak-seen"
HOLD = f"""
cd /; : > {SEEN}
{{
  printf '%s\\n' 'BEGIN READ WRITE;' 'LOCK TABLE "It""ems; 1";' '\\! touch {HELD}'
  for i in $(seq 100); do [ -e {HELD} ] && break; sleep 0.05; done
  for i in $(seq 1000); do
    [ -e {HELD} ] || break
    for pid in $(pgrep -x pg_dump); do tr '\\0' ' ' < /proc/$pid/cmdline; echo; done >> {SEEN} 2> /dev/null
    sleep 0.02
  done
}} | PGDATABASE="$1" psql -qX -p {PORT}
"""
SCRIPTS = {
    "silent": "exit 0",
    "cut off": "printf 'PGDMP cut' > {}/own-20261122T010203Z.dump; echo all well",
    "failing": "echo no such thing as a database >&2; exit 3",
}


def module(host: str, name: str, *words: str, **options: Any) -> Mapping[str, Any]:
    result = run_module(host, name, *words, **options)
    assert SECRET not in str(result)
    return result


def shell(lab: Lab, host: str, script: str, *arguments: str) -> str:
    return lab.run(host, ["bash", "-ec", script, "test", *arguments]).check(script).stdout


def listed(lab: Lab, host: str, directory: str = DIRECTORY) -> list[str]:
    return shell(lab, host, f"ls -A {directory} 2> /dev/null || true").split()


@pytest.fixture
def empty(lab: Lab) -> Iterator[Lab]:
    for host in NAMES:
        shell(lab, host, f"rm -rf {DIRECTORY}")
    yield lab
    for host in NAMES:
        shell(lab, host, f"rm -rf {DIRECTORY}")


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Iterator[Lab]:
    lab.run("zekka1", ["bash", "-c", TEAR_DOWN])
    try:
        lab.run("zekka1", ["bash", "-ec", SET_UP, "test", DATABASE], input=TABLES).check("making a cluster")
        yield lab
    finally:
        lab.run("zekka1", ["bash", "-c", TEAR_DOWN])


def test_a_backup_is_taken_and_read_back_and_a_broken_one_is_passed_over(
    pristine: Lab, empty: Lab, play: Callable[..., Any]
) -> None:
    wished = {"firebreak_backup": {"directory": DIRECTORY}}
    plan = play("backup_database", "--check", **wished)
    assert plan.code == 0, plan.output
    done = play("backup_database", **wished)
    assert done.code == 0, done.output
    again = play("backup_database", **wished)
    assert (again.code, again.changed()) == (0, 0), again.output
    for host, name in NAMES.items():
        assert [finding["id"] for finding in plan.result(host, "pg_backup_info")["findings"]] == [
            "postgres.backup.missing"
        ]
        assert plan.result(host, "pg_backup")["verdict"] == "planned"
        result = done.result(host, "pg_backup")
        assert (result["verdict"], result["findings"]) == ("resolved", [])
        latest = result["after"]["databases"][name]["latest"]
        manifest = json.loads(shell(empty, host, f"cat {latest['path']}.json"))
        assert latest["recorded"] == manifest
        assert shell(empty, host, f"sha256sum {latest['path']}").split()[0] == manifest["sha256"]
        assert manifest["tables"] == 2 and manifest["rows"] >= 5000
        assert shell(empty, host, f"stat -c %a {DIRECTORY} {DIRECTORY}/*").split() == ["700"] + 3 * ["600"]
        assert again.result(host, "pg_backup")["verdict"] == "not_needed"

        # Two newer ones, cut off where neither pg_restore -l nor gzip -t sees anything of it.
        cut = 'f=$1/$2-$(date -u +%Y%m%dT%H%M%SZ).dump; head -c 60000 "$3" | tee "$f" | gzip > "$f.gz"'
        shell(empty, host, cut, DIRECTORY, name, latest["path"])
        seen = module(host, "pg_backup_info", **configured(host))
        found = seen["databases"][0]
        assert found["latest"]["path"] == latest["path"]
        assert ["end of file" in one["reason"] for one in found["passed_over"]] == [True, True], found
        assert [finding["id"] for finding in seen["findings"]] == ["postgres.backup.broken"]


def configured(host: str) -> Mapping[str, Any]:
    return {
        "postgres": "{{ firebreak_postgres }}",
        "services": "{{ firebreak_services }}",
        "backup": {"directory": DIRECTORY},
    }


@pytest.mark.parametrize("server", [SOCKET, TCP], ids=["socket", "password"])
def test_any_name_of_a_database_becomes_one_file(cluster: Lab, empty: Lab, server: Mapping[str, Any]) -> None:
    wish = {"postgres": server, "backup": {"directory": DIRECTORY}, "all_databases": True}
    done = module("zekka1", "pg_backup", **wish)
    assert done["verdict"] == "resolved", done
    files = listed(cluster, "zekka1")
    assert sorted(name.split("-")[0] for name in files) == sorted(
        ["cluster", *2 * [FILE_NAME], *2 * ["postgres"]]
    )
    again = module("zekka1", "pg_backup", **wish)
    assert (again["verdict"], again["changed"]) == ("not_needed", False)
    # What was dumped is what was there.
    dump = next(name for name in files if name.startswith(FILE_NAME) and name.endswith(".dump"))
    restored = shell(
        cluster,
        "zekka1",
        'pg_restore -f - "$1" | sed -n "/^COPY/,/^[\\\\][.]$/p" | tail -n +2 | head -n -1',
        f"{DIRECTORY}/{dump}",
    )
    assert restored == "".join(f"{n}\ta\\nb\\\\.{n}\n" for n in range(1, 1001))


def test_a_dump_that_waits_gives_up_and_shows_no_password(cluster: Lab, empty: Lab) -> None:
    container = cluster.container("zekka1").name
    hold = ["docker", "exec", "-u", "postgres", container, "bash", "-c", HOLD, "test", DATABASE]
    shell(cluster, "zekka1", f"rm -f {HELD} {SEEN}")
    with subprocess.Popen(hold):
        try:
            shell(
                cluster,
                "zekka1",
                f"for i in $(seq 100); do [ -e {HELD} ] && exit 0; sleep 0.05; done; exit 1",
            )
            wish = {"postgres": TCP, "backup": {"directory": DIRECTORY}}
            failed = module("zekka1", "pg_backup", **wish, lock_timeout="1s")
        finally:
            seen = shell(cluster, "zekka1", f"rm -f {HELD}; cat {SEEN}; rm {SEEN}")
    assert failed["failed"] and "waited 1 s for a table that somebody has locked" in failed["msg"], failed
    assert [name for name in listed(cluster, "zekka1") if not name.startswith("cluster-")] == []
    assert "pg_dump -Fc" in seen
    assert "boss" not in seen and "own" not in seen


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({**TCP, "password": "wrong"}, "password authentication failed"),
        ({**SOCKET, "database": "nowhere"}, "nowhere"),
        ({**SOCKET, "port": 5599}, "No such file or directory"),
    ],
    ids=["password", "database", "port"],
)
def test_who_cannot_get_in_is_told_why(
    cluster: Lab, empty: Lab, change: Mapping[str, Any], said: str
) -> None:
    failed = module("zekka1", "pg_backup", postgres=change, backup={"directory": DIRECTORY})
    assert failed["failed"] and said in failed["msg"], failed
    assert listed(cluster, "zekka1") == []


def test_a_filesystem_that_is_too_small_is_not_written_to(cluster: Lab) -> None:
    shell(cluster, "zekka1", f"mkdir -p {SMALL}; mount -t tmpfs -o size=2m tmpfs {SMALL}")
    try:
        wish = {"postgres": SOCKET, "backup": {"directory": SMALL}}
        failed = module("zekka1", "pg_backup", **wish)
        seen = module("zekka1", "pg_backup_info", **wish)
        files = listed(cluster, "zekka1", SMALL)
    finally:
        shell(cluster, "zekka1", f"umount {SMALL}; rmdir {SMALL}")
    assert failed["failed"] and "2.0 MiB free" in failed["msg"], failed
    assert [act["status"] for act in failed["actions"]] == ["refused", "refused"]
    assert files == []
    assert "postgres.backup.no_room" in [finding["id"] for finding in seen["findings"]]


def test_backups_are_found_while_the_server_is_down_and_old_ones_go_on_request(
    cluster: Lab, empty: Lab
) -> None:
    wish = {"postgres": SOCKET, "backup": {"directory": DIRECTORY, "keep": 2}, "max_age": "0"}
    for _run in range(3):
        # What was begun in the same second is not older than that.
        time.sleep(1)
        assert module("zekka1", "pg_backup", **wish)["verdict"] == "resolved"
    refused = module("zekka1", "pg_backup", **wish, prune=True)
    assert refused["failed"] and "max_risk" in refused["msg"]
    # One that is newer and cannot be read is not one of those that are kept.
    shell(cluster, "zekka1", f"cd {DIRECTORY}; head -c 900 *.dump | tail -c 900 > '{FILE_NAME}-new.dump'")
    prune = {**wish, "max_age": "1h", "prune": True, "max_risk": "destructive"}
    plan = module("zekka1", "pg_backup", "--check", **prune)
    done = module("zekka1", "pg_backup", **prune)
    again = module("zekka1", "pg_backup", **prune)
    assert [act["action"] for act in plan["actions"]] == 2 * ["postgres.backup.delete"]
    assert (done["verdict"], again["verdict"]) == ("resolved", "not_needed")
    left = listed(cluster, "zekka1")
    assert [sum(name.endswith(kind) for name in left) for kind in (".dump", ".json", ".globals.sql")] == [
        3, 2, 2,
    ]  # fmt: skip

    shell(cluster, "zekka1", f"pg_ctlcluster 15 {CLUSTER} stop -m fast")
    try:
        seen = module("zekka1", "pg_backup_info", **{**wish, "max_age": "26h"})
        failed = module("zekka1", "pg_backup", **wish)
    finally:
        shell(cluster, "zekka1", f"pg_ctlcluster 15 {CLUSTER} start")
    assert "No such file" in seen["unseen"]
    assert seen["databases"][0]["latest"]["verified"] is True
    assert failed["failed"] and "No such file" in failed["msg"]


def test_the_site_s_own_script_is_held_to_the_same(empty: Lab) -> None:
    own: dict[str, dict[str, Any]] = {
        "zekka1": {"command": ["/opt/zekka/scripts/backup-database.sh"], "command_user": "zekka"},
        "matrixon1": {"command": "/opt/matrixon/automated-backup.sh backup"},
    }
    for host, name in NAMES.items():
        directory = f"/var/backups/{host[:-1]}"
        shell(empty, host, f"find {directory} -mindepth 1 -delete")
        wish = {**configured(host), "backup": {"directory": directory, **own[host]}}
        done, again = (module(host, "pg_backup", **wish) for _run in range(2))
        assert (done["verdict"], again["verdict"]) == ("resolved", "not_needed"), done
        latest = done["after"]["databases"][name]["latest"]
        assert shell(empty, host, f"sha256sum {latest['path']}").split()[0] == latest["recorded"]["sha256"]
        shell(empty, host, f"find {directory} -mindepth 1 -delete")


@pytest.mark.parametrize(
    ("script", "said"),
    [("silent", "wrote no dump"), ("cut off", "cannot be restored"), ("failing", "no such thing")],
)
def test_a_script_that_lies_is_found_out(empty: Lab, script: str, said: str) -> None:
    write = f"mkdir {DIRECTORY}; printf '%s\\n' '#!/bin/sh' \"$1\" > $2; chmod +x $2"
    shell(empty, "zekka1", write, SCRIPTS[script].format(DIRECTORY), f"{DIRECTORY}/own.sh")
    backup = {"directory": DIRECTORY, "command": [f"{DIRECTORY}/own.sh"]}
    failed = module("zekka1", "pg_backup", **{**configured("zekka1"), "backup": backup})
    assert failed["failed"] and said in failed["msg"], failed
