# SPDX-License-Identifier: GPL-3.0-or-later
"""ufw's two listings, and its rules taken out and put back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import ufw
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, Unreachable

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "firewall"
ADDED = (FIXTURES / "ufw_show_added.txt").read_text()
KNOCKER = "reject from 203.0.113.51 to any port 22 proto tcp comment 'door knocker'"


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    state: dict[str, Any] = {"added": ADDED, "calls": [], "accepts": True, "invalid": False}

    def run(argv: Sequence[str], **_given: Any) -> Completed:
        words = list(argv[1:])
        if words == ["show", "added"]:
            return Completed(tuple(argv), 0, state["added"], "")
        state["calls"].append(words)
        if state["invalid"] and "insert" in words:
            return Completed(tuple(argv), 1, "", "ERROR: Invalid position '8'\n")
        if state["accepts"] and "delete" not in words:
            state["added"] += state["gives"]
        return Completed(tuple(argv), 0, "Rule added\n", "")

    monkeypatch.setattr(ufw, "run", run)
    monkeypatch.setattr(ufw, "require", lambda program, package: program)
    return state


def test_a_comment_is_one_word() -> None:
    added = next(rule for rule in ufw.parse_added(ADDED) if "comment" in rule.spec)
    assert added.words[-2:] == ("comment", "door knocker")


def test_numbered_rules_are_read_in_all_directions() -> None:
    rules = ufw.parse_numbered((FIXTURES / "ufw_status_numbered.txt").read_text())
    assert [rule.number for rule in rules] == list(range(1, 13))
    assert [(r.action, r.source) for r in rules if r.number in (1, 7, 9)] == [
        ("REJECT", "203.0.113.51"),
        ("DENY", "203.0.113.52"),
        ("DENY", "2001:db8:66::9"),
    ]
    assert rules[7].to == "203.0.113.53"


def test_deleting_leaves_the_comment_out_and_says_route_first(host: dict[str, Any]) -> None:
    ufw.delete(KNOCKER)
    ufw.delete("route deny from 203.0.113.52")
    ufw.delete("deny from 192.0.2.1")
    assert host["calls"] == [
        ["--force", "delete", *["reject", "from", "203.0.113.51", "to", "any", "port", "22", "proto", "tcp"]],
        ["route", "delete", "deny", "from", "203.0.113.52"],
    ]


def test_a_rule_comes_back_at_its_number_with_its_comment(host: dict[str, Any]) -> None:
    host["added"], host["gives"] = "", f"ufw {KNOCKER}\n"
    ufw.insert(1, KNOCKER)
    ufw.insert(1, KNOCKER)
    (only,) = host["calls"]
    assert only[:2] == ["insert", "1"]
    assert only[-2:] == ["comment", "door knocker"]


def test_the_last_rule_of_a_family_comes_back_at_the_end(host: dict[str, Any]) -> None:
    host.update(added="", gives="ufw deny out to 203.0.113.53\n", invalid=True)
    ufw.insert(8, "deny out to 203.0.113.53")
    assert host["calls"][-1] == ["deny", "out", "to", "203.0.113.53"]


def test_a_rule_that_ufw_did_not_take_is_a_failure(host: dict[str, Any]) -> None:
    host.update(added="", gives="", accepts=False)
    with pytest.raises(FirebreakError, match="did not take"):
        ufw.insert(1, "deny from 203.0.113.50")


def test_an_inactive_ufw_holds_nothing_and_a_missing_one_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ufw, "find", lambda program: program)
    monkeypatch.setattr(ufw, "require", lambda program, package: program)
    monkeypatch.setattr(ufw, "run", lambda argv, **_: Completed(tuple(argv), 0, "Status: inactive\n", ""))
    assert ufw.read() == ufw.Ufw(active=False)
    monkeypatch.setattr(
        ufw, "run", lambda argv, **_: Completed(tuple(argv), 1, "", "ERROR: You need to be root\n")
    )
    with pytest.raises(Unreachable, match="need to be root"):
        ufw.read()
    monkeypatch.setattr(ufw, "find", lambda program: None)
    assert ufw.read() is None
