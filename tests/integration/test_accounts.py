# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody is in with a stolen account: shut out, thrown out, and the account given back as it was."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from firebreak_lab import Attacker, Lab

from .conftest import module

KEY = "/run/lab/stolen"
ADDRESS = {"zekka1": "172.29.77.11", "matrixon1": "172.29.77.12"}
SSH = (
    "ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "
    f"-o BatchMode=yes -o ConnectTimeout=5 -b 172.29.77.66 -i {KEY}"
)
# One in the session, one detached from it as an intruder leaves it behind.
STAY = "nohup setsid sleep 614 >/dev/null 2>&1 & exec sleep 613"
LEFT = "pgrep -u deploy -x sleep"


@pytest.fixture(scope="module")
def stolen(lab: Lab) -> Iterator[Lab]:
    """The intruder has put a key of their own beside the password."""
    lab.reset()
    client = ["bash", "-c", f"mkdir -p /run/lab; rm -f {KEY}*; ssh-keygen -q -t ed25519 -N '' -f {KEY}"]
    lab.run("client1", client).check("making a key")
    key = lab.run("client1", ["cat", f"{KEY}.pub"]).stdout
    for host in ADDRESS:
        lab.run(
            host,
            [
                "bash",
                "-c",
                "install -d -m 700 -o deploy -g deploy ~deploy/.ssh; cat > ~deploy/.ssh/authorized_keys",
            ],
            input=key,
        ).check("giving the key away")
    yield lab
    for host in ADDRESS:
        lab.run(
            host, ["bash", "-c", "pkill -KILL -u deploy; rm -rf ~deploy/.ssh; loginctl disable-linger deploy"]
        )
    lab.reset()


def with_key(lab: Lab, host: str) -> bool:
    words = [*SSH.split(), f"deploy@{ADDRESS[host]}", "id", "-un"]
    return lab.run("client1", words, timeout=20).stdout.strip() == "deploy"


def with_password(attacker: Attacker, host: str) -> bool:
    return bool(attacker.failures_then_success(host, 67, attempts=0)["success"])


def stay(lab: Lab, host: str) -> str:
    """Log in with the key and stay; the pid on the client."""
    command = f"{SSH} -tt deploy@{ADDRESS[host]} '{STAY}' </dev/null >/dev/null 2>&1 & echo $!"
    pid = lab.run("client1", ["bash", "-c", command]).stdout.strip()
    end = time.monotonic() + 10
    while len(lab.run(host, ["bash", "-c", LEFT]).stdout.split()) < 2:
        assert time.monotonic() < end, "the intruder did not get in"
        time.sleep(0.1)
    return pid


def shadow(lab: Lab, host: str) -> str:
    return lab.run(host, ["sha256sum", "/etc/shadow"]).stdout


def test_a_stolen_account_is_closed_against_password_and_key_and_given_back_exactly(
    stolen: Lab, attacker: Attacker
) -> None:
    stolen.run("zekka1", ["chage", "-E", "2027-03-04", "deploy"]).check("an expiry of its own")
    before = shadow(stolen, "zekka1")
    assert with_key(stolen, "zekka1") and with_password(attacker, "zekka1"), "the account is not stolen"

    planned = module("zekka1", "lock_users", "--check", users=["deploy"])
    assert (planned["verdict"], shadow(stolen, "zekka1")) == ("planned", before)
    done = module("zekka1", "lock_users", users=["deploy"], approved_plan=planned["plan_digest"])
    assert done["verdict"] == "resolved", done
    assert done["after"]["users"]["deploy"] == {"closed": True, "expires": "1970-01-02", "password": "locked"}
    assert not with_key(stolen, "zekka1") and not with_password(attacker, "zekka1")
    again = module("zekka1", "lock_users", users=["deploy"])
    assert (again["verdict"], again["changed"]) == ("not_needed", False)
    ledger = stolen.run("zekka1", ["cat", "/var/lib/firebreak/ledger.jsonl"]).stdout
    assert "accounts.lock" in ledger and "$y$" not in ledger + json.dumps(done)

    opened = module("zekka1", "lock_users", users=["deploy"], state="unlocked")
    assert opened["verdict"] == "resolved", opened
    assert shadow(stolen, "zekka1") == before
    assert with_key(stolen, "zekka1") and with_password(attacker, "zekka1")


@pytest.mark.parametrize("host", ["zekka1", "matrixon1"])
def test_who_is_in_is_thrown_out_with_all_they_left_behind(stolen: Lab, host: str) -> None:
    stolen.run(host, ["loginctl", "enable-linger", "deploy"]).check("a service manager of their own")
    if host == "matrixon1":
        start = "docker run -d --rm --name same-number --user 1001 --entrypoint sleep matrixon-stack 600"
        image = stolen.run(
            host, ["docker", "inspect", "-f", "{{.Config.Image}}", "matrixon-redis"]
        ).stdout.strip()
        stolen.run(host, start.replace("matrixon-stack", image).split()).check("a container with that number")
    pid = stay(stolen, host)
    try:
        refused = module(host, "end_sessions", users=["deploy"])
        assert "disruptive" in refused["msg"]
        done = module(host, "end_sessions", users=["deploy"], max_risk="disruptive")
        assert done["verdict"] == "resolved", done
        assert {action["action"] for action in done["actions"]} == {"sessions.end", "sessions.end_processes"}
        assert [finding["id"] for finding in done["findings"]] == ["sessions.user.can_return"]
        assert stolen.run("client1", ["kill", "-0", pid]).rc != 0, "the connection of the intruder lives"
        left = stolen.run(host, ["bash", "-c", "ps -o pid=,cmd= -u deploy | grep -v 'sleep 600'"]).stdout
        assert left.strip() == ""
        if host == "matrixon1":
            assert (
                stolen.run(host, ["docker", "inspect", "-f", "{{.State.Running}}", "same-number"]).stdout
                == "true\n"
            )
        failed = stolen.run(host, ["systemctl", "list-units", "--failed", "--plain", "--no-legend"]).stdout
        assert "user@" not in failed
        again = module(host, "end_sessions", users=["deploy"], max_risk="disruptive")
        assert (again["verdict"], again["changed"]) == ("not_needed", False)
    finally:
        if host == "matrixon1":
            stolen.run(host, ["docker", "rm", "-f", "same-number"])


def test_only_the_sessions_of_one_address_end(stolen: Lab) -> None:
    pid = stay(stolen, "zekka1")
    nobody = module("zekka1", "end_sessions", addresses=["172.29.77.67"], max_risk="disruptive")
    assert nobody["verdict"] == "not_needed"
    done = module("zekka1", "end_sessions", addresses=["172.29.77.66"], max_risk="disruptive")
    assert done["verdict"] == "resolved", done
    assert stolen.run("client1", ["kill", "-0", pid]).rc != 0
    assert stolen.run("zekka1", ["bash", "-c", LEFT]).rc != 0


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("lock_users", {"users": ["root"]}, "it is root"),
        ("lock_users", {"users": ["responder"]}, "your own"),
        ("lock_users", {"users": ["postgres"]}, "system account"),
        ("lock_users", {"users": ["depoly"]}, "user 'depoly': this host has no account"),
        ("end_sessions", {"users": ["responder"], "max_risk": "disruptive"}, "your own session"),
        ("end_sessions", {"users": ["zekka"], "max_risk": "disruptive"}, "zekka.service run as zekka"),
        ("end_sessions", {}, "nobody is named"),
    ],
)
def test_what_must_stay_open_is_refused(
    stolen: Lab, name: str, options: Mapping[str, Any], reason: str
) -> None:
    before = shadow(stolen, "zekka1")
    answer = module("zekka1", name, **options)
    assert reason in json.dumps(answer)
    assert not answer["changed"]
    assert shadow(stolen, "zekka1") == before
