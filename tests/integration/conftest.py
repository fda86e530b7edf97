# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab, and playbooks run on it through ansible-runner, as another tool would run them."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import ansible_runner
import pytest
import yaml

from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso, utc_now
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.event import OPENED, Draft
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.store import Store
from firebreak_lab import Attacker, Lab

from .adhoc import CHECKOUT, ad_hoc

T = TypeVar("T")
R = TypeVar("R")

FINISHED = {"runner_on_ok": False, "runner_on_failed": True, "runner_on_unreachable": True}

# What shows on a host whether anything was changed: rule sets, files, ledger, bans.
STATE = """
nft list ruleset 2>/dev/null | sed 's/packets [0-9]* bytes [0-9]*//; s/expires [0-9smhd]*//'
for tool in iptables-save ip6tables-save; do
  $tool 2>/dev/null | grep -v '^#' | sed 's/\\[[0-9]*:[0-9]*\\]//'
done
fail2ban-client banned 2>/dev/null
find /etc/nftables.conf /etc/ufw /etc/fail2ban /etc/hosts.deny /etc/nginx /etc/ssh /var/lib/firebreak \
  /run/firebreak -type f -exec sha256sum {} + 2>/dev/null | sort
"""

# A PostgreSQL server of a test's own: its data, port, settings, and words for initdb.
MAKE_CLUSTER = """
cd /; mkdir -p "$1"; chown postgres: "$1"
as="runuser -u postgres --"; bin=/usr/lib/postgresql/15/bin
$as $bin/initdb -D "$1" --auth-local peer --auth-host scram-sha-256 --no-sync $4 > /dev/null
$as $bin/pg_ctl -s -w -D "$1" -l "$1/log" -o "-p $2 -k /var/run/postgresql $3" start
$as psql -qX -v ON_ERROR_STOP=1 -p "$2" -d postgres
"""
CLEAR_CLUSTER = """
cd /; runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_ctl -s -D "$1" -m immediate stop 2> /dev/null
rm -rf "$1"
"""


@dataclass(frozen=True)
class Play:
    """What one run of a playbook left: exit code, what a person saw, and each task's result on each host."""

    code: int
    output: str
    results: Mapping[tuple[str, str], Mapping[str, Any]]
    stats: Mapping[str, Mapping[str, int]]

    def result(self, host: str, action: str) -> Mapping[str, Any]:
        """The result of the collection's module `action` on `host`."""
        return self.results[host, action]

    def changed(self) -> int:
        """Over all hosts, as the recap counts."""
        return sum(self.stats.get("changed", {}).values())

    def messages(self) -> list[str]:
        """Of the tasks that failed."""
        return [str(result["msg"]) for result in self.results.values() if result["failed"]]


def at_once(work: Callable[[T], R], on: Iterable[T]) -> list[R]:
    """What comes of each, in their order: most of it is waiting."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(work, on))


def module(host: str, name: str, *words: str, **options: Any) -> dict[str, Any]:
    """The result of one of the collection's modules, failed or not."""
    arguments = ["-a", json.dumps(options)] if options else []
    done = ad_hoc(host, "-m", f"firebreak.incident.{name}", *arguments, *words)
    head, separator, text = done.stdout.partition("=>")
    assert separator and "Traceback" not in done.stderr, done.stdout + done.stderr
    return {**yaml.safe_load(text), "failed": "FAILED" in head}


def statuses(lab: Lab, url: str, count: int) -> list[int]:
    """How so many requests of a user on client1 are answered."""
    wanted = ["-o", "/dev/null", "-w", "%{http_code}\\n", url] * count
    return [int(code) for code in lab.run("client1", ["curl", "-sk", "-m", "10", *wanted]).stdout.split()]


@contextmanager
def postgres_cluster(
    lab: Lab, data: str, port: int, script: str, settings: str = "-c fsync=off", initdb: str = ""
) -> Iterator[None]:
    """Runs on zekka1, with what `script` makes in it. A reset of the lab leaves it alone, unlike Debian's."""
    clear = ["bash", "-c", CLEAR_CLUSTER, "clear", data]
    lab.run("zekka1", clear)
    make = ["bash", "-ec", MAKE_CLUSTER, "make", data, str(port), settings, initdb]
    lab.run("zekka1", make, input=script).check("making a cluster")
    try:
        yield
    finally:
        lab.run("zekka1", clear)


@pytest.fixture(scope="session")
def lab() -> Lab:
    lab = Lab(quiet=True)
    lab.up()
    return lab


@pytest.fixture(scope="session")
def attacker(lab: Lab) -> Attacker:
    return Attacker(lab)


@pytest.fixture
def pristine(lab: Lab) -> Iterator[Lab]:
    """The lab as it was after its first boot."""
    lab.reset()
    yield lab


@pytest.fixture(scope="session")
def make_play() -> Callable[[Path], Callable[..., Play]]:
    return _player


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., Play]:
    return _player(tmp_path)


def _open(record: str, incident: str) -> None:
    """Unless it is open already: what a run records under an id that nobody opened waits, with a warning."""
    opening = Draft("open", iso(utc_now()), OPENED, "test", None, {"title": "a test"})
    with Store(record) as store:
        if incident not in store.incidents():
            store.open(incident, opening)


def _player(directory: Path) -> Callable[..., Play]:
    record = f"sqlite:///{directory / 'incidents.db'}"

    def run(playbook: str, *words: str, limit: str | None = "prod", **inputs: Any) -> Play:
        if "incident" in inputs:
            _open(record, inputs["incident"])
        runner = ansible_runner.run(
            # A directory of its own: the runner keeps what it was given for the next run.
            private_data_dir=tempfile.mkdtemp(dir=directory),
            playbook=str(CHECKOUT / "playbooks" / f"{playbook}.yml"),
            inventory=str(CHECKOUT / "inventories" / "lab"),
            limit=limit,
            extravars={"firebreak_record": record, **inputs},
            cmdline=shlex.join(words) if words else None,
            envvars={
                "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
                "XDG_STATE_HOME": str(directory / "state"),
            },
            quiet=True,
            timeout=240,
        )
        with runner.stdout as stream:
            output = stream.read()
        results = {}
        for event in runner.events:
            if event["event"] in FINISHED:
                data = event["event_data"]
                action = data["resolved_action"].rpartition(".")[2]
                results[data["host"], action] = {**data["res"], "failed": FINISHED[event["event"]]}
        assert "[WARNING]" not in output, output
        assert "[DEPRECATION" not in output, output
        return Play(runner.rc, output, results, runner.stats or {})

    return run


@pytest.fixture(scope="session")
def host_state(lab: Lab) -> Callable[[str], str]:
    def look(host: str) -> str:
        return lab.run(host, ["bash", "-c", STATE]).stdout

    return look
