# SPDX-License-Identifier: GPL-3.0-or-later
"""nft's answers, good and bad."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import nftables
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, Unreachable

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "firewall"
NOT_ROOT = """Operation not permitted (you must be root)
netlink: Error: cache initialization failed: Operation not permitted
"""
OVERLAP = """Error: interval overlaps with an existing one
add element inet firebreak_block blocked4 { 203.0.113.0/24 timeout 48h }
                                            ^^^^^^^^^^^^^^
"""
NO_TABLE = """Error: No such file or directory
list table inet nope
                ^^^^
"""


@pytest.fixture
def nft(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What nft is called with, and what it answers next."""
    state: dict[str, Any] = {"calls": [], "answer": (0, "", "")}

    def run(argv: Sequence[str], stdin: str = "", **_given: Any) -> Completed:
        state["calls"].append((list(argv[1:]), stdin))
        code, stdout, stderr = state["answer"]
        return Completed(tuple(argv), code, stdout, stderr)

    monkeypatch.setattr(nftables, "run", run)
    monkeypatch.setattr(nftables, "require", lambda program, package: program)
    return state


def test_rules_are_numbered_in_their_chain_and_get_their_text() -> None:
    found = nftables.with_texts(
        nftables.parse((FIXTURES / "nft_table_custom.json").read_text()),
        (FIXTURES / "nft_table_custom.txt").read_text(),
    )
    rules = [(rule.index, rule.handle, rule.text) for rule in found.rules if rule.chain == "input"]
    assert rules[0] == (0, 10, "ip saddr 203.0.113.20 counter drop")
    assert rules[10] == (10, 23, 'ip6 saddr 2001:db8:67::/48 drop comment "whole site"')
    assert {each.name: len(each.elements) for each in found.sets} == {
        "bad": 3,
        "slow": 1,
        "pairs": 1,
        "verdicts": 2,
    }


def test_handles_of_tables_chains_and_sets_are_no_rules() -> None:
    texts = nftables.rule_texts((FIXTURES / "nft_table_custom.txt").read_text())
    assert len(texts) == 16
    assert not any("{" in text and text.endswith("{") for text in texts.values())


def test_a_script_is_checked_before_it_is_applied(nft: dict[str, Any]) -> None:
    nftables.apply("add table inet x\n")
    assert [call[0] for call in nft["calls"]] == [["-c", "-f", "-"], ["-f", "-"]]
    assert {call[1] for call in nft["calls"]} == {"add table inet x\n"}


def test_a_script_that_fails_the_check_is_never_applied(nft: dict[str, Any]) -> None:
    nft["answer"] = (1, "", OVERLAP)
    with pytest.raises(FirebreakError, match="interval overlaps with an existing one"):
        nftables.apply("add element …")
    assert len(nft["calls"]) == 1


def test_without_the_right_the_message_says_what_it_takes(nft: dict[str, Any]) -> None:
    nft["answer"] = (1, "", NOT_ROOT)
    with pytest.raises(Unreachable, match="CAP_NET_ADMIN"):
        nftables.table("inet", "firebreak_block")


def test_a_table_that_is_not_there_is_none(nft: dict[str, Any]) -> None:
    nft["answer"] = (1, "", NO_TABLE)
    assert nftables.table("inet", "nope") is None
    assert nftables.chain_rules("inet", "nope", "input") == []


def test_an_element_that_is_gone_need_not_be_deleted(nft: dict[str, Any]) -> None:
    nft["answer"] = (1, "", "Error: element does not exist\n")
    nftables.delete_element("inet", "x", "bad", "203.0.113.7")
    nft["answer"] = (1, "", "Error: something else\n")
    with pytest.raises(FirebreakError, match="something else"):
        nftables.delete_element("inet", "x", "bad", "203.0.113.7")


def test_a_table_that_is_gone_need_not_be_deleted(nft: dict[str, Any]) -> None:
    nft["answer"] = (1, "", NO_TABLE)
    nftables.delete_table("inet", "nope")
    nft["answer"] = (1, "", NOT_ROOT)
    with pytest.raises(Unreachable, match="become"):
        nftables.delete_table("inet", "x")


def test_an_answer_that_is_no_json_is_not_an_empty_ruleset() -> None:
    with pytest.raises(Unreachable):
        nftables.parse("segmentation fault")


def test_a_host_without_nft_learns_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(nftables, "require", _missing)
    with pytest.raises(Unreachable, match="package nftables"):
        nftables.table("inet", "x")


def _missing(program: str, package: str) -> str:
    raise Unreachable(f"program {program}", "it is not on this host", f"It comes with the package {package}.")
