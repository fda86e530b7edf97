# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading Firebreak's own table back, and the scripts that change it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import nftables
from ansible_collections.firebreak.incident.plugins.module_utils.firewall.own_table import (
    Element,
    OwnTable,
    blocking,
    lifting,
    understand,
)

CAPTURED = Path(__file__).resolve().parents[3] / "fixtures" / "firewall" / "nft_own_table.json"
ALLOWED = {4: ["127.0.0.0/8"], 6: ["::1"]}


@pytest.fixture
def captured() -> nftables.Ruleset:
    return nftables.parse(CAPTURED.read_text())


def test_the_captured_table_is_armed_and_read_whole(captured: nftables.Ruleset) -> None:
    table = understand(captured)
    assert table.armed
    assert {element.address for element in table.blocked} == {
        "203.0.113.7",
        "198.51.100.0/24",
        "2001:db8:66::/64",
    }
    assert all(86000 < element.seconds <= 86400 for element in table.blocked)
    assert "127.0.0.0/8" in table.allowed


def test_no_table_is_an_empty_one_that_does_nothing() -> None:
    assert understand(None) == OwnTable()


@pytest.mark.parametrize("chain", ["prerouting", "postrouting"])
def test_a_table_that_lost_a_rule_is_not_armed(captured: nftables.Ruleset, chain: str) -> None:
    kept = [rule for rule in captured.rules if rule.chain != chain or rule.index != 3]
    assert not understand(replace(captured, rules=tuple(kept))).armed


def test_a_table_with_a_rule_put_in_front_is_not_armed(captured: nftables.Ruleset) -> None:
    first = replace(captured.rules[0], expr=[{"accept": None}])
    assert not understand(replace(captured, rules=(first, *captured.rules))).armed


def test_a_table_at_another_priority_is_not_armed(captured: nftables.Ruleset) -> None:
    chains = tuple(replace(chain, priority=0) for chain in captured.chains)
    assert not understand(replace(captured, chains=chains)).armed


def test_a_new_table_comes_in_one_script_with_the_allowed_before_the_blocked() -> None:
    script = blocking(OwnTable(), ALLOWED, [("203.0.113.7", 600)], ())
    assert script.startswith("table inet firebreak_block\ndelete table inet firebreak_block\n")
    assert "203.0.113.7 timeout 600s" in script
    for chain in script.split("chain ")[1:]:
        assert chain.index("@allowed4 accept") < chain.index("@blocked4 drop")
        assert "priority -300" in chain
    assert "type filter hook prerouting" in script
    assert "type filter hook postrouting" in script


def test_a_table_made_anew_keeps_its_blocks_with_the_time_they_have_left() -> None:
    table = OwnTable((Element("203.0.113.8", 99.5, 0),), armed=False)
    assert "203.0.113.8 timeout 100s" in blocking(table, ALLOWED, [("203.0.113.7", 600)], ())


def test_a_table_made_anew_holds_no_overlapping_elements() -> None:
    table = OwnTable((Element("203.0.113.0/24", 99.5, 0),), armed=False)
    script = blocking(table, ALLOWED, [("203.0.113.7", 600)], ())
    assert "203.0.113.0/24 timeout" in script
    assert "203.0.113.7 timeout" not in script


def test_an_existing_element_is_replaced_and_the_allowed_brought_up_to_date() -> None:
    table = OwnTable((Element("203.0.113.7", 10, 0),), armed=True)
    lines = blocking(table, ALLOWED, [("203.0.113.7", 600)], ()).splitlines()
    assert lines.index("delete element inet firebreak_block blocked4 { 203.0.113.7 }") < lines.index(
        "add element inet firebreak_block blocked4 { 203.0.113.7 timeout 600s }"
    )
    assert "flush set inet firebreak_block allowed4" in lines
    assert "add element inet firebreak_block allowed6 { ::1 }" in lines


def test_a_network_takes_the_place_of_what_lies_in_it_in_the_same_script() -> None:
    table = OwnTable((Element("203.0.113.7", 10, 0),), armed=True)
    script = blocking(table, ALLOWED, [("203.0.113.0/24", 600)], {"203.0.113.7"})
    assert "delete element inet firebreak_block blocked4 { 203.0.113.7 }" in script


def test_lifting_what_is_not_there_is_nothing_to_do() -> None:
    assert lifting(OwnTable(armed=True), "203.0.113.7") == ""


def test_lifting_puts_back_what_was_replaced() -> None:
    table = OwnTable((Element("203.0.113.0/24", 10, 0),), armed=True)
    script = lifting(table, "203.0.113.0/24", [("203.0.113.7", 120)])
    assert script.splitlines() == [
        "delete element inet firebreak_block blocked4 { 203.0.113.0/24 }",
        "add element inet firebreak_block blocked4 { 203.0.113.7 timeout 120s }",
    ]
