# SPDX-License-Identifier: GPL-3.0-or-later
"""A full Redis takes writes again without a session lost, and a pattern goes while others hardly notice."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from firebreak_lab import Lab

from .conftest import module

HOST, PORT, OTHER = "zekka1", 6411, 6412
# Of 4 MiB that were filled: who fills it has buffers, and what they leave has room for another session.
FULL = 4_000_000
SECRET = "export REDISCLI_AUTH=$(sed -n 's/^requirepass //p' /etc/redis/redis.conf | tr -d '\"')"
REDIS = f"{SECRET}; redis-cli"
CONF = "/etc/redis/redis.conf"
# argv: port, how many, prefix, seconds to live or 0. Prints how many were taken.
FILL = """
import os, redis, sys
port, count, prefix, seconds = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
store = redis.Redis(port=port, password=os.environ.get("REDISCLI_AUTH") or None)
taken = 0
for start in range(0, count, 1000):
    pipe = store.pipeline(transaction=False)
    for number in range(start, min(count, start + 1000)):
        pipe.set(f"{prefix}{number:032x}", '{"visits": 1}', ex=seconds or None)
    taken += sum(answer is True for answer in pipe.execute(raise_on_error=False))
print(taken)
"""
# Another client of the same server: a GET every two milliseconds until its standard input ends.
CLIENT = """
import json, redis, select, sys, time
store, took = redis.Redis(port=int(sys.argv[1])), []
store.set("other:client", "x" * 64)
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0.002)[0]:
    began = time.perf_counter()
    store.get("other:client")
    took.append((time.perf_counter() - began) * 1000)
took.sort()
print(json.dumps({"gets": len(took), "p50": took[len(took) // 2], "p99": took[len(took) * 99 // 100],
                  "max": took[-1]}))
"""


class Server:
    """A Redis of the test's own on zekka1."""

    def __init__(self, lab: Lab, port: int) -> None:
        self.lab, self.port = lab, port

    def start(self, *options: str) -> None:
        # What other tests did to a server at this address says nothing about this one.
        self.lab.run(HOST, ["sed", "-i", f"/127.0.0.1:{self.port}/d", "/var/lib/firebreak/ledger.jsonl"])
        self.lab.run(HOST, ["mkdir", "-p", f"/run/redis-{self.port}"])
        command = ["redis-server", "--port", str(self.port), "--dir", f"/run/redis-{self.port}"]
        self.lab.run(HOST, [*command, "--save", "", "--daemonize", "yes", *options]).check("starting redis")
        end = time.monotonic() + 5
        while "PONG" not in self.cli("PING") + self.cli("AUTH", "none"):
            if "NOAUTH" in self.cli("PING") or time.monotonic() > end:
                return
            time.sleep(0.05)

    def stop(self) -> None:
        script = f"pkill -x -f 'redis-server [^ ]*:{self.port}.*'; rm -rf /run/redis-{self.port}"
        self.lab.run(HOST, ["bash", "-c", script])

    def cli(self, *words: str) -> str:
        return self.lab.run(HOST, ["redis-cli", "-p", str(self.port), *words]).stdout.strip()

    def fill(self, count: int, prefix: str, seconds: int = 0) -> int:
        argv = ["python3", "-c", FILL, str(self.port), str(count), prefix, str(seconds)]
        return int(self.lab.run(HOST, argv).check("filling").stdout)

    def keys(self, pattern: str) -> set[str]:
        return set(self.cli("--scan", "--pattern", pattern).split())


@pytest.fixture
def server(lab: Lab) -> Iterator[Server]:
    server = Server(lab, PORT)
    server.stop()
    yield server
    server.stop()


@pytest.fixture
def other(lab: Lab) -> Iterator[Server]:
    server = Server(lab, OTHER)
    server.stop()
    yield server
    server.stop()


def shell(lab: Lab, host: str, script: str) -> str:
    return lab.run(host, ["bash", "-c", script]).check(script).stdout.strip()


def status(lab: Lab, url: str, cookie: str = "") -> tuple[int, str]:
    """What a user on client1 gets."""
    words = ["curl", "-sk", "-m", "10", "-w", "\n%{http_code}", "-b", cookie, url]
    body, _newline, code = lab.run("client1", words).stdout.rpartition("\n")
    return int(code), body


def fix(server: Mapping[str, Any], *words: str, **options: Any) -> dict[str, Any]:
    return module(HOST, "redis_memory", *words, redis={"port": PORT, **server}, **options)


def statuses(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(act["action"], act["status"]) for act in result["actions"]]


def ids(result: Mapping[str, Any]) -> set[str]:
    return {finding["id"] for finding in result["findings"]}


@pytest.fixture
def full_store(pristine: Lab) -> Iterator[Lab]:
    """zekka1 with 4 MiB full of sessions; its configuration is put back afterwards."""
    shell(pristine, HOST, f"cp -a {CONF} /run/redis.conf.was; {REDIS} CONFIG SET maxmemory 4mb > /dev/null")
    yield pristine
    shell(pristine, HOST, f"cat /run/redis.conf.was > {CONF}; rm /run/redis.conf.was")
    pristine.reset(HOST)


def test_a_store_full_of_sessions_takes_writes_again_and_keeps_every_one(
    full_store: Lab, play: Callable[..., Any]
) -> None:
    lab, url = full_store, "https://172.29.77.11/"
    cookie = f"sid={secrets.token_hex(16)}"
    assert json.loads(status(lab, url, cookie)[1])["visits"] == 1
    filled = shell(lab, HOST, f"{SECRET}; python3 -c '{_quoted(FILL)}' 6379 60000 session: 900")
    assert 0 < int(filled) < 60000
    shell(lab, HOST, f"{REDIS} CONFIG SET maxmemory {FULL}")
    assert status(lab, url, cookie)[0] == 503
    scan = f"{REDIS} --scan --pattern 'session:*' | sort"
    sessions = set(shell(lab, HOST, scan).split())
    limit = shell(lab, HOST, f"{REDIS} CONFIG GET maxmemory")
    written = shell(lab, HOST, f"sha256sum {CONF}")

    planned = play("fix_redis_memory", "--check", limit=HOST)
    assert planned.code == 0, planned.output
    assert planned.result(HOST, "redis_memory")["verdict"] == "planned"
    assert planned.result(HOST, "redis_memory")["after"]["probe"] is None
    assert shell(lab, HOST, f"{REDIS} CONFIG GET maxmemory") == limit
    assert shell(lab, HOST, f"sha256sum {CONF}") == written

    done = play("fix_redis_memory", limit=HOST, incident="INC-redis")
    assert done.code == 0, done.output
    result = done.result(HOST, "redis_memory")
    assert (result["verdict"], result["after"]["probe"]) == ("resolved", "ok")
    assert result["before"]["used_percent"] > 99 and result["after"]["used_percent"] < 85
    assert statuses(result) == [("redis.maxmemory", "done"), ("redis.persist", "done")]
    code, body = status(lab, url, cookie)
    assert (code, json.loads(body)["visits"]) == (200, 2)
    assert sessions <= set(shell(lab, HOST, scan).split())
    assert f"maxmemory {result['after']['limit']}" in shell(lab, HOST, f"grep ^maxmemory {CONF}")
    assert "critical" not in {each["level"] for each in done.result(HOST, "triage_info")["findings"]}

    again = play("fix_redis_memory", limit=HOST)
    assert (again.code, again.changed()) == (0, 0), again.output
    assert again.result(HOST, "redis_memory")["verdict"] == "not_needed"


def test_undo_puts_the_limit_back_in_the_server_and_in_its_file(
    full_store: Lab, play: Callable[..., Any]
) -> None:
    lab = full_store
    fill = f"{SECRET}; python3 -c '{_quoted(FILL)}' 6379 60000 session: 900"
    shell(lab, HOST, fill)
    done = play("fix_redis_memory", limit=HOST, incident="INC-redis")
    assert done.code == 0, done.output
    shell(lab, HOST, fill)
    refused = play("undo", limit=HOST, id="INC-redis")
    assert "Free memory first" in " ".join(refused.messages()), refused.output
    shell(lab, HOST, f"{REDIS} FLUSHALL")
    undone = play("undo", limit=HOST, id="INC-redis")
    assert undone.code == 0, undone.output
    assert shell(lab, HOST, f"{REDIS} CONFIG GET maxmemory").split()[1] == str(4 << 20)
    assert "maxmemory 4mb" in shell(lab, HOST, f"grep ^maxmemory {CONF}")


def _quoted(script: str) -> str:
    return script.replace("'", "'\\''")


def test_a_store_in_a_container_is_raised_and_it_is_said_that_a_restart_forgets_it(
    pristine: Lab, play: Callable[..., Any]
) -> None:
    lab, host, url = pristine, "matrixon1", "http://172.29.77.12/_matrix/client/versions"
    redis = "docker exec -i matrixon-redis redis-cli"
    shell(lab, host, f"{redis} CONFIG SET maxmemory 4mb")
    words = "".join(f'SET session:{number:032x} "{{}}" EX 900\n' for number in range(40000))
    lab.run(host, ["bash", "-c", f"{redis} > /dev/null"], input=words).check("filling")
    shell(lab, host, f"{redis} CONFIG SET maxmemory {FULL}")
    assert status(lab, url)[0] == 503
    sessions = shell(lab, host, f"{redis} --scan --pattern 'session:*' | sort")
    done = play("fix_redis_memory", limit=host)
    assert done.code == 0, done.output
    result = done.result(host, "redis_memory")
    assert (result["verdict"], statuses(result)) == ("resolved", [("redis.maxmemory", "done")])
    (unsaved,) = [each for each in result["findings"] if each["id"] == "redis.maxmemory.unsaved"]
    assert "in the command of its compose file" in unsaved["summary"]
    assert status(lab, url)[0] == 200
    now = shell(lab, host, f"{redis} --scan --pattern 'session:*' | sort")
    assert set(sessions.split()) <= set(now.split())
    again = play("fix_redis_memory", limit=host)
    assert (again.code, again.changed()) == (0, 0), again.output
    lab.reset(host)


def test_a_million_keys_go_while_other_clients_hardly_notice(lab: Lab, server: Server) -> None:
    server.start("--enable-debug-command", "local", "--maxmemory", "160mb")
    server.cli("DEBUG", "POPULATE", "1000000", "cache", "50")
    server.fill(2000, "session:", 900)
    sessions = server.keys("session:*")
    cache = {"caches": ["cache:*"]}
    options: dict[str, Any] = {"levers": ["unlink"], "pattern": "cache:*", "max_risk": "disruptive"}
    looked = fix(cache, "--check", **options)
    assert looked["before"]["matching"] == pytest.approx(1_000_000, rel=0.05)
    assert server.cli("DBSIZE") == "1002000"
    unit = ["systemd-run", "-q", "--pipe", "--wait", "python3", "-c", CLIENT, str(PORT)]
    container = ["docker", "exec", "-i", lab.container(HOST).name, *unit]
    with subprocess.Popen(container, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin is not None and client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        result = fix(cache, **options)
        client.stdin.write("\n")
        client.stdin.close()
        felt = json.loads(client.stdout.read())
    print(f"1,000,000 keys in {result['after']['work']['seconds']} s; another client's GET in ms: {felt}")
    assert (result["verdict"], result["after"]["work"]["keys"]) == ("resolved", 1_000_000)
    assert server.keys("*") == sessions | {"other:client"}
    assert felt["gets"] > 500 and felt["p99"] < 25, felt
    again = fix(cache, **options)
    assert (again["verdict"], again["changed"]) == ("not_needed", False)


def test_keys_that_are_no_cache_go_with_leave_only_and_others_never(server: Server) -> None:
    server.start()
    server.fill(300, "session:", 900)
    server.fill(300, "cache:")
    before = server.keys("*")
    held = fix({"caches": ["cache:*"]}, levers=["unlink"], pattern="session:*", max_risk="disruptive")
    assert held["failed"] and "which is destructive" in held["msg"]
    unsure = fix({"caches": ["cache:*"]}, levers=["evict"], policy="allkeys-lru", max_risk="disruptive")
    assert "no declared cache: session:*" in unsure["msg"]
    assert server.keys("*") == before
    some = fix({}, levers=["unlink"], pattern="session:*", max_keys=100, max_risk="destructive")
    assert (some["verdict"], some["after"]["work"]["keys"]) == ("improved", 100)
    assert len(server.keys("session:*")) == 200
    flushed = fix({}, levers=["flush"], database=0, max_risk="destructive")
    assert "all of its 500 keys" in flushed["actions"][0]["reason"]
    assert (flushed["verdict"], server.cli("DBSIZE")) == ("resolved", "0")


def _answers(
    server: Server, options: Sequence[str], access: Mapping[str, Any], **levers: Any
) -> dict[str, Any]:
    """Of a full server that was started like this."""
    server.start("--maxmemory", "3mb", *options)
    return fix(access, **levers)


def test_a_server_that_wants_a_password_is_not_called_healthy(server: Server) -> None:
    result = _answers(server, ["--requirepass", "secret"], {})
    assert result["failed"]
    assert "NOAUTH" in result["msg"] and "firebreak_redis" in result["msg"]


def test_on_a_replica_nothing_is_changed_and_its_master_is_named(server: Server, other: Server) -> None:
    other.start("--repl-diskless-sync-delay", "0")
    other.fill(100, "cache:")
    server.start("--replicaof", "127.0.0.1", str(OTHER))
    end = time.monotonic() + 10
    while server.cli("DBSIZE") != "100":
        assert time.monotonic() < end
        time.sleep(0.1)
    result = fix({"caches": ["cache:*"]}, levers=["unlink"], pattern="cache:*", max_risk="disruptive")
    assert (
        f"a replica, and what is changed here is not changed for its master 127.0.0.1:{OTHER}"
        in result["msg"]
    )
    assert (server.cli("DBSIZE"), other.cli("DBSIZE")) == ("100", "100")


@pytest.mark.parametrize("way", ["renamed", "acl"])
def test_a_managed_server_gives_up_keys_and_the_rest_is_for_its_console(server: Server, way: str) -> None:
    options = ["--rename-command", "CONFIG", ""] if way == "renamed" else []
    server.start("--maxmemory", "3mb", *options)
    access: dict[str, Any] = {"caches": ["cache:*"]}
    if way == "acl":
        server.cli("ACL", "SETUSER", "ops", "on", ">secret", "~*", "+@all", "-config")
        access.update(user="ops", password="secret")
    assert server.fill(40000, "cache:") < 40000
    result = fix(access)
    assert result["failed"]
    assert "refuses CONFIG" in result["msg"] and "parameter group" in result["msg"]
    freed = fix(access, levers=["raise", "unlink"], pattern="cache:*", max_risk="disruptive")
    assert set(statuses(freed)) == {("redis.maxmemory", "refused"), ("redis.unlink", "done")}
    assert (freed["after"]["probe"], server.cli("DBSIZE")) == ("ok", "0")


def test_a_node_of_a_cluster_does_what_concerns_it_and_says_so(server: Server) -> None:
    server.start("--cluster-enabled", "yes", "--maxmemory", "4mb")
    server.cli("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    end = time.monotonic() + 10
    while "cluster_state:ok" not in server.cli("CLUSTER", "INFO"):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert server.fill(40000, "cache:") < 40000
    raised = fix({}, max_risk="reversible")
    assert (raised["verdict"], statuses(raised)) == ("resolved", [("redis.maxmemory", "done")])
    assert {"redis.cluster.one_node", "redis.maxmemory.unsaved"} <= ids(raised)
    gone = fix({"caches": ["cache:*"]}, levers=["unlink"], pattern="cache:*", max_risk="disruptive")
    assert (gone["verdict"], server.cli("DBSIZE")) == ("resolved", "0")


def test_a_configuration_that_cannot_be_written_is_a_refusal_that_is_seen(lab: Lab, server: Server) -> None:
    # A server of another user than the one that owns its configuration.
    place = f"/run/redis-{PORT}"
    conf = f'port {PORT}\nmaxmemory 3mb\nsave ""\ndaemonize yes\ndir /tmp\n'
    shell(lab, HOST, f"mkdir -p {place}; printf '%s' '{conf}' > {place}/redis.conf")
    shell(
        lab,
        HOST,
        f"setpriv --reuid nobody --clear-groups redis-server {place}/redis.conf > /dev/null; sleep 0.5",
    )
    assert server.fill(40000, "session:", 900) < 40000
    result = fix({})
    assert result["verdict"] == "resolved"
    assert statuses(result) == [("redis.maxmemory", "done"), ("redis.persist", "refused")]
    assert "Permission denied" in result["actions"][1]["reason"]
    assert "redis.maxmemory.unsaved" in ids(result)
