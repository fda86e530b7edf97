# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table lets through, and what is noticed when somebody changes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.addresses import parse_network
from ansible_collections.firebreak.incident.plugins.module_utils.clients import nftables
from ansible_collections.firebreak.incident.plugins.module_utils.isolation.table import (
    Table,
    collapse,
    definition,
    understand,
    within,
)

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "isolation"
VERSIONS = ("1_0_6", "1_1_3")
MANAGEMENT = [
    parse_network(text)
    for text in ("198.51.100.0/28", "203.0.113.9", "203.0.113.10/31", "2001:db8::7")
]  # fmt: skip


@pytest.fixture(params=VERSIONS)
def captured(request: pytest.FixtureRequest) -> nftables.Ruleset:
    return nftables.parse((FIXTURES / f"nft_{request.param}.json").read_text())


def read(found: nftables.Ruleset) -> Table:
    table = understand(found)
    assert table is not None
    return table


def chains(script: str) -> dict[str, list[str]]:
    parts = (part.splitlines() for part in script.split("chain ")[1:])
    return {lines[0].split()[0]: [line.strip() for line in lines[1:]] for lines in parts}


def test_what_nft_made_of_our_script_is_read_back_as_ours(captured: nftables.Ruleset) -> None:
    table = read(captured)
    assert table.faults == ()
    assert table.port == 2222
    assert table.management == frozenset(MANAGEMENT)
    assert table.dropped == {"input": 0, "forward": 0, "output": 0, "postrouting": 0}


def test_no_table_is_none() -> None:
    assert understand(None) is None


@pytest.mark.parametrize("chain", ["input", "forward", "output", "postrouting"])
def test_a_chain_that_lost_a_rule_is_noticed(captured: nftables.Ruleset, chain: str) -> None:
    kept = tuple(rule for rule in captured.rules if rule.chain != chain or rule.index != 0)
    (fault,) = read(replace(captured, rules=kept)).faults
    assert fault.startswith(f"chain {chain} has lost")


def test_an_accept_put_in_front_is_named(captured: nftables.Ruleset) -> None:
    door = replace(captured.rules[0], chain="forward", expr=[{"accept": None}])
    (fault,) = read(replace(captured, rules=(door, *captured.rules))).faults
    assert fault == "chain forward has 'accept', which is not ours"


def test_a_chain_at_another_place_is_noticed(captured: nftables.Ruleset) -> None:
    moved = tuple(replace(chain, hook=None, priority=None) for chain in captured.chains)
    assert len(read(replace(captured, chains=moved)).faults) == 4


def test_rules_in_another_order_are_noticed(captured: nftables.Ruleset) -> None:
    assert all("order" in fault for fault in read(replace(captured, rules=captured.rules[::-1])).faults)


def test_a_rule_for_another_port_is_noticed(captured: nftables.Ruleset) -> None:
    index = next(number for number, rule in enumerate(captured.rules) if "@management6" in str(rule.expr))
    foreign = replace(captured.rules[index], expr=[{"accept": None}])
    rules = (*captured.rules[:index], foreign, *captured.rules[index + 1 :])
    assert read(replace(captured, rules=rules)).faults


def test_every_direction_drops_what_is_not_named() -> None:
    found = chains(definition(MANAGEMENT, 22))
    assert set(found) == {"input", "forward", "output", "postrouting"}
    for chain, lines in found.items():
        assert lines[0] == f"type filter hook {chain} priority -300; policy drop;"
        assert [line for line in lines if line.endswith("drop")][-1] in ("drop", "counter drop")


def test_nothing_that_was_established_is_let_through() -> None:
    script = definition(MANAGEMENT, 22)
    assert "ct state" not in script
    assert "established" not in script


def test_a_lease_of_dhcpv6_is_renewed_on_the_link_and_nowhere_else() -> None:
    script = chains(definition(MANAGEMENT, 22))
    for chain in ("output", "postrouting"):
        assert "ip6 daddr ff02::1:2 udp sport 546 udp dport 547 accept" in script[chain]
    assert "ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept" in script["input"]
    assert [rule for rules in script.values() for rule in rules if "udp" in rule and "ip6" not in rule] == []


def test_forwarding_lets_nothing_through_at_all() -> None:
    assert not [line for line in chains(definition(MANAGEMENT, 22))["forward"] if "accept" in line]


def test_the_host_answers_management_and_opens_no_connection_to_it() -> None:
    outward = [line for line in chains(definition(MANAGEMENT, 22))["output"] if "@management" in line]
    assert len(outward) == 2
    assert all("sport 22 tcp flags & (syn|ack) != syn accept" in line for line in outward)


def test_the_old_table_goes_in_the_transaction_that_brings_the_new_one() -> None:
    lines = definition(MANAGEMENT, 22).splitlines()
    assert lines[:3] == [
        "table inet firebreak_isolation",
        "delete table inet firebreak_isolation",
        "table inet firebreak_isolation {",
    ]


def test_a_family_without_management_has_an_empty_set() -> None:
    script = definition([parse_network("203.0.113.9")], 22)
    assert "set management6 { type ipv6_addr; flags interval; }" in script


def test_networks_hold_their_parts_and_nothing_of_the_other_family() -> None:
    wide = parse_network("198.51.100.0/28")
    assert within(parse_network("198.51.100.7"), [wide])
    assert not within(wide, [parse_network("198.51.100.7")])
    assert not within(parse_network("::c633:6407"), [wide])
    assert collapse([parse_network("198.51.100.7"), wide]) == [wide]
