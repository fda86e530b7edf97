# SPDX-License-Identifier: GPL-3.0-or-later
"""Every layer of a captured host: each block is found, once, with what it takes to remove it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.firewall.explain import explain, own, unseen
from ansible_collections.firebreak.incident.plugins.module_utils.firewall.model import Unseen
from ansible_collections.firebreak.incident.plugins.module_utils.firewall.observe import Snapshot
from ansible_collections.firebreak.incident.plugins.module_utils.firewall.own_table import Element, OwnTable

CASES = [
    # address, layer, part of where, scope, action that removes it
    ("203.0.113.20", "nft", "chain input handle 10", "exact", "firewall.delete_nft_rule"),
    ("203.0.113.21", "nft", "set bad", "exact", "firewall.delete_nft_element"),
    ("203.0.114.9", "nft", "set bad", "wider", None),
    ("198.51.100.12", "nft", "set bad", "wider", None),
    ("203.0.113.22", "nft", "set slow", "exact", "firewall.delete_nft_element"),
    ("203.0.113.23", "nft", "set pairs", "exact", "firewall.delete_nft_element"),
    ("203.0.113.24", "nft", "set verdicts", "exact", "firewall.delete_nft_element"),
    ("203.0.113.26", "nft", "chain input", "exact", None),
    ("203.0.113.28", "nft", "chain input", "exact", None),
    ("203.0.113.30", "nft", "chain input", "exact", "firewall.delete_nft_rule"),
    ("203.0.113.32", "nft", "chain output", "exact", "firewall.delete_nft_rule"),
    ("2001:db8:66::7", "nft", "chain input", "exact", "firewall.delete_nft_rule"),
    ("2001:db8:67::1", "nft", "chain input", "wider", None),
    ("203.0.113.40", "iptables", "table filter chain INPUT", "exact", "firewall.delete_iptables_rule"),
    ("203.0.113.41", "iptables", "table filter chain INPUT", "exact", "firewall.delete_iptables_rule"),
    ("203.0.113.43", "iptables", "table filter chain INPUT", "wider", None),
    ("203.0.113.45", "iptables", "table filter chain INPUT", "exact", "firewall.delete_iptables_rule"),
    ("203.0.113.46", "iptables", "table raw chain PREROUTING", "exact", "firewall.delete_iptables_rule"),
    ("203.0.113.47", "iptables", "table filter chain OUTPUT", "exact", "firewall.delete_iptables_rule"),
    ("203.0.113.49", "iptables-legacy", "chain INPUT", "exact", "firewall.delete_iptables_rule"),
    ("2001:db8:66::8", "ip6tables", "table filter chain INPUT", "exact", "firewall.delete_iptables_rule"),
    ("203.0.113.50", "ufw", "rule 5", "exact", "firewall.delete_ufw_rule"),
    ("203.0.113.51", "ufw", "rule 1", "exact", "firewall.delete_ufw_rule"),
    ("203.0.113.52", "ufw", "rule 7", "exact", "firewall.delete_ufw_rule"),
    ("203.0.113.53", "ufw", "rule 8", "exact", "firewall.delete_ufw_rule"),
    ("203.0.116.9", "ufw", "rule 6", "wider", None),
    ("2001:db8:66::9", "ufw", "rule 9", "exact", "firewall.delete_ufw_rule"),
    ("203.0.113.61", "fail2ban", "jail sshd", "exact", "fail2ban.unban"),
    ("203.0.113.62", "fail2ban", "jail recidive", "exact", "fail2ban.unban"),
    ("203.0.113.70", "hosts.deny", "line 2", "exact", "firewall.edit_hosts_deny"),
    ("203.0.113.72", "hosts.deny", "line 3", "exact", "firewall.edit_hosts_deny"),
    ("203.0.118.9", "hosts.deny", "line 4", "wider", None),
    ("203.0.113.80", "nginx", "a.conf line 1 in http", "exact", "firewall.edit_nginx"),
    ("203.0.117.9", "nginx", "a.conf line 2 in http", "wider", None),
]


@pytest.mark.parametrize(("address", "layer", "where", "scope", "action"), CASES)
def test_a_block_is_reported_once_by_the_layer_it_belongs_to(
    snapshot: Snapshot, address: str, layer: str, where: str, scope: str, action: str | None
) -> None:
    found = [block for block in explain(snapshot, [address]) if block.scope != "everyone"]
    assert [block.layer for block in found] == [layer]
    assert where in found[0].where
    assert found[0].scope == scope
    assert (found[0].removal.action if found[0].removal else None) == action
    if scope == "exact" and action is None:
        assert "1 other addresses" in found[0].because


@pytest.mark.parametrize(
    "address", ["203.0.113.25", "203.0.113.29", "203.0.113.31", "203.0.113.48", "203.0.113.99"]
)
def test_who_is_accepted_or_not_named_is_not_reported(snapshot: Snapshot, address: str) -> None:
    assert [b for b in explain(snapshot, [address]) if b.scope != "everyone"] == []


def test_a_ban_is_reported_for_every_jail_and_removed_from_all_at_once(snapshot: Snapshot) -> None:
    found = [block for block in explain(snapshot, ["203.0.113.60"]) if block.scope != "everyone"]
    assert [block.where for block in found] == ["jail sshd", "jail recidive"]
    assert len({str(block.removal) for block in found}) == 1
    assert found[0].removal and found[0].removal.undo.identity["jails"] == ["sshd", "recidive"]


def test_a_chain_that_fail2ban_left_behind_is_reported_by_iptables(snapshot: Snapshot) -> None:
    without = replace(snapshot, layers=replace(snapshot.layers, bans={}))
    found = [block for block in explain(without, ["203.0.113.61"]) if block.scope != "everyone"]
    assert [(block.layer, block.where) for block in found] == [("iptables", "table filter chain f2b-sshd")]


def test_the_chains_of_an_unreadable_ufw_are_reported_by_iptables(snapshot: Snapshot) -> None:
    without = replace(snapshot, layers=replace(snapshot.layers, ufw=None))
    found = [block for block in explain(without, ["203.0.113.50"]) if block.scope != "everyone"]
    assert [(block.layer, block.where) for block in found] == [
        ("iptables", "table filter chain ufw-user-input")
    ]


def test_the_tables_of_iptables_are_reported_by_nft_where_iptables_cannot_be_read(snapshot: Snapshot) -> None:
    without = replace(snapshot, layers=replace(snapshot.layers, iptables=()))
    found = [block for block in explain(without, ["203.0.113.40"]) if block.scope != "everyone"]
    assert [(block.layer, block.address) for block in found] == [("nft", "203.0.113.40")]


def test_a_rule_for_all_but_some_is_told_to_those_it_concerns_and_belongs_to_everybody(
    snapshot: Snapshot,
) -> None:
    outside = [block for block in explain(snapshot, ["192.0.2.1"]) if block.layer != "hosts.deny"]
    assert {(block.layer, block.scope) for block in outside} == {
        ("iptables", "everyone"),
        ("nft", "everyone"),
    }
    assert all(block.address.startswith("all but") and block.removal is None for block in outside)
    inside = [block for block in explain(snapshot, ["203.0.113.99"]) if block.layer != "hosts.deny"]
    other_version = [b for b in explain(snapshot, ["2001:db8::1"]) if b.layer != "hosts.deny"]
    assert inside == other_version == []


def test_a_whole_network_asked_for_takes_what_lies_inside_it(snapshot: Snapshot) -> None:
    found = [block for block in explain(snapshot, ["203.0.114.0/23"]) if block.scope != "everyone"]
    assert {(block.address, block.scope) for block in found} == {
        ("203.0.114.0/24", "exact"),
        ("203.0.115.0/24", "exact"),
    }


def test_deny_all_of_a_location_is_no_block_and_an_allow_before_it_counts(snapshot: Snapshot) -> None:
    assert [b for b in explain(snapshot, ["203.0.113.81"]) if b.layer == "nginx"] == []


def test_the_end_and_the_packets_are_told_where_the_layer_knows_them(snapshot: Snapshot) -> None:
    banned = next(b for b in explain(snapshot, ["203.0.113.61"]) if b.layer == "fail2ban")
    assert banned.until is not None
    timed = next(b for b in explain(snapshot, ["203.0.113.22"]) if b.layer == "nft")
    assert timed.until is not None and timed.until > snapshot.now
    assert timed.packets == 0
    assert next(b for b in explain(snapshot, ["203.0.113.21"]) if b.layer == "nft").until is None


def test_elements_in_a_table_without_its_rules_block_nobody(snapshot: Snapshot) -> None:
    table = OwnTable((Element("203.0.113.7", 100.0, 3),), armed=False)
    assert own(replace(snapshot, own=table)) == []
    assert [b.address for b in own(replace(snapshot, own=replace(table, armed=True)))] == ["203.0.113.7"]


def test_a_dropped_ipset_is_named_as_not_looked_at(snapshot: Snapshot) -> None:
    rules = snapshot.layers.iptables[0]
    dropping = replace(rules.rules[0], spec="-A INPUT -m set --match-set crowd src -j DROP")
    layers = replace(snapshot.layers, iptables=(replace(rules, rules=(dropping,)),))
    blind = unseen(replace(snapshot, layers=layers, unseen=(Unseen("ufw", "no"),)))
    assert [each.layer for each in blind] == ["ufw", "ipset"]
    assert "crowd" in blind[1].reason
