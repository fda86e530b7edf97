# SPDX-License-Identifier: GPL-3.0-or-later
"""Ending many idle sessions against the loop that everybody types, on the lab and over SSH.

    python tests/performance/pg_sessions.py [--runs N] [--sessions N]

    module   firebreak.incident.pg_sessions: every session checked, ended, waited for and recorded
    loop     for pid in …; do runuser -u postgres -- psql -c "SELECT pg_terminate_backend($pid)"; done

Both on a cluster of their own on zekka1. Prints the median wall time of each over N runs, in turn, and the
ratio. Every run begins without an open connection and with all sessions opened anew.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from firebreak_lab import Lab

CHECKOUT = Path(__file__).resolve().parents[2]
STATE = CHECKOUT / ".lab"
HOST, ADDRESS = "zekka1", "172.29.77.11"
DATA, PORT = "/var/lib/postgresql/firebreak-bench", 5511
AIM = 2.0
LIMIT = 300
MAKE = f"""
cd /; mkdir -p {DATA}; chown postgres: {DATA}
as="runuser -u postgres --"; bin=/usr/lib/postgresql/15/bin
$as $bin/initdb -D {DATA} --auth-local peer --auth-host trust --no-sync > /dev/null
$as $bin/pg_ctl -s -w -D {DATA} -l {DATA}/log start \
  -o "-p {PORT} -k /var/run/postgresql -c max_connections=400"
$as psql -qX -p {PORT} -c 'CREATE ROLE web LOGIN'
"""
CLEAR = f"""
cd /; runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_ctl -s -D {DATA} -m immediate stop 2> /dev/null
rm -rf {DATA}
"""
# Keeps them until its standard input ends.
CLIENTS = f"""
import psycopg2, sys
held = []
for n in range(int(sys.argv[1])):
    held.append(psycopg2.connect(host="127.0.0.1", port={PORT}, user="web", dbname="postgres"))
    held[-1].autocommit = True
    held[-1].cursor().execute("SELECT 1")
print("there", flush=True)
sys.stdin.read()
"""
PSQL = f"runuser -u postgres -- psql -p {PORT}"
IDLE = "FROM pg_stat_activity WHERE usename = 'web'"
LOOP = (
    f'for pid in $({PSQL} -qXAt -c "SELECT pid {IDLE}"); do '
    f'{PSQL} -c "SELECT pg_terminate_backend($pid)" > /dev/null; done'
)
SSH = (
    "ssh", "-i", str(STATE / "id_ed25519"), "-o", f"UserKnownHostsFile={STATE / 'known_hosts'}",
    "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes",
    "-o", "ControlMaster=no", "-o", "ControlPath=none", f"responder@{ADDRESS}",
)  # fmt: skip


@contextmanager
def cluster(lab: Lab) -> Iterator[None]:
    lab.run(HOST, ["bash", "-c", CLEAR])
    lab.run(HOST, ["bash", "-ec", MAKE]).check("making a cluster")
    try:
        yield
    finally:
        lab.run(HOST, ["bash", "-c", CLEAR])


@contextmanager
def sessions(number: int) -> Iterator[None]:
    command = f"sudo python3 -c '{CLIENTS}' {number}"
    with subprocess.Popen(
        [*SSH, command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        if client.stdout is None or client.stdin is None or client.stdout.readline() != "there\n":
            sys.exit("the sessions could not be opened")
        yield
        client.stdin.close()


def module() -> None:
    options = {
        "postgres": {"socket": "/var/run/postgresql", "port": PORT},
        "users": ["web"],
        "states": ["idle"],
        "max_risk": "disruptive",
        "max_actions": 500,
    }
    named = ["ansible", HOST, "-m", "firebreak.incident.pg_sessions", "-a", json.dumps(options)]
    finish([*named, "-e", "ansible_control_path=none"])


def loop() -> None:
    finish([*SSH, "sudo", "bash", "-s"], LOOP)


def finish(command: list[str], script: str = "") -> None:
    run = subprocess.run(
        command, input=script, cwd=CHECKOUT, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    if run.returncode:
        sys.exit(f"{command[0]} ended with code {run.returncode}:\n{(run.stdout + run.stderr)[-2000:]}")


def seconds(lab: Lab, number: int, work: Callable[[], None]) -> float:
    count = [*PSQL.split(), "-qXAt", "-c", f"SELECT count(*) {IDLE}"]
    with sessions(number):
        before = lab.run(HOST, count).check("counting").stdout.strip()
        started = time.monotonic()
        work()
        took = time.monotonic() - started
        after = lab.run(HOST, count).check("counting").stdout.strip()
    if (before, after) != (str(number), "0"):
        sys.exit(f"{before} sessions before and {after} after, not {number} and 0")
    return took


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--sessions", type=int, default=200)
    options = arguments.parse_args()
    if shutil.which("ansible") is None:
        sys.exit("ansible is not on the PATH; run this with: make bench")
    lab = Lab(quiet=True)
    lab.up()
    print(f"{os.cpu_count()} CPUs for controller and target together, medians of {options.runs} runs")
    ways: dict[str, Callable[[], None]] = {"module": module, "loop": loop}
    with cluster(lab):
        runs = [
            {name: seconds(lab, options.sessions, work) for name, work in ways.items()}
            for _run in range(options.runs)
        ]
    found = {name: statistics.median(run[name] for run in runs) for name in ways}
    print(
        f"{options.sessions} idle sessions   module {found['module']:6.2f} s   loop {found['loop']:6.2f} s   "
        f"{found['loop'] / found['module']:.1f} x faster than the loop (aim at least {AIM:g})"
    )


if __name__ == "__main__":
    main()
