# SPDX-License-Identifier: GPL-3.0-or-later
"""Triage against the commands of the runbooks, on the lab and over SSH.

    python tests/performance/triage.py [--runs N] [--names N]

Three ways to look at one host, and at many inventory names (half of them zekka1, half matrixon1), each name
over a connection of its own:

    triage   ansible-playbook playbooks/triage.yml, every section
    raw      the runbook's own commands, in one raw SSH session for each host, all hosts at once
    tasks    the same commands as stock tasks, one for each

Prints the median wall time of each over N runs, in turn, and the two ratios. Every run begins without an
open connection. Controller and targets share this machine, so many names measure its CPUs more than
anything else.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml

from firebreak_lab import Lab

CHECKOUT = Path(__file__).resolve().parents[2]
STATE = CHECKOUT / ".lab"
ADDRESSES = {"zekka": "172.29.77.11", "matrixon": "172.29.77.12"}
AIM_RAW, AIM_TASKS = 1.5, 6.0
LIMIT = 600

# Those of the runbooks' commands that end by themselves; what follows a file is read once.
EVERYWHERE = (
    "top -bn1 | head -20",
    "df -h",
    "free -h",
    "ss -tuln",
    "ss -s",
    "iptables -L -n",
    "fail2ban-client status",
    "fail2ban-client status sshd",
    "last -n 20",
    "w",
)
COMMANDS: Mapping[str, Sequence[str]] = {
    "zekka": (
        *EVERYWHERE,
        "systemctl --no-pager status zekka.service postgresql redis-server nginx",
        "tail -n 500 /opt/zekka/logs/error.log",
        "curl -s http://127.0.0.1:3000/health",
        "curl -s http://127.0.0.1:3000/metrics | grep http_request",
        "journalctl -u zekka.service -n 100 --no-pager",
        "grep -i error /opt/zekka/logs/*.log | tail -100",
        "grep -i database /opt/zekka/logs/*.log | tail -50",
        'runuser -u postgres -- psql -d zekka_production -c "SELECT pid, now() - query_start AS duration, '
        "query FROM pg_stat_activity WHERE state = 'active' ORDER BY duration DESC\"",
        'runuser -u postgres -- psql -d zekka_production -c "SELECT * FROM pg_locks WHERE NOT granted"',
        "redis-cli INFO",
        "redis-cli SLOWLOG GET 10",
        "grep 'Failed password' /var/log/auth.log | tail -50",
        "openssl s_client -connect 127.0.0.1:443 -servername api.zekka.example </dev/null 2>/dev/null "
        "| openssl x509 -noout -dates",
        "journalctl -u zekka.service -p err -n 100 --no-pager",
    ),
    "matrixon": (
        *EVERYWHERE,
        "docker compose --project-directory /opt/matrixon ps",
        "docker stats --no-stream",
        "docker exec matrixon-postgres pg_isready -U matrixon",
        "docker exec matrixon-redis redis-cli ping",
        'docker exec matrixon-postgres psql -U matrixon -c "SELECT count(*) FROM pg_stat_activity"',
        'docker exec matrixon-postgres psql -U matrixon -c "SELECT query, state, query_start FROM '
        "pg_stat_activity WHERE state != 'idle' ORDER BY query_start\"",
        'docker exec matrixon-postgres psql -U matrixon -c "SELECT * FROM pg_locks WHERE NOT granted"',
        "docker exec matrixon-postgres df -h",
        "curl -s -I http://127.0.0.1/_matrix/client/versions",
        "openssl s_client -connect 127.0.0.1:443 -servername matrixon.example </dev/null 2>/dev/null "
        "| openssl x509 -noout -dates",
        "grep -i error /var/log/matrixon/*.log | tail -20",
        "grep -i 'slow\\|timeout\\|error' /var/log/matrixon/*.log | tail -100",
        "journalctl -u docker -n 100 --no-pager",
        "journalctl -t sshd -t sshd-session -n 500 --no-pager | grep 'Failed password'",
    ),
}
SSH = (
    "ssh", "-i", str(STATE / "id_ed25519"), "-o", f"UserKnownHostsFile={STATE / 'known_hosts'}",
    "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes",
    "-o", "ControlMaster=no", "-o", "ControlPath=none",
)  # fmt: skip


@dataclass(frozen=True)
class Fleet:
    """Inventory names with the deployment that each is an instance of."""

    label: str
    hosts: Mapping[str, str]


def fleets(names: int) -> tuple[Fleet, ...]:
    kinds = ("zekka", "matrixon")
    many = {f"bench{number:02d}": kinds[number % 2] for number in range(names)}
    return (
        *(Fleet(f"1 host ({kind})", {f"bench-{kind}": kind}) for kind in kinds),
        Fleet(f"{names} names", many),
    )


def write_inventory(folder: Path, fleet: Fleet) -> Path:
    groups: dict[str, dict[str, object]] = {}
    for name, kind in fleet.hosts.items():
        hosts = groups.setdefault(kind, {"hosts": {}})["hosts"]
        if isinstance(hosts, dict):
            hosts[name] = {
                "ansible_host": ADDRESSES[kind],
                "ansible_control_path": f"{folder}/{name}.%%r",
            }
    path = folder / "hosts.yml"
    path.write_text(yaml.safe_dump({"all": {"children": groups}}))
    return path


def write_tasks(folder: Path) -> Path:
    """The commands as stock tasks, after the manner of most playbooks."""
    plays = [
        {"hosts": kind, "gather_facts": False, "tasks": [_task(command) for command in commands]}
        for kind, commands in COMMANDS.items()
    ]
    path = folder / "tasks.yml"
    path.write_text(yaml.safe_dump(plays))
    return path


def _task(command: str) -> dict[str, object]:
    return {
        "name": command[:60],
        "ansible.builtin.shell": command,
        "changed_when": False,
        "failed_when": False,
    }


def play(playbook: Path, inventory: Path, fleet: Fleet) -> None:
    run = subprocess.run(
        [
            "ansible-playbook", str(playbook), "-i", str(CHECKOUT / "inventories/lab"), "-i", str(inventory),
            "-l", ",".join(fleet.hosts), "-e", f"firebreak_lab_state={STATE}",
        ],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    if run.returncode:
        sys.exit(f"{playbook.name} on {fleet.label} ended with code {run.returncode}:\n{run.stdout[-2000:]}")


def raw(fleet: Fleet) -> None:
    def session(kind: str) -> int:
        script = "".join(f"( {command} ) 2>&1\n" for command in COMMANDS[kind]) + "exit 0\n"
        done = subprocess.run(
            [*SSH, f"responder@{ADDRESSES[kind]}", "sudo", "bash", "-s"],
            input=script, capture_output=True, text=True, timeout=LIMIT, check=False,
        )  # fmt: skip
        return done.returncode

    with ThreadPoolExecutor(max_workers=len(fleet.hosts)) as pool:
        if any(pool.map(session, fleet.hosts.values())):
            sys.exit(f"a raw session on {fleet.label} failed")


def seconds(work: Callable[[], None]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def measure(fleet: Fleet, runs: int) -> dict[str, float]:
    """The median of each way, in seconds."""
    results = [once(fleet) for _run in range(runs)]
    return {way: statistics.median(result[way] for result in results) for way in results[0]}


def once(fleet: Fleet) -> dict[str, float]:
    """Each way in turn, so that whatever else the machine does disturbs all alike."""
    with tempfile.TemporaryDirectory(prefix="firebreak-bench-") as name:
        folder = Path(name)
        inventory, tasks = write_inventory(folder, fleet), write_tasks(folder)
        found = {"triage": seconds(lambda: play(CHECKOUT / "playbooks/triage.yml", inventory, fleet))}
        close(folder)
        found["raw"] = seconds(lambda: raw(fleet))
        found["tasks"] = seconds(lambda: play(tasks, inventory, fleet))
        close(folder)
    return found


def close(folder: Path) -> None:
    """End the connections that a run has left open, so that the next one opens its own."""
    for socket in folder.glob("bench*.*"):
        subprocess.run(
            ["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "bench"], capture_output=True, check=False
        )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--names", type=int, default=20)
    options = arguments.parse_args()
    if shutil.which("ansible-playbook") is None:
        sys.exit("ansible-playbook is not on the PATH; run this with: make bench")
    Lab(quiet=True).up()
    print(f"{os.cpu_count()} CPUs for controller and targets together, medians of {options.runs} runs")
    for fleet in fleets(options.names):
        found = measure(fleet, options.runs)
        to_raw, to_tasks = found["triage"] / found["raw"], found["tasks"] / found["triage"]
        print(
            f"{fleet.label:20} triage {found['triage']:6.2f} s   raw {found['raw']:6.2f} s   "
            f"tasks {found['tasks']:6.2f} s   {to_raw:.2f} x raw (aim at most {AIM_RAW})   "
            f"{to_tasks:.1f} x faster than tasks (aim at least {AIM_TASKS:g})",
            flush=True,
        )


if __name__ == "__main__":
    main()
