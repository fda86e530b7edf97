# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing to break on each host, for a demonstration."""

from __future__ import annotations

from .lab import Lab
from .model import LabError

COMPOSE = ["docker", "compose", "--project-directory", "/opt/matrixon"]
BREAK = {
    "zekka1": ["systemctl", "stop", "redis-server"],
    "matrixon1": [*COMPOSE, "stop", "-t", "3", "postgres"],
}
MEND = {
    "zekka1": ["systemctl", "start", "redis-server"],
    "matrixon1": [*COMPOSE, "start", "postgres"],
}


def break_one_thing(lab: Lab, host: str) -> str:
    """Stop what users depend on; returns the command that did it."""
    return _run(lab, host, BREAK)


def mend(lab: Lab, host: str) -> str:
    """Take `break_one_thing` back; returns the command that did it."""
    return _run(lab, host, MEND)


def _run(lab: Lab, host: str, table: dict[str, list[str]]) -> str:
    if host not in table:
        raise LabError(f"nothing to break on {host!r}; there are {', '.join(table)}")
    lab.run(host, table[host]).check(f"{' '.join(table[host])} on {host}")
    return " ".join(table[host])
