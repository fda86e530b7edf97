# SPDX-License-Identifier: GPL-3.0-or-later
"""Scanning auth.log: our counter against `grep | awk | sort | uniq -c | sort -rn`.

    python tests/performance/login_scan.py [--size BYTES] [--runs N]

Writes a log of that size (1 GB by default; the same log every time) into a temporary directory, runs both
in turn, and prints the median wall and CPU time and the peak memory. Both must come to the failures that
the log was made with. The pipeline runs in the C locale, which is its fastest; it knows neither
timestamps nor accounts nor repeated lines nor logins.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

COLLECTIONS = Path(__file__).resolve().parents[2] / "collections"
PIPELINE = "grep 'Failed password' {} | awk '{{print $(NF-3)}}' | sort | uniq -c | sort -rn"
SCAN = """
import sys
from ansible_collections.firebreak.incident.plugins.module_utils.clients.logs import find_logs
from ansible_collections.firebreak.incident.plugins.module_utils.logins.scan import Period, plan_parts, scan
period = Period(0.0, 4e9)
tally, _scanned = scan(plan_parts("ssh", find_logs([sys.argv[1]])[0], period, 1 << 62), period)
for address, source in tally.sources.items():
    if source.tries.failures:
        print(source.tries.failures, address)
"""
SOURCES = 5000
START = datetime(2026, 11, 1, tzinfo=UTC)
STEP = timedelta(milliseconds=31)


@dataclass(frozen=True)
class Truth:
    """What was written: failures by address, and how many lines with `Failed password` name it."""

    failures: Counter[str]
    lines: Counter[str]


@dataclass(frozen=True)
class Run:
    """One run. Times in seconds; `peak` is the resident memory of all its processes together, in bytes."""

    wall: float
    cpu: float
    peak: int
    counts: Counter[str]


def write_log(path: Path, size: int) -> Truth:
    """About 60 % of the lines are failed guesses, by sources of which each is active for a while."""
    chance = random.Random(20261121)
    sources = [_address(chance) for _source in range(SOURCES)]
    names = ["root", "admin", "ubuntu", "test", "oracle", "postgres", "git", "deploy", "user", "guest"]
    names += [f"user{number}" for number in range(50)]
    weights = list(accumulate(1 / rank for rank in range(1, len(names) + 1)))
    exists = {"root", "git", "postgres", "deploy"}
    guesses: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    written, number, moment = 0, 0, START
    with path.open("w", encoding="ascii", buffering=1 << 20) as log:
        while written < size:
            number += 1
            moment += STEP
            address = sources[int(chance.random() * 300 + written / size * (SOURCES - 300)) % SOURCES]
            name = chance.choices(names, cum_weights=weights)[0]
            who = name if name in exists else f"invalid user {name}"
            ended = who if who.startswith("invalid") else f"authenticating user {name}"
            end = f"{address} port {1024 + number * 7919 % 64000}"
            draw = chance.random()
            program = f"sshd[{1000 + number % 4_000_000}]"
            if draw < 0.60:
                texts = [f"{program}: Failed password for {who} from {end} ssh2"]
                guesses[address] += 1
                lines[address] += 1
            elif draw < 0.61:
                texts = [f"{program}: message repeated 2 times: [ Failed password for {who} from {end} ssh2]"]
                guesses[address] += 2
                lines[address] += 1
            elif draw < 0.80:
                texts = [f"{program}: Connection closed by {ended} {end} [preauth]"]
                ends[address] += 1
            elif draw < 0.88:
                texts = [
                    f"{program}: pam_unix(sshd:auth): authentication failure; rhost={address}  user=root"
                ]
            elif draw < 0.93:
                texts = [f"CRON[{number}]: pam_unix(cron:session): session opened for user root(uid=0)"]
            elif draw < 0.99999:
                texts = [
                    "sudo:   deploy : TTY=pts/0 ; PWD=/srv ; USER=root ; COMMAND=/usr/bin/systemctl status"
                ]
            else:
                texts = [
                    f"{program}: Accepted publickey for deploy from 198.51.100.7 port 2222 ssh2: RSA SHA256:x"
                ]
            for text in texts:
                written += log.write(f"{moment.isoformat(timespec='microseconds')} web1 {text}\n")
    failures = Counter({address: max(guesses[address], ends[address]) for address in guesses | ends})
    return Truth(failures, lines)


def _address(chance: random.Random) -> str:
    if chance.random() < 0.1:
        return f"2001:db8:{chance.randrange(1, 65536):x}::{chance.randrange(1, 65536):x}"
    return ".".join(str(chance.randrange(1, 224)) for _octet in range(4))


def measure(argv: list[str], shell: bool) -> Run:
    """Run it, adding up the memory of its process group every few milliseconds."""
    started = time.monotonic()
    before = os.times()
    process = subprocess.Popen(
        argv[0] if shell else argv,
        shell=shell,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "LC_ALL": "C", "PYTHONPATH": str(COLLECTIONS)},
    )
    peak = [0]
    watcher = threading.Thread(target=_watch, args=(process, peak))
    watcher.start()
    output, _errors = process.communicate()
    wall = time.monotonic() - started
    watcher.join()
    after = os.times()
    if process.returncode:
        sys.exit(f"{argv[0]} ended with code {process.returncode}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    pairs = (line.split() for line in output.splitlines())
    return Run(wall, cpu, peak[0], Counter({address: int(count) for count, address in pairs}))


def _watch(process: subprocess.Popen[str], peak: list[int]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], _resident(process.pid))
        time.sleep(0.02)


def _resident(group: int) -> int:
    total = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            total += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return total


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--size", type=int, default=1_000_000_000, help="of the log, in bytes")
    arguments.add_argument("--runs", type=int, default=5)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="firebreak-login-scan-") as folder:
        log = Path(folder) / "auth.log"
        truth = write_log(log, options.size)
        commands = {
            "firebreak": ([sys.executable, "-c", SCAN, str(log)], False, truth.failures),
            "pipeline": ([PIPELINE.format(log)], True, truth.lines),
        }
        runs: dict[str, list[Run]] = {name: [] for name in commands}
        # In turn, so that whatever else the machine does disturbs both alike.
        for _run in range(options.runs):
            for name, (argv, shell, expected) in commands.items():
                runs[name].append(measure(argv, shell))
                if runs[name][-1].counts != expected:
                    sys.exit(f"{name} does not count what was written")
        print(
            f"{log.stat().st_size} bytes, {truth.failures.total()} failures of {len(truth.failures)} sources"
        )
        for name, results in runs.items():
            print(
                f"{name:10} wall {statistics.median(run.wall for run in results):6.2f} s   "
                f"CPU {statistics.median(run.cpu for run in results):6.2f} s   "
                f"peak {statistics.median(run.peak for run in results) / 1e6:6.1f} MB"
            )


if __name__ == "__main__":
    main()
