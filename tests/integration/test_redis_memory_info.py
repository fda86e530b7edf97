# SPDX-License-Identifier: GPL-3.0-or-later
"""Why the memory of a server is full, said of servers that are full, shut, half closed or odd for real."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from firebreak_lab import Lab

from .conftest import module

HOST, HOME = "zekka1", "/run/redis-info"
PASSWORD = "Memory-of-a-goldfish-7"
START = """
home=%(home)s/$1; mkdir -p $home; chmod 711 $home; cd $home; port=$1; shift
redis-server --port $port --save "" --dir $home --pidfile $home/pid --daemonize yes --loglevel warning \
  --enable-debug-command yes "$@" > /dev/null
for _ in $(seq 100); do redis-cli -p $port PING > /dev/null 2>&1 && exit 0; sleep 0.05; done; exit 1
"""
STOP = "for file in %(home)s/*/pid; do kill -9 $(cat $file); done 2> /dev/null; rm -rf %(home)s"
CERTIFICATE = """
openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out crt -days 2 -subj "/CN=Redis of a test" \
  -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2> /dev/null; cat crt key > both.pem
"""
# Reads nothing of what it asks for, or writes for ever.
ACTOR = """
import socket, sys, time
port, mode = int(sys.argv[1]), sys.argv[2]
channel = socket.create_connection(("127.0.0.1", port))
if mode == "deaf":
    channel.sendall(b"CLIENT SETNAME deaf\\r\\n" + b"GET big\\r\\n" * 40)
    time.sleep(60)
while True:
    channel.sendall(b"SET more 1\\r\\n")
    channel.recv(100)
    time.sleep(0.002)
"""


class Servers:
    """Redis servers of their own on the host."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def start(self, port: int, *words: str) -> None:
        script = START % {"home": HOME}
        self._lab.run(HOST, ["bash", "-c", script, "start", str(port), *words]).check("starting a server")

    def ask(self, port: int, *words: str) -> str:
        done = self._lab.run(HOST, ["redis-cli", "-e", "-p", str(port), *words])
        return done.check("redis-cli").stdout.strip()

    def fill(self, port: int, lua: str) -> None:
        self.ask(port, "EVAL", lua, "0")

    def act(self, port: int, mode: str) -> None:
        """In the background until the servers are stopped."""
        self._lab.run(HOST, ["tee", f"{HOME}/actor.py"], input=ACTOR)
        home = f"{HOME}/actor-{mode}"
        words = f"mkdir -p {home}; python3 {HOME}/actor.py {port} {mode} & echo $! > {home}/pid"
        self._lab.run(HOST, ["bash", "-c", f"{words}; disown"])


@pytest.fixture(scope="module")
def servers(lab: Lab) -> Iterator[Servers]:
    stop = ["bash", "-c", STOP % {"home": HOME}]
    lab.run(HOST, stop)
    try:
        yield Servers(lab)
    finally:
        lab.run(HOST, stop)


def look(port: int, *words: str, redis: Mapping[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    return module(HOST, "redis_memory_info", "-b", *words, redis={"port": port, **(redis or {})}, **options)


def findings(found: Mapping[str, Any]) -> dict[str, Any]:
    assert not found["failed"], found
    return {finding["id"]: finding for finding in found["findings"]}


FILL = """
for i = 1, 30000 do
  redis.call('SET', 'session:' .. redis.sha1hex(i), string.rep('x', 300))
  if i % 50 == 0 then redis.call('EXPIRE', 'session:' .. redis.sha1hex(i), 3600) end
end
for i = 1, 3000 do redis.call('SET', 'cache:page:' .. i, string.rep('y', 600), 'EX', 600) end
"""


def test_a_full_server_says_what_fills_it_and_how_many_writes_it_refuses(servers: Servers) -> None:
    servers.start(6401)
    servers.fill(6401, FILL)
    servers.ask(6401, "CONFIG", "SET", "maxmemory", "10mb")
    servers.act(6401, "writer")
    found = look(6401, redis={"caches": ["cache:*"]}, sample_keys=3000)
    named = findings(found)
    full, growth, forgotten = (named[f"redis.memory.{name}"] for name in ("full", "growth", "no_ttl"))
    assert full["level"] == "critical"
    assert found["now"]["writes_refused"] > 50
    assert found["now"]["seconds"] >= 1
    assert full["remedy"]["playbook"] == "fix_redis_memory"
    sample = found["sample"]
    assert (sample["complete"], sample["total"], 3000 <= sample["keys"] < 3500) == (False, 33000, True)
    first = sample["patterns"][0]
    assert first["pattern"] == "session:*"
    assert abs(first["keys"] - 30000) < 1500
    assert abs(first["without_ttl"] - 98) < 1.5
    assert forgotten["level"] == "warning"
    assert forgotten["remedy"]["inputs"]["pattern"] == "session:*"
    assert growth["remedy"]["inputs"] == {"levers": ["unlink"], "pattern": "cache:*", "database": 0}
    assert "session:" not in {key["name"][:8] for key in sample["biggest"]} - {"session:*"}


def test_a_pattern_is_looked_through_the_whole_database_for(servers: Servers) -> None:
    found = look(6401, pattern="cache:*", database=0)
    sample = found["sample"]
    assert (sample["complete"], sample["keys"], sample["matching"]) == (True, 3000, 3000)
    assert look(6401, database=7)["sample"]["keys"] == 0


def test_triage_says_the_same_of_the_same_server(servers: Servers) -> None:
    triage = module(HOST, "triage_info", "-b", redis={"port": 6401}, sections=["redis"])
    assert "redis.memory.full" in {finding["id"] for finding in triage["findings"]}


def test_a_client_that_reads_nothing_is_found(servers: Servers) -> None:
    servers.start(6402, "--maxmemory", "60mb")
    servers.fill(6402, "redis.call('SET', 'big', string.rep('x', 1000000))")
    servers.act(6402, "deaf")
    found = findings(look(6402))
    clients = found["redis.memory.clients"]
    assert "deaf" in clients["summary"]
    assert clients["evidence"]["biggest"][0]["bytes"] > 30_000_000


def test_without_the_right_password_nothing_is_said_but_that(servers: Servers) -> None:
    servers.start(6403)
    servers.ask(6403, "CONFIG", "SET", "requirepass", PASSWORD)
    for redis in ({}, {"password": "wrong"}):
        found = look(6403, redis=redis)
        assert found["failed"]
        assert "firebreak_redis" in found["msg"]
        assert ("NOAUTH" if not redis else "WRONGPASS") in found["msg"]


def test_the_password_is_in_no_process_and_no_output(lab: Lab, servers: Servers) -> None:
    lab.run(HOST, ["tee", f"{HOME}/words"], input=PASSWORD)
    watch = f"for _ in $(seq 400); do grep -slaFf {HOME}/words /proc/[0-9]*/cmdline; sleep 0.01; done"
    lab.run(HOST, ["bash", "-c", f"({watch}) > {HOME}/seen 2> /dev/null & disown"])
    seen = look(6403, "-vvv", redis={"password": PASSWORD})
    assert not seen["failed"]
    assert PASSWORD not in json.dumps(seen)
    assert set(lab.run(HOST, ["cat", f"{HOME}/seen"]).stdout.split()) == set()


def test_what_a_user_may_not_see_is_said(servers: Servers) -> None:
    servers.start(6404)
    narrow = ("on", ">pass", "~cache:*", "+info", "+scan", "+type", "+select", "+ping")
    servers.ask(6404, "ACL", "SETUSER", "narrow", *narrow)
    servers.ask(6404, "ACL", "SETUSER", "blind", "on", ">pass", "~*", "+ping")
    servers.fill(6404, "redis.call('SET', 'cache:1', 'x') redis.call('SET', 'other:1', 'x')")
    found = look(6404, redis={"user": "narrow", "password": "pass"})
    unseen = findings(found)["redis.memory.unseen"]["summary"]
    assert "MEMORY USAGE" in unseen
    assert "CLIENT LIST" in unseen
    assert "settings" in unseen
    assert (found["sample"]["keys"], found["sample"]["bytes"]) == (2, None)
    assert found["settings_refused"].startswith("NOPERM")
    blind = look(6404, redis={"user": "blind", "password": "pass"})
    assert blind["failed"]
    assert "NOPERM" in blind["msg"]
    assert "more rights" in blind["msg"]


def test_a_managed_server_without_config_is_measured_all_the_same(servers: Servers) -> None:
    servers.start(6405, "--rename-command", "CONFIG", "", "--maxmemory", "10mb")
    found = look(6405)
    assert "unknown command" in found["settings_refused"]
    assert found["memory"]["limit"] == 10 * 1024**2
    assert found["settings"]["maxmemory"] is None
    assert found["server"]["config_file"] is None
    assert (found["sample"]["keys"], found["sample"]["complete"]) == (0, True)


def test_every_database_and_any_name_is_measured(servers: Servers) -> None:
    servers.start(6406, "--maxmemory", "400mb")
    servers.fill(
        6406,
        "for db = 0, 15 do redis.call('SELECT', db) redis.call('SET', 'app:' .. db, 'x') end "
        "redis.call('SELECT', 3) redis.call('SET', 'bin:\\255\\1\\n', 'x') "
        "redis.call('SET', 'a[b]*:' .. '9', 'x') "
        "redis.call('SELECT', 0) local v = string.rep('z', 100000) "
        "for i = 1, 2000 do redis.call('HSET', 'huge', i, v) end",
    )
    found = look(6406)
    sample = found["sample"]
    assert (sample["keys"], sample["complete"], len(found["keys"])) == (19, True, 16)
    names = {pattern["pattern"] for pattern in sample["patterns"]}
    assert {"bin:*", "a\\[b\\]\\*:*", "app:*", "huge"} <= names
    assert sample["biggest"][0]["name"] == "huge"
    assert sample["biggest"][0]["bytes"] > 150_000_000
    assert sample["seconds"] < 1
    assert "redis.memory.big_key" in findings(found)


def test_a_replica_gets_no_orders(servers: Servers) -> None:
    servers.start(6407, "--replicaof", "127.0.0.1", "6401", "--maxmemory", "1mb")
    while "master_link_status:up" not in servers.ask(6407, "INFO", "replication"):
        time.sleep(0.1)
    found = look(6407)
    named = findings(found)
    assert found["server"]["role"] == "slave"
    assert "redis.memory.full" not in named
    assert "master" in named["redis.memory.high"]["summary"]
    assert [finding["remedy"] for finding in found["findings"]] == [None] * len(found["findings"])
    assert "replica" in look(6401)["clients"]


def test_a_node_of_a_cluster_says_so_and_is_sampled_at_random(servers: Servers) -> None:
    servers.start(6408, "--cluster-enabled", "yes")
    servers.ask(6408, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    while "cluster_state:ok" not in servers.ask(6408, "CLUSTER", "INFO"):
        time.sleep(0.1)
    # A tag puts keys into one slot, and SCAN would find nothing else for a while.
    for tag, name in (("{a}", "user"), ("{b}", "cart"), ("{c}", "page")):
        lua = "for i = 1, 3000 do redis.call('SET', KEYS[1] .. ':' .. ARGV[1] .. ':' .. i, 'x') end"
        servers.ask(6408, "EVAL", lua, "1", tag, name)
    found = look(6408, sample_keys=600)
    assert found["server"]["cluster"] is True
    shares = {pattern["pattern"]: pattern["keys"] for pattern in found["sample"]["patterns"]}
    assert set(shares) == {"{a}:user:*", "{b}:cart:*", "{c}:page:*"}
    assert all(2300 < keys < 3700 for keys in shares.values())


def test_a_limit_around_the_process_is_its_machine(lab: Lab) -> None:
    unit = ["systemd-run", "-q", "--collect", "--unit", "redis-info", "-p", "MemoryMax=300M"]
    lab.run(
        HOST, [*unit, "redis-server", "--port", "6409", "--save", "", "--dir", HOME, "--maxmemory", "1gb"]
    )
    try:
        found = look(6409)
        while found["failed"]:
            found = look(6409)
    finally:
        lab.run(HOST, ["systemctl", "stop", "redis-info"])
    assert found["room"]["limit"] == 300 * 1024**2
    assert "300.0 MiB" in findings(found)["redis.memory.overcommitted"]["summary"]


def test_a_server_with_tls_is_believed_only_when_its_certificate_is(lab: Lab, servers: Servers) -> None:
    lab.run(HOST, ["bash", "-c", f"mkdir -p {HOME}/6409; cd {HOME}/6409; {CERTIFICATE}"]).check(
        "a certificate"
    )
    tls = [
        word for name in ("cert-file", "key-file", "ca-cert-file") for word in (f"--tls-{name}", "both.pem")
    ]
    servers.start(6409, *tls, "--tls-port", "6410", "--tls-auth-clients", "no")
    found = look(6410, redis={"tls": True})
    assert "CERTIFICATE_VERIFY_FAILED" in found["msg"]
    assert "whom this host trusts" in found["msg"]
    trust = f"/etc/ssl/certs/$(openssl x509 -hash -noout -in {HOME}/6409/both.pem).0"
    lab.run(HOST, ["bash", "-c", f"ln -s {HOME}/6409/both.pem {trust}"]).check("trusting it")
    try:
        trusted = look(6410, redis={"tls": True})
    finally:
        lab.run(HOST, ["bash", "-c", f"rm {trust}"])
    assert not trusted["failed"], trusted["msg"]
    assert "TLS" in look(6410)["msg"]
    servers.ask(6409, "SHUTDOWN", "NOSAVE")


def test_a_server_that_loads_says_so(servers: Servers) -> None:
    slow = ["--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024"]
    servers.start(6409)
    servers.fill(6409, "for i = 1, 20000 do redis.call('SET', 'session:' .. i, 'x') end")
    servers.ask(6409, "SAVE")
    servers.ask(6409, "SHUTDOWN", "NOSAVE")
    servers.start(6409, *slow)
    found = look(6409)
    assert (found["server"]["loading"], found["sample"]) == (True, None)
    assert list(findings(found)) == ["redis.server.loading"]
    servers.ask(6409, "SHUTDOWN", "NOSAVE", "NOW", "FORCE")


def test_a_server_behind_a_socket_and_one_in_a_container(servers: Servers) -> None:
    path = f"{HOME}/6409/here.sock"
    servers.start(6409, "--unixsocket", path)
    found = module(HOST, "redis_memory_info", "-b", redis={"socket": path})
    assert found["server"]["address"] == path
    assert found["room"]["host"] > 0
    container = module("matrixon1", "redis_memory_info", "-b", redis={"service": "redis"})
    assert "container" in container["server"]["subject"]
    assert container["room"]["host"] > 0
