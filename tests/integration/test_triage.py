# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at every host; what is broken is named, and what cannot be seen is never called healthy."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firebreak_lab import DEMONSTRATED, Attacker, Lab, begin, broken, end

CHECKOUT = Path(__file__).resolve().parents[2]
HOSTS = ("zekka1", "matrixon1")
PAGES = {"zekka1": "/api/items", "matrixon1": "/_matrix/client/versions"}


def critical(play: Any, host: str) -> list[str]:
    found = play.result(host, "triage_info")["findings"]
    return [f"{finding['id']} {finding['subject']}" for finding in found if finding["level"] == "critical"]


def test_what_users_feel_is_named_on_each_host_and_gone_afterwards(
    pristine: Lab, attacker: Attacker, play: Callable[..., Any]
) -> None:
    for host, page in PAGES.items():
        begin(pristine, DEMONSTRATED[host])
        assert attacker.get(host, page)[0] >= 500
    try:
        broken = play("triage")
    finally:
        for host in HOSTS:
            end(pristine, DEMONSTRATED[host])
    assert (broken.code, broken.changed()) == (0, 0), broken.output
    assert any("workload.service.down" in line and "redis" in line for line in critical(broken, "zekka1"))
    assert any(
        "workload.service.down" in line and "postgres" in line for line in critical(broken, "matrixon1")
    )
    for host in HOSTS:
        assert any("workload.http.failing" in line for line in critical(broken, host))
    summary = broken.result("zekka1", "summary")
    assert "2 of 2 hosts" in str(summary["common"])

    pristine.reset()
    mended = play("triage")
    assert {host: critical(mended, host) for host in HOSTS} == {host: [] for host in HOSTS}


def test_an_attack_is_named_with_its_remedy(
    pristine: Lab, attacker: Attacker, play: Callable[..., Any]
) -> None:
    attacker.attack("zekka1", 66)
    done = play("triage")
    found = [
        f for f in done.result("zekka1", "triage_info")["findings"] if f["id"] == "logins.source.brute_force"
    ]
    assert found[0]["remedy"] == {"playbook": "contain_security", "inputs": {}, "cures": True}
    assert any(
        "contain_security.yml -l zekka1" in command for command in done.result("zekka1", "summary")["next"]
    )


def test_this_machine_can_be_looked_at_with_nothing_configured() -> None:
    run = subprocess.run(
        ["ansible-playbook", "-i", "inventories/local", "playbooks/triage.yml"],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def test_a_section_that_hangs_costs_only_itself(pristine: Lab, play: Callable[..., Any]) -> None:
    with broken(pristine, "engine-frozen"):
        done = play("triage", limit="matrixon1", section_timeout=3)
    assert done.code == 0, done.output
    result = done.result("matrixon1", "triage_info")
    assert [f["id"] for f in result["findings"] if f["id"] == "workload.runtime.unseen"]
    assert result["sections"]["host"]["status"] == "seen"
