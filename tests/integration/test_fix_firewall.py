# SPDX-License-Identifier: GPL-3.0-or-later
"""Why is this address blocked? Made in each layer, found there, lifted there, proved from that side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from firebreak_lab import Attacker, Lab

from .conftest import at_once

ADDRESS = "172.29.77.73"
NUMBER = 73


@dataclass(frozen=True)
class Layer:
    """One way to shut an address out, and the port on which it is felt."""

    name: str
    host: str
    commands: tuple[str, ...]
    port: int = 443


# What one run is to lift, on each of its hosts in one layer.
LAYERS = (
    (
        Layer(
            "nft",
            "zekka1",
            (
                "nft add table inet site",
                "nft 'add chain inet site input { type filter hook input priority -10; }'",
                f"nft add rule inet site input ip saddr {ADDRESS} drop",
            ),
        ),
    ),
    (
        Layer("iptables", "zekka1", (f"iptables -I INPUT -s {ADDRESS} -j DROP",)),
        Layer("iptables", "matrixon1", (f"iptables -I DOCKER-USER -s {ADDRESS} -j DROP",)),
    ),
    (Layer("ufw", "zekka1", (f"ufw prepend deny from {ADDRESS}",)),),
    (Layer("fail2ban", "zekka1", (f"fail2ban-client set sshd banip {ADDRESS}",
                                  f"fail2ban-client set recidive banip {ADDRESS}"), 22),),
)  # fmt: skip


def wait_until_felt(attacker: Attacker, layer: Layer) -> None:
    for _attempt in range(10):
        if not attacker.probe(layer.host, layer.port, NUMBER):
            return
    raise AssertionError(f"the block in {layer.name} is not felt")


def names(layers: Sequence[Layer]) -> str:
    return " ".join(f"{layer.name}-{layer.host}" for layer in layers)


@pytest.mark.parametrize("layers", LAYERS, ids=names)
def test_a_block_is_found_in_its_layer_and_lifted_there(
    pristine: Lab,
    attacker: Attacker,
    play: Callable[..., Any],
    host_state: Callable[[str], str],
    layers: Sequence[Layer],
) -> None:
    hosts = [layer.host for layer in layers]
    for layer in layers:
        for command in layer.commands:
            pristine.run(layer.host, ["bash", "-c", command]).check(command)
    at_once(lambda layer: wait_until_felt(attacker, layer), layers)
    inputs = {
        "limit": ",".join(hosts),
        "address": ADDRESS,
        "probe_from": "client1",
        "probe_source": ADDRESS,
        "probe_port": layers[0].port,
    }
    before = at_once(host_state, hosts)

    checked = play("fix_firewall", "--check", "--diff", **inputs)
    assert checked.code == 0, checked.output
    for layer in layers:
        blocks = checked.result(layer.host, "ip_block_info")["blocks"]
        assert layer.name in {block["layer"] for block in blocks}
    assert at_once(host_state, hosts) == before

    done = play("fix_firewall", **inputs)
    assert done.code == 0, done.output
    for layer in layers:
        assert done.result(layer.host, "ip_block")["verdict"] == "resolved"
        assert done.result(layer.host, "tcp_probe_info")["connected"]
        assert attacker.probe(layer.host, layer.port, NUMBER)

    again = play("fix_firewall", **inputs)
    assert (again.code, again.changed()) == (0, 0), again.output


def test_a_lifted_ban_stays_away_when_fail2ban_is_restarted(
    pristine: Lab, attacker: Attacker, play: Callable[..., Any]
) -> None:
    for jail in ("sshd", "recidive"):
        pristine.run("zekka1", ["fail2ban-client", "set", jail, "banip", ADDRESS]).check(f"banning in {jail}")
    assert play("fix_firewall", limit="zekka1", address=ADDRESS).code == 0
    pristine.run("zekka1", ["systemctl", "restart", "fail2ban"]).check("restarting fail2ban")
    assert ADDRESS not in pristine.run("zekka1", ["fail2ban-client", "banned"]).stdout
    assert attacker.probe("zekka1", 22, NUMBER)


def test_a_rule_that_covers_others_too_is_named_and_not_removed(
    pristine: Lab, play: Callable[..., Any], host_state: Callable[[str], str]
) -> None:
    pristine.run("zekka1", ["iptables", "-I", "INPUT", "-s", "172.29.77.72/29", "-j", "DROP"]).check(
        "blocking"
    )
    before = host_state("zekka1")
    done = play("fix_firewall", limit="zekka1", address=ADDRESS)
    assert done.code == 2
    assert [message for message in done.messages() if "172.29.77.72/29" in message]
    assert host_state("zekka1") == before
