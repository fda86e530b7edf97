# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import (
    fail2ban,
    hosts_deny,
    iptables,
    nftables,
    nginx,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.fail2ban import Ban
from ansible_collections.firebreak.incident.plugins.module_utils.clients.hosts_deny import Entry
from ansible_collections.firebreak.incident.plugins.module_utils.clients.network import OwnAddress
from ansible_collections.firebreak.incident.plugins.module_utils.clients.nginx import Access
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.firewall.layers import Holding, Layers
from ansible_collections.firebreak.incident.plugins.module_utils.firewall.model import Unseen
from ansible_collections.firebreak.incident.plugins.module_utils.firewall.own_table import Element, OwnTable
from ansible_collections.firebreak.incident.plugins.module_utils.triage import firewall
from ansible_collections.firebreak.incident.plugins.module_utils.triage.firewall import Fail2ban, Seen, judge

UFW = "*filter\n:INPUT DROP [0:0]\n[5:300] -A INPUT -j ufw-before-input\n"
NEIGHBOUR, OFFICE = "192.0.2.12", "198.51.100.0/28"
PROTECTED = {NEIGHBOUR: "it is db1 of the inventory", OFFICE: "it is a management address of this site"}
OWN = (OwnAddress("eth0", "192.0.2.11", 24), OwnAddress("br-5e1", "172.18.0.1", 16))
WELL = Seen(
    snapshot=Holding(datetime(2026, 11, 22, tzinfo=UTC)),
    fail2ban=Fail2ban(enabled=True, running=True, banned={"sshd": ()}),
    ufw_enabled=True,
    protected={**PROTECTED, "127.0.0.11": "it is a name server of this host", "192.0.2.11": "it is web1"},
    own=OWN,
)


def rules(*lines: str, variant: int = 0, head: str = UFW) -> iptables.Rules:
    text = head + "".join(f"[0:0] -A {line}\n" for line in lines) + "COMMIT\n"
    return iptables.parse(text, iptables.VARIANTS[variant])


def seen(*found: iptables.Rules, **layers: Any) -> Seen:
    return replace(
        WELL, snapshot=replace(WELL.snapshot, layers=Layers(iptables=found or (rules(),), **layers))
    )


def findings(view: Seen) -> list[Finding]:
    data, found = judge(view)
    json.dumps(data)
    return list(found)


def test_a_host_that_was_isolated_says_so_first() -> None:
    chain = nftables.Chain("inet", "firebreak_isolation", "input", "input", 0)
    found = findings(seen(nftables=nftables.Ruleset(chains=(chain,))))
    assert [(each.id, each.level) for each in found] == [("firewall.host.isolated", "critical")]
    assert findings(seen(nftables=nftables.Ruleset(chains=(replace(chain, table="filter"),)))) == []


def levels(view: Seen) -> dict[str, str]:
    return {finding.id: finding.level for finding in findings(view)}


def test_a_firewall_that_lets_in_who_must_get_in_needs_no_word() -> None:
    strangers = rules("INPUT -s 203.0.113.7/32 -j DROP", "INPUT -s 127.0.0.0/8 ! -i lo -j DROP")
    data, found = judge(seen(strangers, bans={"sshd": (Ban("203.0.113.9", None),)}))
    assert found == []
    assert data["ufw"] == {"enabled": True, "active": True}
    assert data["iptables"] == {"iptables": 3}
    assert data["fail2ban"]["jails"] == {"sshd": 0}


@pytest.mark.parametrize(
    ("layers", "victim", "level"),
    [
        ({"found": "INPUT -s 192.0.2.12/32 -j DROP"}, NEIGHBOUR, "critical"),
        ({"found": "INPUT -s 198.51.100.3/32 -j REJECT"}, "198.51.100.3", "critical"),
        ({"bans": {"sshd": (Ban(NEIGHBOUR, None),)}}, NEIGHBOUR, "critical"),
        ({"hosts_deny": (Entry(1, f"sshd: {NEIGHBOUR}", NEIGHBOUR),)}, NEIGHBOUR, "critical"),
        # What is shut for it is one door, or the web.
        ({"found": "INPUT -s 192.0.2.12/32 -p tcp -m tcp --dport 5432 -j DROP"}, NEIGHBOUR, "warning"),
        ({"nginx": (Access("/n", 1, f"deny {NEIGHBOUR};", "deny", NEIGHBOUR, 0, ""),)}, NEIGHBOUR, "warning"),
        # Who it was meant for is not said, and something before it may let this one in.
        ({"found": "INPUT -s 192.0.2.0/24 -j DROP"}, NEIGHBOUR, "warning"),
    ],
)
def test_whoever_must_get_in_and_cannot_is_named_with_the_cure(
    layers: dict[str, Any], victim: str, level: str
) -> None:
    line = layers.pop("found", None)
    (finding,) = findings(seen(rules(line) if line else rules(), **layers))
    assert (finding.id, finding.level, finding.subject) == (
        "firewall.protected.blocked",
        level,
        f"address {victim}",
    )
    assert finding.remedy is not None
    assert (finding.remedy.playbook, finding.remedy.inputs) == ("fix_firewall", {"address": victim})
    assert "must get in" in finding.summary


@pytest.mark.parametrize(
    "lines",
    [
        # An exception and its other half.
        ("INPUT -s 192.0.2.12/32 -j ACCEPT", "INPUT -s 192.0.2.0/24 -j DROP"),
        # Everybody is kept out by a policy or a rule for all.
        ("INPUT -s 0.0.0.0/0 -j DROP",),
        # What Docker does for its containers, with an office that uses such addresses too.
        ("DOCKER -d 172.18.0.3/32 ! -i br-5e1 -j DROP",),
    ],
)
def test_what_keeps_no_one_out_who_must_get_in_is_passed_over(lines: tuple[str, ...]) -> None:
    view = seen(rules(*lines))
    assert levels(replace(view, protected={**view.protected, "172.16.0.0/12": "it is the office"})) == {}


def test_one_address_in_many_layers_is_one_finding() -> None:
    view = seen(rules("INPUT -s 192.0.2.12/32 -j DROP"), bans={"sshd": (Ban(NEIGHBOUR, None),)})
    (finding,) = findings(replace(view, protected={**view.protected, "192.0.2.12/31": "both databases"}))
    assert [block["layer"] for block in finding.evidence["blocks"]] == ["fail2ban", "iptables"]


def test_a_block_of_our_own_that_lets_them_pass_first_blocks_nobody() -> None:
    table = OwnTable((Element("192.0.2.0/24", 60.0, 0),), frozenset({NEIGHBOUR}), armed=True)
    view = seen()
    assert levels(replace(view, snapshot=replace(view.snapshot, own=table))) == {}
    table = replace(table, blocked=(Element(NEIGHBOUR, 60.0, 0),), allowed=frozenset())
    assert levels(replace(view, snapshot=replace(view.snapshot, own=table))) == {
        "firewall.protected.blocked": "critical"
    }


def test_ten_thousand_bans_are_searched_in_time() -> None:
    bans = {"sshd": tuple(Ban(f"10.{n >> 8}.{n & 255}.7", None) for n in range(10_000))}
    protected = {f"192.0.2.{n}": "a host" for n in range(256)}
    view = replace(seen(bans=bans), protected={**PROTECTED, **protected})
    started = datetime.now(UTC)
    assert levels(view) == {}
    assert (datetime.now(UTC) - started).total_seconds() < 2.0


def test_odd_states_are_named() -> None:
    assert levels(seen(rules(head="*filter\n:INPUT ACCEPT [0:0]\n"))) == {"firewall.ufw.inactive": "warning"}
    assert levels(replace(seen(rules(head="*filter\n")), ufw_enabled=False)) == {}
    legacy = rules("INPUT -p tcp -j ACCEPT", variant=2, head="*filter\n")
    assert levels(seen(rules(), legacy)) == {"firewall.legacy.mixed": "warning"}
    view = seen()
    changed = OwnTable((Element("203.0.113.7", 60.0, 0),), armed=False)
    assert levels(replace(view, snapshot=replace(view.snapshot, own=changed))) == {
        "firewall.own.disarmed": "warning"
    }


@pytest.mark.parametrize(("enabled", "level"), [(True, "warning"), (False, "notice")])
def test_a_dead_fail2ban_is_worse_where_it_was_meant_to_run(enabled: bool, level: str) -> None:
    assert levels(replace(seen(), fail2ban=Fail2ban(enabled))) == {"firewall.fail2ban.down": level}
    assert levels(replace(seen(), fail2ban=None)) == {}


def test_a_layer_that_cannot_be_seen_is_not_called_open() -> None:
    view = seen()
    snapshot = replace(view.snapshot, layers=Layers(), unseen=(Unseen("nft", "run as root"),))
    (finding,) = findings(replace(view, snapshot=snapshot))
    assert (finding.id, finding.evidence) == ("firewall.layer.unseen", {"nft": "run as root"})


def test_each_layer_is_read_and_one_that_breaks_hides_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken() -> Any:
        raise Unreachable("nginx configuration", "emerg", "See: nginx -t")

    held: Mapping[str, Any] = {"sshd": (Ban(NEIGHBOUR, None),)}
    own_chain = rules(f"f2b-sshd -s {NEIGHBOUR}/32 -j REJECT")
    monkeypatch.setattr(firewall, "UFW_CONF", tmp_path / "ufw.conf")
    (tmp_path / "ufw.conf").write_text("# set\nENABLED=yes\n")
    monkeypatch.setattr(firewall, "find", lambda _program: None)
    monkeypatch.setattr(nginx, "read", broken)
    monkeypatch.setattr(hosts_deny, "read", lambda: None)
    monkeypatch.setattr(firewall, "own_addresses", lambda: list(OWN))
    monkeypatch.setattr(iptables, "read", lambda variant: None if variant.legacy else own_chain)
    for name, value in (("installed", True), ("running", True), ("jails", ("sshd",)), ("bans", held)):
        monkeypatch.setattr(fail2ban, name, lambda value=value: value)
    view = firewall.collect({"context": {"run": "r", "protected": PROTECTED}}, Deadline(5.0))
    found = {finding.id: finding for finding in findings(view)}
    assert set(found) == {"firewall.protected.blocked", "firewall.layer.unseen"}
    # Once by fail2ban's own word, and not again for the rule in its chain.
    assert [block["layer"] for block in found["firewall.protected.blocked"].evidence["blocks"]] == [
        "fail2ban"
    ]
