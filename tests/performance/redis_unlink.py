# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing a million keys by pattern against the pipe that everybody types, on the lab and over SSH.

    python tests/performance/redis_unlink.py [--runs N] [--keys N]

    module   firebreak.incident.redis_memory: every key's type checked, paced, measured before and after
    pipe     redis-cli --scan --pattern 'cache:*' | xargs redis-cli unlink

Both on a server of their own on zekka1, while another client there asks for a key every two milliseconds.
Prints the median wall time of each over N runs, in turn, the ratio, and what the other client waited.
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
PORT, DATA = 6419, "/run/firebreak-bench-redis"
PREFIX, PATTERN = "cache", "cache:*"
AIM = 1.0
LIMIT = 300
MAKE = f"""
mkdir -p {DATA}
redis-server --port {PORT} --dir {DATA} --pidfile {DATA}/pid --save "" --enable-debug-command local \
  --daemonize yes > /dev/null
for attempt in $(seq 50); do redis-cli -p {PORT} PING 2> /dev/null | grep -q PONG && exit; sleep 0.1; done
exit 1
"""
CLEAR = f"redis-cli -p {PORT} SHUTDOWN NOSAVE 2> /dev/null; rm -rf {DATA}"
# Asks until its standard input ends, then says in milliseconds what it waited.
CLIENT = f"""
import json, redis, select, sys, time
store, took = redis.Redis(port={PORT}), []
store.set("other", "x" * 64)
print("there", flush=True)
while not select.select([sys.stdin], [], [], 0.002)[0]:
    began = time.perf_counter()
    store.get("other")
    took.append((time.perf_counter() - began) * 1000)
took.sort()
print(json.dumps([took[len(took) // 2], took[len(took) * 99 // 100], took[-1]]))
"""
PIPE = f"redis-cli -p {PORT} --scan --pattern '{PATTERN}' | xargs redis-cli -p {PORT} unlink > /dev/null"
SSH = (
    "ssh", "-i", str(STATE / "id_ed25519"), "-o", f"UserKnownHostsFile={STATE / 'known_hosts'}",
    "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes",
    "-o", "ControlMaster=no", "-o", "ControlPath=none", f"responder@{ADDRESS}",
)  # fmt: skip


@contextmanager
def server(lab: Lab) -> Iterator[None]:
    lab.run(HOST, ["bash", "-c", CLEAR])
    lab.run(HOST, ["bash", "-c", MAKE]).check("starting redis")
    try:
        yield
    finally:
        lab.run(HOST, ["bash", "-c", CLEAR])


@contextmanager
def other_client(felt: list[list[float]]) -> Iterator[None]:
    command = f"python3 -c '{CLIENT}'"
    with subprocess.Popen(
        [*SSH, command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        if client.stdout is None or client.stdin is None or client.stdout.readline() != "there\n":
            sys.exit("the other client could not begin")
        yield
        client.stdin.close()
        felt.append(json.loads(client.stdout.read()))


def module() -> None:
    options = {
        "redis": {"port": PORT, "caches": [PATTERN]},
        "levers": ["unlink"],
        "pattern": PATTERN,
        "max_risk": "disruptive",
    }
    named = ["ansible", HOST, "-m", "firebreak.incident.redis_memory", "-a", json.dumps(options)]
    finish([*named, "-e", "ansible_control_path=none"])


def pipe() -> None:
    finish([*SSH, "bash", "-s"], PIPE)


def finish(command: list[str], script: str = "") -> None:
    run = subprocess.run(
        command, input=script, cwd=CHECKOUT, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    if run.returncode:
        sys.exit(f"{command[0]} ended with code {run.returncode}:\n{(run.stdout + run.stderr)[-2000:]}")


def seconds(lab: Lab, keys: int, work: Callable[[], None], felt: list[list[float]]) -> float:
    cli = ["redis-cli", "-p", str(PORT)]
    # Nothing repeats a fix here because it failed: the module's cooldown does not apply.
    lab.run(HOST, ["sed", "-i", f"/127.0.0.1:{PORT}/d", "/var/lib/firebreak/ledger.jsonl"])
    lab.run(HOST, [*cli, "FLUSHALL"])
    lab.run(HOST, [*cli, "DEBUG", "POPULATE", str(keys), PREFIX, "50"]).check("making keys")
    with other_client(felt):
        started = time.monotonic()
        work()
        took = time.monotonic() - started
    left = lab.run(HOST, [*cli, "DBSIZE"]).check("counting").stdout.strip()
    if left != "1":
        sys.exit(f"{left} keys are left, not only the other client's")
    return took


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--keys", type=int, default=1_000_000)
    options = arguments.parse_args()
    if shutil.which("ansible") is None:
        sys.exit("ansible is not on the PATH; run this with: make bench")
    lab = Lab(quiet=True)
    lab.up()
    print(f"{os.cpu_count()} CPUs for controller and target together, medians of {options.runs} runs")
    ways: dict[str, Callable[[], None]] = {"module": module, "pipe": pipe}
    felt: dict[str, list[list[float]]] = {name: [] for name in ways}
    with server(lab):
        runs = [
            {name: seconds(lab, options.keys, work, felt[name]) for name, work in ways.items()}
            for _run in range(options.runs)
        ]
    found = {name: statistics.median(run[name] for run in runs) for name in ways}
    print(
        f"{options.keys} keys   module {found['module']:6.2f} s   pipe {found['pipe']:6.2f} s   "
        f"{found['pipe'] / found['module']:.1f} x faster than the pipe (aim at least {AIM:g})"
    )
    for name, each in felt.items():
        middle, late, longest = (statistics.median(column) for column in zip(*each, strict=True))
        print(
            f"a GET meanwhile   {name:6} p50 {middle:6.2f} ms   p99 {late:6.2f} ms   worst {longest:6.2f} ms"
        )


if __name__ == "__main__":
    main()
