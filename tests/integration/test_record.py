# SPDX-License-Identifier: GPL-3.0-or-later
"""Many responders record in one incident at once, and one of them is killed in the middle."""

from __future__ import annotations

import multiprocessing
import os
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import OPENED, Draft
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.store import Store
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.verify import altered
from firebreak_lab import Lab
from firebreak_lab.model import address

from .conftest import postgres_cluster

DATA, PORT = "/var/tmp/record", 5511
INCIDENT = "inc-1"


def draft(key: str, kind: str = "act.done") -> Draft:
    return Draft(key, "2026-11-21T22:00:00.000Z", kind, "ann@control", "db1", {"what": key})


def work(url: str, name: str, count: int) -> None:
    with Store(url) as store:
        for number in range(count):
            store.append(INCIDENT, [draft(f"{name}-{number}")])


def survive(url: str, processes: int, count: int) -> None:
    """All of them at once; one more is killed while it writes, and then repeated from its beginning."""
    # Nothing is open in this process while they are made.
    fork = multiprocessing.get_context("fork")
    with Store(url) as store:
        store.open(INCIDENT, draft("open", OPENED))
    workers = [fork.Process(target=work, args=(url, f"w{n}", count)) for n in range(processes)]
    victim = fork.Process(target=work, args=(url, "victim", 100 * count))
    for each in (victim, *workers):
        each.start()
    with Store(url) as store:
        while not any(event.key.startswith("victim") for event in store.events(INCIDENT)):
            assert victim.is_alive(), "it ended before it was killed"
            time.sleep(0.02)
        os.kill(int(victim.pid or 0), signal.SIGKILL)
        for each in (victim, *workers):
            each.join()
        written = sum(event.key.startswith("victim") for event in store.events(INCIDENT))
        work(url, "victim", written + 5)
        events = store.events(INCIDENT)
        assert [each.exitcode for each in workers] == [0] * processes
        assert list(altered(events, *store.head(INCIDENT))) == []
    of_each = [[e.key for e in events if e.key.startswith(f"w{n}-")] for n in range(processes)]
    assert of_each == [[f"w{n}-{i}" for i in range(count)] for n in range(processes)]
    assert written > 0
    assert [e.key for e in events if e.key.startswith("victim")] == [
        f"victim-{i}" for i in range(written + 5)
    ]


@pytest.fixture
def server(lab: Lab) -> Iterator[str]:
    """A PostgreSQL server on zekka1 that the controller may write to."""
    control, password = address(1, "ipv4"), secrets.token_hex(16)
    script = f"CREATE ROLE ann LOGIN PASSWORD '{password}'; CREATE DATABASE incidents OWNER ann"
    open_door = f"""
    echo 'host all all {control}/32 scram-sha-256' >> {DATA}/pg_hba.conf
    runuser -u postgres -- psql -qX -p {PORT} -d postgres -c 'SELECT pg_reload_conf()' > /dev/null
    ufw allow proto tcp from {control} to any port {PORT} > /dev/null
    """
    with postgres_cluster(lab, DATA, PORT, script, "-c listen_addresses=* -c synchronous_commit=on"):
        lab.run("zekka1", ["bash", "-ec", open_door]).check("letting the controller in")
        yield f"postgresql://ann:{password}@{address(11, 'ipv4')}:{PORT}/incidents"
        lab.run(
            "zekka1",
            ["ufw", "delete", "allow", "proto", "tcp", "from", control, "to", "any", "port", str(PORT)],
        )


def test_with_postgresql_no_event_of_eight_processes_is_lost(server: str) -> None:
    survive(server, 8, 1000)


def test_with_sqlite_no_event_of_four_processes_is_lost(tmp_path: Path) -> None:
    survive(f"sqlite:///{tmp_path / 'incidents.db'}", 4, 500)
