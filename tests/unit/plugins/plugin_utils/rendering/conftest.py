# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps as the views get them."""

from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding, Remedy
from ansible_collections.firebreak.incident.plugins.module_utils.plan import Act, Undo
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.contract import Report
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.model import Outcome, Step

EVIL = "root\x1b[2J\x1b]0;owned\x07[bold red]\u202e"


def make_finding(level: str = "critical", subject: str = "postgresql", summary: str = "97 of 97") -> Finding:
    return Finding("postgres.connections.exhausted", level, subject, summary, {}, Remedy("fix_connections"))


def make_act(target: str = "203.0.113.7/32", status: str = "done", reason: str = "214 failures") -> Act:
    return Act("firewall.block", target, {}, "reversible", reason, Undo("firewall.unblock", {}), status)


def make_step(*outcomes: Outcome, hosts: int = 5, name: str = "Look", check: bool = False) -> Step:
    return Step(
        name=name, started=10.0, ended=13.1, hosts_in_play=hosts, check_mode=check, outcomes=list(outcomes)
    )


@pytest.fixture
def evil_step() -> Step:
    """Every place where somebody else's words can stand holds an attack on the terminal."""
    report = Report((make_finding(subject=EVIL, summary=EVIL),), (make_act(EVIL, "refused", EVIL),), EVIL)
    return make_step(Outcome("h", "ok", [report], diff=()), name=EVIL)
