# SPDX-License-Identifier: GPL-3.0-or-later
"""What fills a server of 1,000,000 keys: a sample, against looking at every key.

    python tests/performance/redis_sample.py [--runs N] [--keys N]

On a server of its own on zekka1, over SSH, with a connection that is open already:

    module     redis_memory_info: 10,000 keys measured, patterns with shares and margins
    redis-cli  redis-cli --memkeys, which finds the biggest key of each type and no pattern

Prints the median wall time of each over N runs, in turn, and the ratio; how far the shares of the sample are
from the true ones; and the 99th percentile of what another client waits for a GET, alone and beside each.
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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from firebreak_lab import Lab

CHECKOUT = Path(__file__).resolve().parents[2]
STATE = CHECKOUT / ".lab"
HOST, ADDRESS = "zekka1", "172.29.77.11"
HOME, PORT = "/run/redis-bench", 6409
AIM = 5.0
LIMIT = 600
START = f"""
mkdir -p {HOME}; cd {HOME}
redis-server --port {PORT} --save "" --dir {HOME} --pidfile {HOME}/pid --daemonize yes > /dev/null
until redis-cli -p {PORT} PING > /dev/null 2>&1; do sleep 0.05; done
"""
STOP = f"kill -9 $(cat {HOME}/pid); rm -rf {HOME}"
# Six of ten are sessions, three pages of very different sizes, one is a cart.
KEYS = """
local key, size = nil, (i * 7919) % 1000
if i % 10 < 6 then key = 'session:' .. redis.sha1hex(i)
elseif i % 10 < 9 then key = 'cache:page:' .. i else key = 'user:' .. i .. ':cart' end
"""
FILL = f"""
for i = ARGV[1], ARGV[2] do {KEYS}
  if i % 10 < 6 then redis.call('SET', key, string.rep('x', 150 + size % 300))
  elseif i % 10 < 9 then redis.call('SET', key, string.rep('y', 500 + size * 3), 'EX', 86400)
  else for field = 1, 1 + size % 8 do redis.call('HSET', key, 'item' .. field, size) end end
end
"""
TRUTH = f"""
local sums = {{0, 0, 0}}
for i = ARGV[1], ARGV[2] do {KEYS}
  local kind = i % 10 < 6 and 1 or i % 10 < 9 and 2 or 3
  sums[kind] = sums[kind] + redis.call('MEMORY', 'USAGE', key)
end
return sums
"""
NAMES = ("session:*", "cache:page:*", "user:*:cart")
STEP = 50_000
PROBE = f"""
import socket, sys, time
channel = socket.create_connection(("127.0.0.1", {PORT}))
found, end = [], time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    started = time.monotonic()
    channel.sendall(b"GET probe\\r\\n")
    channel.recv(100)
    found.append(time.monotonic() - started)
    time.sleep(0.0005)
print(sorted(found)[len(found) * 99 // 100])
"""
SSH = (
    "ssh", "-i", str(STATE / "id_ed25519"), "-o", f"UserKnownHostsFile={STATE / 'known_hosts'}",
    "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes",
    "-o", "ControlMaster=auto", "-o", "ControlPersist=60",
)  # fmt: skip


def lua(lab: Lab, script: str, first: int, last: int) -> list[str]:
    words = ["redis-cli", "-e", "-p", str(PORT), "EVAL", script, "0", str(first), str(last)]
    return lab.run(HOST, words, timeout=60).check("a script").stdout.split()


def begin(lab: Lab, keys: int) -> dict[str, float]:
    """The true shares of the bytes in percent."""
    lab.run(HOST, ["bash", "-ec", START]).check("starting a server")
    sums = [0, 0, 0]
    for first in range(1, keys, STEP):
        lua(lab, FILL, first, first + STEP - 1)
        found = lua(lab, TRUTH, first, first + STEP - 1)
        sums = [old + int(new) for old, new in zip(sums, found, strict=True)]
    return {name: 100 * size / sum(sums) for name, size in zip(NAMES, sums, strict=True)}


def by_module(folder: Path, keys: int, sample: int = 10_000) -> dict[str, Any]:
    given = {"redis": {"port": PORT}, "sample_keys": sample}
    run = subprocess.run(
        [
            "ansible", HOST, "-b", "-i", str(CHECKOUT / "inventories/lab"),
            "-e", f"ansible_control_path={folder}/module",
            "-m", "firebreak.incident.redis_memory_info", "-a", json.dumps(given),
        ],
        cwd=CHECKOUT, env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    if run.returncode or f'"total": {keys}' not in run.stdout:
        sys.exit(f"redis_memory_info ended with code {run.returncode}:\n{(run.stderr or run.stdout)[-2000:]}")
    found: dict[str, Any] = json.loads(run.stdout[run.stdout.index("{") :])
    return found


def by_redis_cli(folder: Path, keys: int) -> dict[str, Any]:
    run = subprocess.run(
        [
            *SSH, "-o", f"ControlPath={folder}/raw", f"responder@{ADDRESS}",
            "redis-cli", "-p", str(PORT), "--memkeys",
        ],
        capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    if f"Sampled {keys} keys" not in run.stdout:
        sys.exit(f"redis-cli ended with code {run.returncode}:\n{(run.stderr or run.stdout)[-2000:]}")
    return {}


def seconds(work: Callable[[Path, int], Any], folder: Path, keys: int) -> float:
    started = time.monotonic()
    work(folder, keys)
    return time.monotonic() - started


def waits(lab: Lab, beside: Callable[[], Any] | None, lasting: float) -> float:
    """The 99th percentile in milliseconds of what another client waits."""
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(beside) if beside else None
        if other:
            # Not while the way to the host is still being taken.
            time.sleep(1.0)
        found = lab.run(HOST, ["python3", "-c", PROBE, str(lasting)], timeout=60).check("the probe").stdout
        if other:
            other.result()
    return 1000 * float(found)


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--keys", type=int, default=1_000_000)
    options = arguments.parse_args()
    if shutil.which("ansible") is None:
        sys.exit("ansible is not on the PATH; run this with: make bench")
    lab = Lab(quiet=True)
    lab.up()
    keys = options.keys // STEP * STEP
    try:
        truth = begin(lab, keys)
        with tempfile.TemporaryDirectory(prefix="firebreak-bench-") as name:
            folder = Path(name)
            ways = {"module": by_module, "redis-cli": by_redis_cli}
            sample = by_module(folder, keys)["sample"]
            by_redis_cli(folder, keys)
            found = [
                {name: seconds(way, folder, keys) for name, way in ways.items()}
                for _run in range(options.runs)
            ]
            p99 = {
                "alone": waits(lab, None, 3.0),
                "beside the module": waits(lab, lambda: by_module(folder, keys, 100_000), 2.0),
                "beside redis-cli": waits(lab, lambda: by_redis_cli(folder, keys), 3.0),
            }
    finally:
        lab.run(HOST, ["bash", "-c", STOP])
    module, client = (statistics.median(each[name] for each in found) for name in ways)
    shares = {one["pattern"]: one for one in sample["patterns"]}
    print(
        f"{keys} keys, medians of {options.runs} runs: "
        f"module {module:.2f} s   redis-cli --memkeys {client:.2f} s   {client / module:.1f} x faster "
        f"(aim at least {AIM:g})"
    )
    for pattern, true in truth.items():
        one = shares[pattern]
        print(
            f"  {pattern:14} {one['share']:5.1f} % ± {one['margin']:g} of the bytes, in truth {true:5.1f} %"
        )
    waited = ", ".join(f"{name} {milliseconds:.2f} ms" for name, milliseconds in p99.items())
    print(f"  99 % of GETs of another client within: {waited}")


if __name__ == "__main__":
    main()
