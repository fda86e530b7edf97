# SPDX-License-Identifier: GPL-3.0-or-later
"""The Firebreak lab: two production hosts and a client, as containers."""

from __future__ import annotations

from .attack import Attacker, Connection
from .engine import Result
from .faults import DEMONSTRATED, FAULTS, begin, broken, end
from .lab import Lab
from .model import ATTACKERS, Host, LabError, address, lab_hosts

__all__ = [
    "ATTACKERS",
    "DEMONSTRATED",
    "FAULTS",
    "Attacker",
    "Connection",
    "Host",
    "Lab",
    "LabError",
    "Result",
    "address",
    "begin",
    "broken",
    "end",
    "lab_hosts",
]
