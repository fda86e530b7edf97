# SPDX-License-Identifier: GPL-3.0-or-later
"""A service and sshd say more for a while, and afterwards nothing is left of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from firebreak_lab import Attacker, Lab

from .conftest import module as run_module

SERVICES: dict[str, dict[str, dict[str, Any]]] = {
    "zekka1": {"app": {"runtime": "systemd", "unit": "zekka.service", "logs": ["/opt/zekka/logs/*.log"]}},
    "matrixon1": {"app": {"runtime": "compose", "project": "matrixon", "service": "matrixon-app"}},
}
# What the drop-ins, the timers and the processes are; the pids differ after a restart.
STATE = r"""
find /run/systemd/system /etc/systemd/system /etc/ssh -printf '%p %m\n' | sort
find /run/systemd/system /etc/systemd/system /etc/ssh -type f -exec sha256sum {} + | sort
systemctl list-units --all --plain --no-legend 'firebreak-logging-*'
tr '\0' '\n' < /proc/$(systemctl show -p MainPID --value zekka)/environ | grep LOG_LEVEL
tr '\0' '\n' < /proc/$(systemctl show -p MainPID --value ssh)/cmdline | sed 's/\[.*//'
"""
# What the timers start, started before its time.
FIRE = ["systemctl", "start", "firebreak-logging-zekka_service", "firebreak-logging-ssh_service"]
CLEAN = """
systemctl stop 'firebreak-logging-*.timer'
rm -f /run/systemd/system/*.d/90-firebreak-*; rmdir /run/systemd/system/*.d
systemctl daemon-reload; systemctl restart ssh
"""


def module(host: str, *words: str, name: str = "enhanced_logging", **options: Any) -> Mapping[str, Any]:
    return run_module(host, name, *words, **options)


def state(lab: Lab, host: str = "zekka1") -> str:
    return lab.run(host, ["bash", "-c", STATE]).stdout


def verbose(lab: Lab, attacker: Attacker, host: str) -> bool:
    """Whether sshd says which key somebody has tried, as it does from VERBOSE on."""
    lab.run(host, ["journalctl", "-q", "--rotate", "--vacuum-time=1s"])
    attacker.key_failures(host, 68, attempts=1, user="deploy")
    time.sleep(0.3)
    return "Failed publickey for deploy" in lab.run(host, ["journalctl", "-q", "-o", "cat"]).stdout


@pytest.fixture(scope="module")
def quiet(lab: Lab) -> Iterator[Lab]:
    lab.reset()
    yield lab
    for host in SERVICES:
        lab.run(host, ["bash", "-c", CLEAN])
    lab.reset()


def test_service_and_sshd_say_more_until_the_end_comes(quiet: Lab, attacker: Attacker) -> None:
    options: dict[str, Any] = {"services": SERVICES["zekka1"], "max_risk": "disruptive", "duration": "10m"}
    before = state(quiet)
    assert "LOG_LEVEL=info" in before
    assert not verbose(quiet, attacker, "zekka1")

    planned = module("zekka1", "--check", **options)
    assert (planned["verdict"], state(quiet)) == ("planned", before)
    done = module("zekka1", **options, approved_plan=planned["plan_digest"])
    assert done["verdict"] == "resolved", done
    # The unit's own environment file says info.
    assert "LOG_LEVEL=debug" in state(quiet)
    assert verbose(quiet, attacker, "zekka1")
    assert attacker.get("zekka1")[0] == 200
    for target in done["after"]["targets"].values():
        assert target["enhanced"] and target["until"]

    on = state(quiet)
    again = module("zekka1", **options)
    assert (again["verdict"], again["changed"], state(quiet)) == ("not_needed", False, on)
    shown = module("zekka1", name="enhanced_logging_info")
    assert [each["armed"] for each in shown["enhanced"]] == [True, True]
    assert {finding["level"] for finding in shown["findings"]} == {"notice"}

    pids = quiet.run("zekka1", ["bash", "-c", "systemctl show -p MainPID zekka ssh"]).stdout
    longer = module("zekka1", **{**options, "duration": "2h"})
    assert longer["verdict"] == "resolved", longer
    assert {action["risk"] for action in longer["actions"]} == {"reversible"}
    assert quiet.run("zekka1", ["bash", "-c", "systemctl show -p MainPID zekka ssh"]).stdout == pids

    quiet.run("zekka1", FIRE).check("the end")
    quiet.run("zekka1", ["systemctl", "stop", "firebreak-logging-*.timer"])
    end = time.monotonic() + 10
    while state(quiet) != before and time.monotonic() < end:
        time.sleep(0.3)
    assert state(quiet) == before
    assert not verbose(quiet, attacker, "zekka1")


def test_with_a_low_ceiling_only_sshd_says_more_and_undo_leaves_nothing(
    quiet: Lab, attacker: Attacker
) -> None:
    before = state(quiet)
    done = module("zekka1", services=SERVICES["zekka1"], context={"run": "logging-run"})
    assert done["verdict"] == "resolved", done
    assert {action["target"]: action["status"] for action in done["actions"]} == {
        "zekka.service": "refused",
        "ssh.service": "done",
    }
    assert "LOG_LEVEL=info" in state(quiet)
    assert verbose(quiet, attacker, "zekka1")
    undone = module("zekka1", name="undo", id="logging-run")
    assert undone["verdict"] == "resolved", undone
    assert state(quiet) == before


def test_a_container_is_not_made_anew_for_it(quiet: Lab) -> None:
    refused = module("matrixon1", services=SERVICES["matrixon1"], targets=["app"], max_risk="disruptive")
    assert "making it anew" in refused["msg"]
    assert not refused["changed"]


def test_a_service_that_does_not_come_up_with_it_gets_its_old_configuration_back(quiet: Lab) -> None:
    before = state(quiet)
    failed = module(
        "zekka1",
        services=SERVICES["zekka1"],
        targets=["app"],
        environment={"POOL_SIZE": "many"},
        max_risk="disruptive",
    )
    assert "taken back" in failed["msg"]
    assert state(quiet) == before
    quiet.run("zekka1", ["systemctl", "reset-failed"])


def test_a_log_disk_that_is_nearly_full_is_not_filled(quiet: Lab) -> None:
    fill = "mkdir -p /mnt/logs; mount -t tmpfs -o size=8m none /mnt/logs && fallocate -l 7900k /mnt/logs/full"
    quiet.run("zekka1", ["bash", "-c", fill]).check("a small disk")
    try:
        app = {"app": {**SERVICES["zekka1"]["app"], "logs": ["/mnt/logs/*.log"]}}
        refused = module("zekka1", services=app, targets=["app"], max_risk="disruptive")
    finally:
        quiet.run("zekka1", ["umount", "/mnt/logs"])
    assert "the filesystem of /mnt/logs has 0.00 GiB of 0.0 GiB left" in refused["msg"]
    assert not refused["changed"]
