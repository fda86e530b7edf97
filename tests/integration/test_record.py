# SPDX-License-Identifier: GPL-3.0-or-later
"""Many responders record in one incident and send its messages at once, and one is killed in the middle."""

from __future__ import annotations

import multiprocessing
import os
import secrets
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.job import escalate
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.watched import IDEMPOTENCY_KEY
from ansible_collections.firebreak.incident.plugins.plugin_utils.record import engine, store
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import OPENED, Draft
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.store import Store
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.verify import altered
from firebreak_lab import Lab
from firebreak_lab.model import address
from firebreak_lab.receivers import FAIL, TAKE, webhook

from .conftest import postgres_cluster

DATA, PORT = "/var/tmp/record", 5511
INCIDENT = "inc-1"
BEGAN = "2026-11-21T22:00:00.000Z"
# Each begins with an empty database; a fork, since nothing is open when processes are made.
DATABASES = ("busy", "sending", "begun_at_once", "silent", "reading")
FORK = multiprocessing.get_context("fork")

Server = Callable[[str], str]


def draft(key: str, kind: str = "act.done") -> Draft:
    return Draft(key, BEGAN, kind, "ann@control", "db1", {"what": key})


def work(url: str, name: str, count: int) -> None:
    with Store(url) as record:
        for number in range(count):
            record.append(INCIDENT, [draft(f"{name}-{number}")])


def survive(url: str, processes: int, count: int) -> None:
    """All of them at once; one more is killed while it writes, and then repeated from its beginning."""
    with Store(url) as record:
        record.open(INCIDENT, draft("open", OPENED))
    workers = [FORK.Process(target=work, args=(url, f"w{n}", count)) for n in range(processes)]
    victim = FORK.Process(target=work, args=(url, "victim", 100 * count))
    for each in (victim, *workers):
        each.start()
    with Store(url) as record:
        while not any(event.key.startswith("victim") for event in record.events(INCIDENT)):
            assert victim.is_alive(), "it ended before it was killed"
            time.sleep(0.02)
        os.kill(int(victim.pid or 0), signal.SIGKILL)
        for each in (victim, *workers):
            each.join()
        written = sum(event.key.startswith("victim") for event in record.events(INCIDENT))
        work(url, "victim", written + 5)
        recorded = record.recorded(INCIDENT)
        assert [each.exitcode for each in workers] == [0] * processes
        assert list(altered(*recorded)) == []
    events = recorded[0]
    of_each = [[e.key for e in events if e.key.startswith(f"w{n}-")] for n in range(processes)]
    assert of_each == [[f"w{n}-{i}" for i in range(count)] for n in range(processes)]
    assert written > 0
    assert [e.key for e in events if e.key.startswith("victim")] == [
        f"victim-{i}" for i in range(written + 5)
    ]


def send(url: str, state: Path, places: Any, results: Any) -> None:
    """As from cron on another controller: `state` is the home of its outbox."""
    os.environ["XDG_STATE_HOME"] = str(state)
    variables = {
        "firebreak_record": url,
        "firebreak_escalation": {"path": [], "matrix": []},
        "firebreak_audiences": {"incidents": places.get()},
    }
    results.put(escalate(variables, None, state.name, lambda: datetime.fromisoformat(BEGAN), time.sleep))


def send_once(url: str, here: Path, senders: int, places: int) -> None:
    """All of them want to send the same at once; the first that is handed over is refused."""
    opening = {"title": "the shop is down", "severity": "P2"}
    with Store(url) as record:
        record.open(INCIDENT, Draft("open", BEGAN, OPENED, "ann", None, opening))
    given, results = FORK.Queue(), FORK.Queue()
    processes = [
        FORK.Process(target=send, args=(url, here / f"state{number}", given, results))
        for number in range(senders)
    ]
    for each in processes:
        each.start()
    with webhook() as receiver:
        receiver.behaviour = [FAIL, TAKE]
        for _process in processes:
            given.put([f"json://127.0.0.1:{receiver.port}/{place}" for place in range(places)])
        told = [results.get(timeout=60) for _process in processes]
    for each in processes:
        each.join()
    arrived = Counter(each["headers"][IDEMPOTENCY_KEY] for each in receiver.got)
    assert list(arrived.values()) == [1] * places
    assert len(receiver.seen) == places + 1
    sent = [each["place"] for result in told for each in result["messages"] if each["state"] == "sent"]
    assert len(set(sent)) == len(sent) == places
    with Store(url) as record:
        recorded = record.recorded(INCIDENT)
    kinds = Counter(event.kind for event in recorded[0])
    assert (kinds["message.claimed"], kinds["message.sent"]) == (places + 1, places)
    assert list(altered(*recorded)) == []


@pytest.fixture(scope="module")
def server(lab: Lab) -> Iterator[Server]:
    """A PostgreSQL server on zekka1 that the controller may write to, in a mode that fits no record."""
    control, password = address(1, "ipv4"), secrets.token_hex(16)
    script = f"CREATE ROLE ann LOGIN PASSWORD '{password}';"
    script += "ALTER ROLE ann SET default_transaction_isolation = 'serializable';"
    script += "".join(f"CREATE DATABASE {name} OWNER ann;\n" for name in DATABASES)
    open_door = f"""
    echo 'host all all {control}/32 scram-sha-256' >> {DATA}/pg_hba.conf
    runuser -u postgres -- psql -qX -p {PORT} -d postgres -c 'SELECT pg_reload_conf()' > /dev/null
    ufw allow proto tcp from {control} to any port {PORT} > /dev/null
    """
    with postgres_cluster(lab, DATA, PORT, script, "-c listen_addresses=* -c synchronous_commit=on"):
        lab.run("zekka1", ["bash", "-ec", open_door]).check("letting the controller in")
        yield f"postgresql://ann:{password}@{address(11, 'ipv4')}:{PORT}/{{}}".format
        lab.run(
            "zekka1",
            ["ufw", "delete", "allow", "proto", "tcp", "from", control, "to", "any", "port", str(PORT)],
        )


def test_with_postgresql_no_event_of_eight_processes_is_lost(server: Server) -> None:
    survive(server("busy"), 8, 1000)


def test_with_sqlite_no_event_of_four_processes_is_lost(tmp_path: Path) -> None:
    survive(f"sqlite:///{tmp_path / 'incidents.db'}", 4, 500)


def test_with_postgresql_each_message_of_six_senders_arrives_once(server: Server, tmp_path: Path) -> None:
    send_once(server("sending"), tmp_path, 6, 5)


def test_with_sqlite_each_message_of_four_senders_arrives_once(tmp_path: Path) -> None:
    send_once(f"sqlite:///{tmp_path / 'incidents.db'}", tmp_path, 4, 5)


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_a_record_that_many_begin_to_use_at_once_is_made_once(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    url = f"sqlite:///{tmp_path}/new/incidents.db"
    if kind == "postgresql":
        url = request.getfixturevalue("server")("begun_at_once")
    go = FORK.Event()

    def begin(number: int) -> None:
        go.wait()
        with Store(url) as record:
            record.open(f"inc-{number}", draft("open", OPENED))

    processes = [FORK.Process(target=begin, args=(number,)) for number in range(12)]
    for each in processes:
        each.start()
    go.set()
    for each in processes:
        each.join()
    assert [each.exitcode for each in processes] == [0] * len(processes)
    with Store(url) as record:
        assert len(record.incidents()) == len(processes)


def test_who_falls_silent_while_it_writes_holds_an_incident_for_a_short_time(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when its machine is cut off: the server goes on to believe that it is there."""
    url = server("silent")
    monkeypatch.setattr(engine, "IDLE_SECONDS", 1)
    with Store(url) as record:
        record.open(INCIDENT, draft("open", OPENED))

    def fall_silent(*_args: Any) -> Any:
        os.kill(os.getpid(), signal.SIGSTOP)

    monkeypatch.setattr(store, "_new", fall_silent)
    silent = FORK.Process(target=work, args=(url, "silent", 1))
    began = time.monotonic()
    silent.start()
    monkeypatch.undo()
    try:
        assert os.waitpid(int(silent.pid or 0), os.WUNTRACED)[1] & 0xFF == 0x7F
        work(url, "other", 1)
        assert 1 < time.monotonic() - began < 10
    finally:
        silent.kill()
        silent.join()
    with Store(url) as record:
        assert [event.key for event in record.events(INCIDENT)] == ["open", "other-0"]


def test_who_reads_beside_many_who_write_sees_a_whole_record(server: Server) -> None:
    """Its head and its events are of one moment."""
    with Store(server("reading")) as record:
        record.open(INCIDENT, draft("open", OPENED))
    writers = [FORK.Process(target=work, args=(server("reading"), f"w{n}", 150)) for n in range(3)]
    for each in writers:
        each.start()
    looks = 0
    with Store(server("reading")) as record:
        while any(each.is_alive() for each in writers):
            assert list(altered(*record.recorded(INCIDENT))) == []
            looks += 1
    assert looks > 3
