# SPDX-License-Identifier: GPL-3.0-or-later
"""What fills a filesystem with a million files: `disk_space_info` against `du -ah | sort -rh | head`.

    python tests/performance/disk_walk.py [--runs N] [--files N]

On a tmpfs of its own on zekka1, over SSH, with a connection that is open already. Prints the median wall
time of each over N runs, in turn, the most memory that their processes had there together, and the ratios.
The pipeline knows directories and files by size; the module also kinds, ages, inodes, deleted files,
sparse files, hard links and what no file explains.
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
HOST, ADDRESS, POINT = "zekka1", "172.29.77.11", "/mnt/firebreak-bench"
LIMIT = 300
SET_UP = f"""
mkdir -p {POINT}; mount -t tmpfs -o size=6g,nr_inodes=4000000 tmpfs {POINT}
cat > /run/disk-bench.py
python3 /run/disk-bench.py "$1"
"""
# A hundred directories in each, a thousand files in each of these; every tenth has something in it.
MAKE = f"""
import os, sys
for number in range(int(sys.argv[1]) // 1000):
    folder = "{POINT}/%d/%d" % (number // 100, number)
    os.makedirs(folder)
    for file in range(1000):
        with open("%s/file%d.%s" % (folder, file, ("log", "dat", "txt", "json")[file % 4]), "wb") as stream:
            if file % 10 == 0:
                stream.write(bytes(file * 10))
"""
# The most that the processes had together which were not there before.
WATCH = """
import os, select, sys, time
def processes():
    return {int(name) for name in os.listdir("/proc") if name.isdigit()}
def resident(pid):
    try:
        fields = open("/proc/%d/statm" % pid).read().split()
        name = open("/proc/%d/comm" % pid).read().strip()
    except OSError:
        return 0
    return int(fields[1]) * 4096 if name in ("python3", "du", "sort", "head") else 0
before, peak = processes(), 0
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0.02)[0]:
    peak = max(peak, sum(map(resident, processes() - before)))
print(peak)
"""
PIPELINE = f"du -ah {POINT} | sort -rh | head -20"
SSH = (
    "ssh", "-i", str(STATE / "id_ed25519"), "-o", f"UserKnownHostsFile={STATE / 'known_hosts'}",
    "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes",
    "-o", "ControlMaster=auto", "-o", "ControlPersist=60",
)  # fmt: skip


def by_module(folder: Path, files: int) -> None:
    run = subprocess.run(
        [
            "ansible", HOST, "-b", "-i", str(CHECKOUT / "inventories/lab"),
            "-e", f"ansible_control_path={folder}/module",
            "-m", "firebreak.incident.disk_space_info", "-a", json.dumps({"paths": [POINT], "timeout": "5m"}),
        ],
        cwd=CHECKOUT, env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    if run.returncode or f'"files": {files}' not in run.stdout:
        sys.exit(f"disk_space_info ended with code {run.returncode}:\n{(run.stderr or run.stdout)[-2000:]}")


def by_pipeline(folder: Path, _files: int) -> None:
    run = subprocess.run(
        [*SSH, "-o", f"ControlPath={folder}/raw", f"responder@{ADDRESS}", "sudo", "bash", "-s"],
        input=PIPELINE, capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    if POINT not in run.stdout:
        sys.exit(f"du named nothing:\n{run.stderr[-2000:]}")


def measure(work: Callable[[Path, int], None], folder: Path, files: int) -> tuple[float, int]:
    """Seconds, and bytes of memory on the host."""
    watcher = subprocess.Popen(
        ["docker", "exec", "-i", f"firebreak-lab-{HOST}", "python3", "-uc", WATCH],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert watcher.stdin and watcher.stdout
    watcher.stdout.readline()
    started = time.monotonic()
    work(folder, files)
    seconds = time.monotonic() - started
    peak, _errors = watcher.communicate("\n", timeout=LIMIT)
    return seconds, int(peak)


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--files", type=int, default=1_000_000)
    options = arguments.parse_args()
    if shutil.which("ansible") is None:
        sys.exit("ansible is not on the PATH; run this with: make bench")
    lab = Lab(quiet=True)
    lab.up()
    files = options.files // 1000 * 1000
    try:
        make = ["bash", "-ec", SET_UP, "make", str(files)]
        lab.run(HOST, make, input=MAKE, timeout=LIMIT).check("making files")
        with tempfile.TemporaryDirectory(prefix="firebreak-bench-") as name:
            folder = Path(name)
            ways = {"module": by_module, "du | sort | head": by_pipeline}
            for way in ways.values():
                way(folder, files)
            found = [
                {name: measure(way, folder, files) for name, way in ways.items()}
                for _run in range(options.runs)
            ]
    finally:
        clear = f"umount {POINT}; rmdir {POINT}; rm -f /run/disk-bench.py"
        lab.run(HOST, ["bash", "-c", clear], timeout=LIMIT)
    print(f"{files} files")
    medians = []
    for name in ways:
        wall = statistics.median(run[name][0] for run in found)
        peak = statistics.median(run[name][1] for run in found)
        medians.append((wall, peak))
        print(f"{name:17} wall {wall:6.2f} s   peak {peak / 1e6:7.1f} MB")
    ours, theirs = medians
    print(f"the module takes {ours[0] / theirs[0]:.2f} of the time, {ours[1] / theirs[1]:.2f} of the memory")


if __name__ == "__main__":
    main()
