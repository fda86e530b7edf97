# SPDX-License-Identifier: GPL-3.0-or-later
"""Asked for the wrong thing, by hand or by mistake: one clear message, and nothing half done."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firebreak_lab import Attacker, Lab

from .adhoc import CHECKOUT, ad_hoc
from .conftest import at_once

HOSTS = ("zekka1", "matrixon1")


def asked_for(host: str, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return ad_hoc(host, "-l", host, "-m", f"firebreak.incident.{module}", "-a", " ".join(arguments))


def type_at_a_terminal(
    *words: str, cwd: Path = CHECKOUT, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ansible-playbook", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("172.29.77.1", "you are connected from"),
        ("127.0.0.1", "loopback"),
        ("172.29.77.50", "client1 of the inventory"),
        ("172.29.77.0/24", "172.29.77.0/24"),
        ("104.16.0.9", "Cloudflare"),
        ("10.0.0.0/8", "wider than /16"),
        ("fe80::1", "link-local"),
    ],
)
def test_a_protected_address_is_refused_and_the_rules_stay_byte_identical(
    lab: Lab, host_state: Callable[[str], str], address: str, reason: str
) -> None:
    before = at_once(host_state, HOSTS)
    asked = asked_for("prod", "ip_block", f"addresses={address}", "max_risk=destructive")
    assert asked.returncode != 0
    # Each host's own words follow its name.
    _head, *said = re.split(r"^(\S+) \| FAILED!", asked.stdout, flags=re.MULTILINE)
    assert sorted(said[::2]) == sorted(HOSTS), asked.stdout + asked.stderr
    assert all(reason in words for words in said[1::2]), asked.stdout
    assert at_once(host_state, HOSTS) == before


def test_the_container_networks_of_a_host_are_refused(lab: Lab, host_state: Callable[[str], str]) -> None:
    gateway = lab.run(
        "matrixon1",
        ["docker", "network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", "matrixon_default"],
    ).stdout.strip()
    before = host_state("matrixon1")
    asked = asked_for("matrixon1", "ip_block", f"addresses={gateway.replace('0/', '9/').split('/')[0]}")
    assert "container network" in asked.stdout + asked.stderr
    assert host_state("matrixon1") == before


def test_one_protected_address_does_not_keep_the_attacker_in(pristine: Lab, attacker: Attacker) -> None:
    asked = asked_for("zekka1", "ip_block", "addresses=172.29.77.66,127.0.0.1")
    assert "improved" in asked.stdout
    assert "loopback" in asked.stdout
    assert not attacker.probe("zekka1", 443, 66)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-l", "prod", "-e", "treshold=5"], "Did you mean 'threshold'?"),
        (
            ["-l", "prod", "-e", "max_risk=disruptiv"],
            "value of max_risk must be one of: reversible, disruptive",
        ),
        (["-l", "prod", "-e", "window=1fortnight"], "input 'window'"),
        ([], "nobody said which ones"),
    ],
)
def test_a_mistyped_command_gets_one_message_and_touches_no_host(
    lab: Lab, host_state: Callable[[str], str], words: list[str], message: str
) -> None:
    before = at_once(host_state, HOSTS)
    run = type_at_a_terminal("playbooks/contain_security.yml", *words)
    assert run.returncode != 0
    assert message in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    assert at_once(host_state, HOSTS) == before


def test_it_works_typed_inside_the_playbooks_directory(pristine: Lab) -> None:
    run = type_at_a_terminal("contain_security.yml", "-l", "prod", cwd=CHECKOUT / "playbooks")
    assert run.returncode == 0, run.stdout + run.stderr


def test_it_works_by_the_name_of_the_collection(lab: Lab) -> None:
    run = type_at_a_terminal("firebreak.incident.triage", "-l", "prod")
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_wrong_ssh_key_is_told_by_host_and_no_host_counts_as_healthy(lab: Lab, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, timeout=20)
    run = type_at_a_terminal(
        "playbooks/triage.yml",
        *("-l", "prod", "-e", f"ansible_ssh_private_key_file={key}"),
        ANSIBLE_SSH_ARGS="-o ControlMaster=no -o ControlPath=none -o IdentitiesOnly=yes",
    )
    assert run.returncode == 4
    for host in HOSTS:
        assert re.search(rf"{host}.*(Permission denied|unreachable)", run.stdout, re.IGNORECASE)


def test_a_stopped_fail2ban_is_a_finding_and_the_attacker_is_contained_all_the_same(
    pristine: Lab, attacker: Attacker, play: Callable[..., Any]
) -> None:
    pristine.run("zekka1", ["systemctl", "stop", "fail2ban"]).check("stopping fail2ban")
    attacker.attack("zekka1", 66)
    done = play("contain_security", limit="zekka1")
    assert done.code == 0, done.output
    assert [f["id"] for f in done.result("zekka1", "fail2ban_info")["findings"]] == [
        "fail2ban.server.stopped"
    ]
    assert not attacker.probe("zekka1", 443, 66)


def test_fail2ban_asked_for_by_hand_while_it_is_stopped_says_how_to_start_it(pristine: Lab) -> None:
    pristine.run("zekka1", ["systemctl", "stop", "fail2ban"]).check("stopping fail2ban")
    asked = asked_for("zekka1", "fail2ban", "addresses=198.51.100.7")
    assert asked.returncode != 0
    assert "systemctl start fail2ban" in asked.stdout + asked.stderr


def test_without_the_nft_program_the_message_names_its_package_and_nothing_is_half_done(
    pristine: Lab, attacker: Attacker, play: Callable[..., Any], host_state: Callable[[str], str]
) -> None:
    path = pristine.run("matrixon1", ["which", "nft"]).stdout.strip()
    attacker.attack("matrixon1", 66)
    before = host_state("zekka1")
    pristine.run("matrixon1", ["mv", path, f"{path}.away"]).check("hiding nft")
    try:
        done = play("contain_security", limit="matrixon1")
    finally:
        pristine.run("matrixon1", ["mv", f"{path}.away", path]).check("bringing nft back")
    assert done.code == 2
    assert [message for message in done.messages() if "package nftables" in message]
    assert host_state("zekka1") == before
    assert pristine.run("matrixon1", ["nft", "list", "table", "inet", "firebreak_block"]).rc != 0


def test_a_plan_over_its_ceiling_is_refused_as_a_whole(
    pristine: Lab, attacker: Attacker, play: Callable[..., Any], host_state: Callable[[str], str]
) -> None:
    attacker.attack("zekka1", 66)
    attacker.attack("zekka1", 67)
    before = host_state("zekka1")
    done = play("contain_security", limit="zekka1", max_actions=1)
    assert done.code == 2
    assert [message for message in done.messages() if "max_actions is 1" in message]
    assert host_state("zekka1") == before


def test_a_log_with_nul_bytes_and_without_years_is_read(
    pristine: Lab, attacker: Attacker, play: Callable[..., Any]
) -> None:
    script = r"""
rm -f /var/log/auth.log
for i in $(seq 1 30); do
  printf '%s zekka1 sshd[%d]: Failed password for invalid user a\000b from 198.51.100.77 port %d ssh2\n' \
    "$(LC_ALL=C date '+%b %e %H:%M:%S')" $((1000 + i)) $((40000 + i)) >> /var/log/auth.log
  head -c 512 /dev/zero >> /var/log/auth.log
done
"""
    pristine.run("zekka1", ["bash", "-c", script]).check("writing the log")
    done = play("contain_security", "--check", limit="zekka1")
    assert done.code == 0, done.output
    assert done.result("zekka1", "login_attempts_info")["attackers"] == ["198.51.100.77"]
