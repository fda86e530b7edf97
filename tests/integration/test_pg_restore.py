# SPDX-License-Identifier: GPL-3.0-or-later
"""A database restored beside the one in use, put in its place while users look, and taken back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from firebreak_lab import Lab

from .conftest import module, postgres_cluster

DATA, PORT, DUMPS = "/var/lib/postgresql/firebreak-restore", 5506, "/var/backups/firebreak-restore"
BIN = "/usr/lib/postgresql/15/bin"
ODD = 'Odd "na;me" 100%'
QUOTED = '"' + ODD.replace('"', '""') + '"'
PLACES: dict[str, dict[str, Any]] = {
    "psql": {"socket": "/var/run/postgresql", "port": PORT, "database": ODD},
    "psycopg2": {
        "host": "127.0.0.1",
        "port": PORT,
        "database": ODD,
        "user": "boss",
        "password": "boss' own",
        "application_user": "web",
    },
}
ROLES = r"""
CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'boss'' own';
CREATE ROLE "own er"; CREATE ROLE web LOGIN PASSWORD 'web'; CREATE ROLE leaver;
CREATE DATABASE "Odd ""na;me"" 100%" OWNER "own er" CONNECTION LIMIT 17;
REVOKE ALL ON DATABASE "Odd ""na;me"" 100%" FROM PUBLIC;
GRANT CONNECT ON DATABASE "Odd ""na;me"" 100%" TO web WITH GRANT OPTION;
COMMENT ON DATABASE "Odd ""na;me"" 100%" IS 'it''s "x" \ y';
ALTER DATABASE "Odd ""na;me"" 100%" SET search_path TO "$user", "odd, sch""ema", public;
ALTER DATABASE "Odd ""na;me"" 100%" SET foo.bar TO 'it''s \ %';
ALTER ROLE web IN DATABASE "Odd ""na;me"" 100%" SET statement_timeout TO '3s';
"""
CONTENT = r"""
CREATE SCHEMA "odd, sch""ema" AUTHORIZATION "own er";
CREATE EXTENSION amcheck;
CREATE TABLE "odd, sch""ema"."Ta.ble (x) FROM stdin;" (id int PRIMARY KEY, t text);
INSERT INTO "odd, sch""ema"."Ta.ble (x) FROM stdin;"
  SELECT n, E'a\nb\\.\n\\connect x' FROM generate_series(1, 1000) n;
CREATE TABLE public.parts (id int) PARTITION BY RANGE (id);
CREATE TABLE public.parts1 PARTITION OF public.parts FOR VALUES FROM (0) TO (100);
INSERT INTO public.parts SELECT generate_series(1, 50);
CREATE TABLE public.left_by (id int); ALTER TABLE public.left_by OWNER TO leaver;
"""
# What a database has beside its content.
ABOUT = """
SELECT datname, pg_get_userbyid(datdba) AS owner, datacl::text[] AS acl, datconnlimit, datallowconn,
  shobj_description(d.oid, 'pg_database') AS said,
  (SELECT json_agg(json_build_array(setrole::regrole, s) ORDER BY setrole, s)
   FROM pg_db_role_setting, unnest(setconfig) s
   WHERE setdatabase = d.oid AND s NOT LIKE 'firebreak.restore=%') AS set
FROM pg_database d WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY datname
"""
REFILL = """
TRUNCATE items, events RESTART IDENTITY;
INSERT INTO items (name) SELECT 'item ' || n FROM generate_series(1, 50) AS n;
INSERT INTO events (item_id, note) SELECT 1 + n % 50, md5(n::text) FROM generate_series(1, 5000) AS n;
"""


def statuses(result: Mapping[str, Any]) -> list[str]:
    return [f"{act['action'].rpartition('.')[2]} {act['status']}" for act in result["actions"]]


def ids(result: Mapping[str, Any]) -> list[str]:
    return [finding["id"].replace("postgres.", "") for finding in result["findings"]]


@pytest.fixture
def sql(lab: Lab) -> Callable[..., Any]:
    """Rows as JSON of the cluster that is only for this, or, with `port`, of another one."""

    def ask(query: str, database: str = "postgres", port: int = PORT) -> Any:
        wrapped = (
            f"SELECT coalesce(json_agg(x), '[]') FROM ({query}) x"
            if query.strip().startswith("SELECT")
            else query
        )
        words = ["runuser", "-u", "postgres", "--", "env", f"PGDATABASE={database}"]
        done = lab.run(
            "zekka1", [*words, "psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-p", str(port)], input=wrapped
        ).check(query)
        return json.loads(done.stdout) if wrapped is not query else done.stdout

    return ask


@pytest.fixture
def cluster(lab: Lab, sql: Callable[..., Any]) -> Iterator[None]:
    """With a database of an odd name and a good dump of it."""
    with postgres_cluster(lab, DATA, PORT, ROLES, initdb="--data-checksums"):
        sql(CONTENT, ODD)
        dump = f"PGDATABASE='{ODD}' runuser -u postgres -- pg_dump -p {PORT} -Fc > {DUMPS}/odd.dump"
        lab.run("zekka1", ["bash", "-c", f"mkdir -p {DUMPS}; {dump}"]).check("dumping")
        yield
        lab.run("zekka1", ["rm", "-rf", DUMPS])


@pytest.fixture
def production(pristine: Lab, sql: Callable[..., Any]) -> Iterator[Lab]:
    """The rows of the application are back afterwards, whatever happens: a reset of the lab leaves them."""
    yield pristine
    if sql("SELECT count(*) AS n FROM items", "zekka_production", 5432) != [{"n": 50}]:
        sql(REFILL, "zekka_production", 5432)
    pristine.reset("zekka1")


def items_shown(lab: Lab) -> tuple[str, int]:
    """What a user sees: the status and the number of items."""
    words = ["curl", "-s", "-m", "5", "-w", " %{http_code}", "http://127.0.0.1:3000/"]
    body, _space, status = lab.run("zekka1", words).stdout.rpartition(" ")
    return status, json.loads(body).get("items", -1)


def test_production_is_restored_while_users_look_and_taken_back(
    production: Lab, play: Callable[..., Any], sql: Callable[..., Any]
) -> None:
    sql(REFILL, "zekka_production", 5432)
    dumps = """
    cd /var/backups/zekka; good=zekka_production-20261101T050000Z.dump
    runuser -u postgres -- pg_dump -Fc zekka_production > $good
    head -c 20000 $good > zekka_production-20261101T060000Z.dump
    """
    production.run("zekka1", ["bash", "-ec", dumps]).check("dumping")
    assert items_shown(production) == ("200", 20)
    sql(
        "DELETE FROM events; DELETE FROM items; INSERT INTO items (name) VALUES ('new')",
        "zekka_production",
        5432,
    )
    assert items_shown(production) == ("200", 1)
    wanted = {"database": "zekka_production", "swap": True, "max_risk": "destructive"}

    planned = play("restore_database", "--check", limit="zekka1", **wanted).result("zekka1", "pg_restore")
    assert statuses(planned) == [f"{act} planned" for act in ("create", "load", "check", "swap")]
    timid = play("restore_database", limit="zekka1", **{**wanted, "max_risk": "disruptive"})
    assert timid.code != 0 and "max_risk is disruptive" in timid.messages()[0]
    assert items_shown(production) == ("200", 1)

    first = play("restore_database", limit="zekka1", **wanted)
    restored = first.result("zekka1", "pg_restore")
    assert first.code == 0 and restored["verdict"] == "resolved", first.output
    assert restored["plan_digest"] == planned["plan_digest"]
    assert ids(restored) == ["restore.passed_over", "restore.differs", "restore.left_over"]
    assert {"table": "public.items", "backup": 50, "restored": 50, "live": 1} in restored["after"]["tables"]
    assert items_shown(production) == ("200", 20)
    assert sql("SELECT name FROM items", restored["after"]["kept_databases"][0], 5432) == [{"name": "new"}]

    again = play("restore_database", limit="zekka1", **wanted)
    assert again.result("zekka1", "pg_restore")["verdict"] == "not_needed" and again.changed() == 0
    assert "restore.repeated" in ids(again.result("zekka1", "pg_restore"))

    undone = play("undo", limit="zekka1", id=first.result("zekka1", "begin")["run"]["id"])
    assert undone.code == 0, undone.output
    taken_back = statuses(undone.result("zekka1", "undo"))
    # What users wrote to the copy while it was in use is not thrown away.
    assert taken_back[0] == "swap_back done" and set(taken_back[1:]) == {"drop refused"}
    assert items_shown(production) == ("200", 1)

    assert play("restore_database", limit="zekka1", **wanted).code == 0
    assert items_shown(production) == ("200", 20)


@pytest.mark.parametrize("way", sorted(PLACES))
def test_everything_of_a_database_goes_along(
    lab: Lab, cluster: None, sql: Callable[..., Any], way: str
) -> None:
    options = {"database": ODD, "backup": f"{DUMPS}/odd.dump", "postgres": PLACES[way], "services": {}}
    (before,) = sql(ABOUT)
    beside = module("zekka1", "pg_restore", **options)
    assert beside["verdict"] == "resolved", beside
    assert beside["after"]["indexes_read"] == 1
    copy = beside["after"]["side_database"]
    closed = {row["datname"]: row["datconnlimit"] for row in sql(ABOUT)}
    assert closed == {ODD: 17, copy: 0}

    swapped = module("zekka1", "pg_restore", swap=True, max_risk="destructive", **options)
    assert (swapped["verdict"], statuses(swapped)) == ("resolved", ["swap done"]), swapped
    now, kept = sql(ABOUT)
    assert now == before and now["datallowconn"]
    assert kept == {**before, "datname": swapped["after"]["kept_databases"][0]}
    rows = 'SELECT count(*) AS n FROM "odd, sch""ema"."Ta.ble (x) FROM stdin;"'
    assert sql(rows, ODD) == [{"n": 1000}]


def test_what_fails_leaves_everything_as_it_was(lab: Lab, cluster: None, sql: Callable[..., Any]) -> None:
    options = {"database": ODD, "backup": f"{DUMPS}/odd.dump", "postgres": PLACES["psql"], "services": {}}
    wanted = {**options, "swap": True, "max_risk": "destructive"}
    sql("ALTER TABLE left_by OWNER TO web; DROP ROLE leaver", ODD)
    before = sql(ABOUT)
    failed = module("zekka1", "pg_restore", **wanted)
    assert statuses(failed) == ["create done", "load failed", "check refused", "swap refused"]
    assert 'role "leaver" does not exist' in failed["msg"] and "was dropped" in failed["msg"]
    assert sql(ABOUT) == before

    # A session that is never ended: nothing is even begun.
    sql("CREATE ROLE leaver")
    hold = f"setsid bash -c 'sleep 30 | psql -X -p {PORT}' > /dev/null 2>&1 & sleep 0.7"
    tool = ["runuser", "-u", "postgres", "--", "env", f"PGDATABASE={ODD}", "PGAPPNAME=pg_dump"]
    lab.run("zekka1", [*tool, "bash", "-c", hold])
    refused = module("zekka1", "pg_restore", **wanted)
    assert set(statuses(refused)) == {"create refused", "load refused", "check refused", "swap refused"}
    assert "it is pg_dump" in refused["msg"] and sql(ABOUT) == before
    sql("SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE application_name = 'pg_dump'")

    # It fails with nobody in it any more: a setting that no session takes any longer.
    sql(f"ALTER DATABASE {QUOTED} SET plpgsql.nope TO 1")
    stuck = module("zekka1", "pg_restore", **wanted)
    assert statuses(stuck) == ["create done", "load done", "check done", "swap failed"]
    sql(f"ALTER DATABASE {QUOTED} RESET plpgsql.nope")
    now = {row["datname"]: row for row in sql(ABOUT)}
    assert now.pop(stuck["after"]["side_database"]) and list(now.values()) == before
    assert module("zekka1", "pg_restore", **wanted)["verdict"] == "resolved"
    before = sql(ABOUT)

    # A script that would leave the copy.
    script = f"PGDATABASE='{ODD}' runuser -u postgres -- pg_dump -p {PORT} --create --clean > {DUMPS}/odd.sql"
    lab.run("zekka1", ["bash", "-c", script]).check("dumping")
    beyond = module("zekka1", "pg_restore", **{**wanted, "backup": f"{DUMPS}/odd.sql"})
    assert "DROP DATABASE" in beyond["msg"] and sql(ABOUT) == before


def test_a_hostile_script_starts_nothing_here(lab: Lab, cluster: None, sql: Callable[..., Any]) -> None:
    before = sql(ABOUT)
    script = f"""
    cd {DUMPS}; rm -f /tmp/firebreak-was-here
    PGDATABASE='{ODD}' runuser -u postgres -- pg_dump -p {PORT} > sound.sql
    {{ grep -v '^.unrestrict' sound.sql; cat; }} | gzip > hostile.sql.gz
    PGDATABASE='{ODD}' runuser -u postgres -- pg_dump -p {PORT} --schema-only -Fc > schema.dump
    """
    tail = r"""
    SELECT 1 \! touch /tmp/firebreak-was-here
    \unrestrict x
    \echo `touch /tmp/firebreak-was-here`
-- PostgreSQL database dump complete
"""
    lab.run("zekka1", ["bash", "-ec", script], input=tail).check("dumping")
    options = {"database": ODD, "postgres": PLACES["psql"], "services": {}}
    hostile = module("zekka1", "pg_restore", backup=f"{DUMPS}/hostile.sql.gz", **options)
    assert statuses(hostile) == ["create done", "load failed", "check refused"]
    assert "restricted" in hostile["msg"] and "was dropped" in hostile["msg"] and sql(ABOUT) == before
    lab.run("zekka1", ["test", "!", "-e", "/tmp/firebreak-was-here"]).check("it ran")

    half = module("zekka1", "pg_restore", backup=f"{DUMPS}/schema.dump", **options)
    assert "--schema-only" in half["msg"] and sql(ABOUT) == before
    sound = module("zekka1", "pg_restore", backup=f"{DUMPS}/sound.sql", **options)
    assert sound["verdict"] == "resolved", sound


def test_the_application_s_superuser_is_put_onto_the_copy_and_back(
    lab: Lab, play: Callable[..., Any]
) -> None:
    def inside(query: str) -> str:
        words = ["docker", "exec", "-i", "matrixon-postgres", "psql", "-qXAt", "-U", "matrixon"]
        return lab.run("matrixon1", words, input=query).check(query).stdout.strip()

    wanted = {"limit": "matrixon1", "database": "matrixon"}
    counted = "SELECT (SELECT count(*) FROM items), (SELECT count(*) FROM events)"
    try:
        before = inside(counted)
        assert play("backup_database", limit="matrixon1", max_age=0).code == 0
        inside("INSERT INTO items (name) VALUES ('new')")
        later = inside(counted)
        assert later != before
        first = play("restore_database", swap=True, max_risk="destructive", **wanted)
        restored = first.result("matrixon1", "pg_restore")
        assert first.code == 0 and restored["verdict"] == "resolved", first.output
        assert inside(counted) == before

        undone = play("undo", limit="matrixon1", id=first.result("matrixon1", "begin")["run"]["id"])
        assert undone.code == 0 and statuses(undone.result("matrixon1", "undo"))[0] == "swap_back done"
        assert inside(counted) == later
    finally:
        inside("DELETE FROM items WHERE name = 'new'")
        lab.reset("matrixon1")


def test_damage_is_found_and_named(lab: Lab, cluster: None, sql: Callable[..., Any]) -> None:
    options = {"database": ODD, "backup": f"{DUMPS}/odd.dump", "postgres": PLACES["psql"], "services": {}}
    sound = module("zekka1", "pg_restore_info", deep=True, **options)
    assert ids(sound) == [] and sound["reading"]["read"] == sound["reading"]["total"] > 100, sound
    sql(
        "CREATE TABLE public.spoilt AS SELECT md5(n::text) AS t FROM generate_series(1, 5000) n; CHECKPOINT",
        ODD,
    )
    (place,) = sql("SELECT pg_relation_filepath('public.spoilt') AS path", ODD)
    spoil = f"""
    as="runuser -u postgres --"; cd /
    $as {BIN}/pg_ctl -s -w -D {DATA} -m fast stop
    printf 'damage' | dd of={DATA}/{place["path"]} bs=1 seek=$((8192 * 3 + 4000)) conv=notrunc status=none
    $as {BIN}/pg_ctl -s -w -D {DATA} -l {DATA}/log -o "-p {PORT} -k /var/run/postgresql -c fsync=off" start
    """
    lab.run("zekka1", ["bash", "-ec", spoil]).check("spoiling a page")
    found = module("zekka1", "pg_restore_info", deep=True, **options)
    assert ids(found) == ["data.corrupt"] and list(found["reading"]["damaged"]) == ["public.spoilt"]
    assert found["findings"][0]["remedy"]["playbook"] == "restore_database"
    counted = module("zekka1", "pg_restore_info", **options)
    assert counted["checksum_failures"] > 0 and ids(counted) == ["data.corrupt"]
