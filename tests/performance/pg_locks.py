# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree of 300 sessions that wait for one table, against asking for one pid after the other.

    python tests/performance/pg_locks.py [--runs N] [--waiting N]

On a cluster of its own on zekka1, over SSH, with a connection that is open already:

    module   pg_locks_info: everybody who waits with lock, seconds, query and place in the tree
    psql     the pids that wait, then `SELECT pg_blocking_pids(pid)` by one psql for each of them

Prints the median wall time of each over N runs, in turn, and the ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from firebreak_lab import Lab

CHECKOUT = Path(__file__).resolve().parents[2]
STATE = CHECKOUT / ".lab"
HOST, ADDRESS = "zekka1", "172.29.77.11"
CLUSTER, PORT = "locksbench", 5508
AIM = 10.0
LIMIT = 300
SET_UP = f"""
pg_createcluster 15 {CLUSTER} -p {PORT} -- --no-sync > /dev/null
echo 'max_connections = 400' > /etc/postgresql/15/{CLUSTER}/conf.d/bench.conf
pg_ctlcluster 15 {CLUSTER} start
"""
# Each wants the whole table, so that everybody ahead blocks: 300 sessions are 45,000 pairs.
WAITING = f"""
import psycopg2, select, sys, time
def connect(asynchronous):
    at = "host=/var/run/postgresql port={PORT} dbname=postgres user=postgres"
    return psycopg2.connect(at, async_=asynchronous)
def finish(connection):
    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        wanted = [connection.fileno()]
        reads = state == psycopg2.extensions.POLL_READ
        select.select(wanted if reads else [], [] if reads else wanted, [], 5)
root = connect(0)
root.cursor().execute("CREATE TABLE crowd (id int)")
root.commit()
root.cursor().execute("LOCK TABLE crowd")
held = []
for number in range(int(sys.argv[1])):
    connection = connect(1)
    finish(connection)
    cursor = connection.cursor()
    cursor.execute("BEGIN; LOCK TABLE crowd")
    connection.poll()
    held.append((connection, cursor))
time.sleep(900)
"""
PIDS = "SELECT pid FROM pg_locks WHERE NOT granted"
PSQL = f"runuser -u postgres -- psql -qXAt -p {PORT}"
ONE_BY_ONE = (
    f'for pid in $({PSQL} -c "{PIDS}"); do {PSQL} -c "SELECT $pid, pg_blocking_pids($pid)"; done | wc -l'
)
SSH = (
    "ssh", "-i", str(STATE / "id_ed25519"), "-o", f"UserKnownHostsFile={STATE / 'known_hosts'}",
    "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes",
    "-o", "ControlMaster=auto", "-o", "ControlPersist=60",
)  # fmt: skip


def begin(lab: Lab, waiting: int) -> None:
    lab.run(HOST, ["bash", "-ec", SET_UP], timeout=60).check("making a cluster")
    lab.run(HOST, ["tee", "/run/locksbench.py"], input=WAITING)
    unit = ["systemd-run", "-q", "--collect", "--unit", CLUSTER, "--uid", "postgres"]
    lab.run(HOST, [*unit, "python3", "/run/locksbench.py", str(waiting)]).check("starting sessions")
    counted = ["bash", "-c", f'{PSQL} -c "SELECT count(*) FROM ({PIDS}) x"']
    end = time.monotonic() + 60
    while lab.run(HOST, counted).stdout.strip() != str(waiting):
        if time.monotonic() > end:
            sys.exit("the sessions do not come up")
        time.sleep(0.2)


def finish(lab: Lab) -> None:
    lab.run(HOST, ["systemctl", "stop", CLUSTER])
    lab.run(HOST, ["pg_dropcluster", "--stop", "15", CLUSTER], timeout=60)
    lab.run(HOST, ["rm", "-f", "/run/locksbench.py"])


def by_module(folder: Path, waiting: int) -> None:
    given = {"postgres": {"socket": "/var/run/postgresql", "port": PORT}}
    run = subprocess.run(
        [
            "ansible", HOST, "-b", "-i", str(CHECKOUT / "inventories/lab"),
            "-e", f"ansible_control_path={folder}/module",
            "-m", "firebreak.incident.pg_locks_info", "-a", json.dumps(given),
        ],
        cwd=CHECKOUT, env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    if run.returncode or f'"waiting": {waiting}' not in run.stdout:
        sys.exit(f"pg_locks_info ended with code {run.returncode}:\n{(run.stderr or run.stdout)[-2000:]}")


def by_psql(folder: Path, waiting: int) -> None:
    run = subprocess.run(
        [*SSH, "-o", f"ControlPath={folder}/raw", f"responder@{ADDRESS}", "sudo", "bash", "-s"],
        input=ONE_BY_ONE, capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    if run.stdout.strip() != str(waiting):
        sys.exit(f"psql named {run.stdout.strip()} of {waiting} sessions:\n{run.stderr[-2000:]}")


def seconds(work: Callable[[Path, int], None], folder: Path, waiting: int) -> float:
    started = time.monotonic()
    work(folder, waiting)
    return time.monotonic() - started


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--waiting", type=int, default=300)
    options = arguments.parse_args()
    if shutil.which("ansible") is None:
        sys.exit("ansible is not on the PATH; run this with: make bench")
    lab = Lab(quiet=True)
    lab.up()
    try:
        begin(lab, options.waiting)
        with tempfile.TemporaryDirectory(prefix="firebreak-bench-") as name:
            folder = Path(name)
            ways = {"module": by_module, "psql": by_psql}
            for way in ways.values():
                way(folder, options.waiting)
            found = [
                {name: seconds(way, folder, options.waiting) for name, way in ways.items()}
                for _run in range(options.runs)
            ]
    finally:
        finish(lab)
    module, psql = (statistics.median(each[name] for each in found) for name in ("module", "psql"))
    print(
        f"{options.waiting} sessions that wait, medians of {options.runs} runs: "
        f"module {module:.2f} s   psql {psql:.2f} s   {psql / module:.1f} x faster (aim at least {AIM:g})"
    )


if __name__ == "__main__":
    main()
