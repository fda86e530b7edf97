# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be broken on the hosts of the lab, and how each is mended: for demonstration, drill and test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from .lab import Lab
from .model import LabError

PSQL = "runuser -u postgres -- psql -qXAt"
REDIS = ". /etc/firebreak-lab/secrets.env; export REDISCLI_AUTH=$ZEKKA_REDIS_PASSWORD; redis-cli"
COMPOSE = "docker compose --project-directory /opt/matrixon"
# Sessions of the application's own role, held by a process that nothing restarts.
AS_APP = "systemd-run -q --collect -p EnvironmentFile=/opt/zekka/.env --unit"
# The lineages as they were issued when the host was made.
ISSUED = "rsync -a --delete /var/lib/lab/pristine/etc/letsencrypt/ /etc/letsencrypt/"
HOLD = "import psycopg2, time; held = []"


@dataclass(frozen=True)
class Fault:
    """`begin` breaks something on `host` and `end` mends it: shell, run as root there."""

    host: str
    begin: str
    end: str


def _stopped(unit: str) -> Fault:
    return Fault("zekka1", f"systemctl stop {unit}", f"systemctl start {unit}")


FAULTS: Mapping[str, Fault] = {
    "redis-stopped": _stopped("redis-server"),
    "postgres-stopped": _stopped("postgresql@15-main"),
    "app-stopped": _stopped("zekka"),
    "nginx-stopped": _stopped("nginx"),
    "fail2ban-stopped": _stopped("fail2ban"),
    "unit-failed": Fault(
        "zekka1",
        "systemd-run -q --unit lab-nightly sh -c 'exit 3'; sleep 0.5",
        "systemctl reset-failed lab-nightly",
    ),
    "unit-flapping": Fault(
        "zekka1",
        "systemd-run -q --unit lab-flapping -p Restart=always -p RestartSec=100ms -p StartLimitIntervalSec=0 "
        "sh -c 'sleep 0.1; exit 1'; sleep 3",
        "systemctl stop lab-flapping; systemctl reset-failed lab-flapping 2> /dev/null; true",
    ),
    "cpu-throttled": Fault(
        "zekka1",
        "systemd-run -q --unit lab-hog -p CPUQuota=10% sh -c 'while :; do :; done'; sleep 0.5",
        "systemctl stop lab-hog",
    ),
    "memory-killed": Fault(
        "zekka1",
        "systemd-run -q --unit lab-leak -p MemoryMax=40M -p MemoryAccounting=yes "
        "python3 -c 'held = bytearray(300 << 20)'; sleep 1.5",
        "systemctl reset-failed lab-leak",
    ),
    "redis-full": Fault(
        "zekka1", f"{REDIS} CONFIG SET maxmemory 100kb", f"{REDIS} CONFIG SET maxmemory 64mb"
    ),
    "pool-exhausted": Fault(
        "zekka1",
        f"{AS_APP} lab-pool python3 -c '{HOLD}\ntry:\n  while True: held.append(psycopg2.connect())\n"
        "except psycopg2.OperationalError: time.sleep(600)'; sleep 2",
        "systemctl stop lab-pool",
    ),
    "sessions-blocked": Fault(
        "zekka1",
        f"{PSQL} -d zekka_production -c 'CREATE TABLE IF NOT EXISTS lab_locked (id int)' "
        "-c 'GRANT ALL ON lab_locked TO zekka_user'; "
        f"{AS_APP} lab-root sh -c '(echo \"BEGIN; LOCK TABLE lab_locked;\"; sleep 600) | psql -qX'; "
        f"sleep 0.5; for n in 1 2 3; do {AS_APP} lab-waiter$n psql -qX -c 'SELECT * FROM lab_locked'; done; "
        "sleep 1",
        # A session that waits for a lock does not notice that its client has gone.
        f"systemctl stop lab-root 'lab-waiter*'; {PSQL} -d zekka_production -c 'SELECT "
        "pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ $$lab_locked$$ "
        "AND pid <> pg_backend_pid()' -c 'DROP TABLE lab_locked' > /dev/null",
    ),
    "certificate-expired": Fault(
        "zekka1",
        "lab-certificate api.zekka.example -7776000 -86400 && systemctl reload nginx && sleep 0.5",
        f"{ISSUED}; systemctl reload nginx",
    ),
    "certificate-not-reloaded": Fault("zekka1", "lab-certificate api.zekka.example 0 10368000", ISSUED),
    "disk-full": Fault(
        "zekka1",
        # The disk of the lab's own machine is too large to be filled.
        "mount -t tmpfs -o size=4m,mode=1777 lab-full /var/tmp && "
        "head -c 8m /dev/zero > /var/tmp/lab-full 2> /dev/null; true",
        "umount /var/tmp",
    ),
    "resolver-dead": Fault(
        "zekka1",
        "cp /etc/resolv.conf /run/lab-resolv && echo 'nameserver 127.0.0.9' > /etc/resolv.conf",
        "cat /run/lab-resolv > /etc/resolv.conf",
    ),
    "neighbour-blocked": Fault(
        "zekka1",
        "ufw prepend deny from 172.29.77.12 > /dev/null",
        "ufw delete deny from 172.29.77.12 > /dev/null",
    ),
    "neighbour-banned": Fault(
        "zekka1",
        "fail2ban-client set sshd banip 172.29.77.12 > /dev/null; sleep 1",
        "fail2ban-client unban 172.29.77.12 > /dev/null",
    ),
    "database-stopped": Fault("matrixon1", f"{COMPOSE} stop -t 3 postgres", f"{COMPOSE} start postgres"),
    "container-crashing": Fault(
        "matrixon1",
        "docker run -d --name lab-crashing --restart always matrixon-stack:lab sh -c 'sleep 0.1; exit 1'; "
        "sleep 5",
        "docker rm -f lab-crashing",
    ),
    "app-frozen": Fault("matrixon1", "docker pause matrixon-app", "docker unpause matrixon-app"),
    "store-full": Fault(
        "matrixon1",
        "docker exec matrixon-redis redis-cli CONFIG SET maxmemory 100kb",
        "docker exec matrixon-redis redis-cli CONFIG SET maxmemory 64mb",
    ),
    "engine-frozen": Fault("matrixon1", "kill -STOP $(pidof dockerd)", "kill -CONT $(pidof dockerd)"),
}

# For a demonstration: what users feel at once.
DEMONSTRATED = {"zekka1": "redis-stopped", "matrixon1": "database-stopped"}


def begin(lab: Lab, name: str) -> str:
    """Break it; returns the command that did."""
    fault = _fault(name)
    return _run(lab, fault.host, fault.begin, name)


def end(lab: Lab, name: str) -> str:
    """Mend it; returns the command that did."""
    fault = _fault(name)
    return _run(lab, fault.host, fault.end, f"the end of {name}")


@contextmanager
def broken(lab: Lab, name: str) -> Iterator[Fault]:
    """Broken inside, mended afterwards, whatever happens."""
    try:
        begin(lab, name)
        yield FAULTS[name]
    finally:
        end(lab, name)


def _fault(name: str) -> Fault:
    if name not in FAULTS:
        raise LabError(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
    return FAULTS[name]


def _run(lab: Lab, host: str, command: str, what: str) -> str:
    lab.run(host, ["bash", "-c", command], timeout=60).check(f"{what} on {host}")
    return command
