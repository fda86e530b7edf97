# SPDX-License-Identifier: GPL-3.0-or-later
"""iptables-save in its variants, and rules that come back to where they were."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import iptables
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "firewall"
HEAD = "*filter\n:INPUT ACCEPT [0:0]\n"
A, B, C = (f"-A INPUT -s 203.0.113.{number}/32 -j DROP" for number in (1, 2, 3))


def saved(*specs: str) -> str:
    return HEAD + "".join(f"[7:420] {spec}\n" for spec in specs) + "COMMIT\n"


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A host whose iptables-save prints `state["saved"]`; `state["calls"]` collects the changes."""
    state: dict[str, Any] = {"saved": saved(), "calls": []}

    def run(argv: Sequence[str], **_given: Any) -> Completed:
        if str(argv[0]).endswith("-save"):
            return Completed(tuple(argv), state.get("code", 0), state["saved"], state.get("stderr", ""))
        state["calls"].append(list(argv))
        return Completed(tuple(argv), 0, "", "")

    monkeypatch.setattr(iptables, "run", run)
    monkeypatch.setattr(iptables, "find", lambda program: program)
    return state


def test_a_captured_host_is_read_with_counters_and_places() -> None:
    found = iptables.parse((FIXTURES / "iptables_save.txt").read_text(), iptables.VARIANTS[0])
    assert found.tables == {"raw", "filter", "nat"}
    by_hand = next(rule for rule in found.rules if "203.0.113.40" in rule.spec)
    assert (by_hand.table, by_hand.chain, by_hand.index) == ("filter", "INPUT", 9)
    assert next(rule for rule in found.rules if rule.spec == "-A INPUT -j ufw-before-input").packets == 204


def test_a_comment_with_quotes_comes_out_as_it_was_written() -> None:
    spec = r'-A INPUT -m comment --comment "by hand: it\'s \"him\" \\ -s 1.2.3.4" -j DROP'
    assert iptables.split(spec)[5] == r"""by hand: it's "him" \ -s 1.2.3.4"""
    assert iptables.split(spec)[-2:] == ("-j", "DROP")


def test_every_copy_of_a_rule_is_deleted(host: dict[str, Any]) -> None:
    host["saved"] = saved(A, B, A)
    iptables.delete("iptables", "filter", A)
    assert len(host["calls"]) == 2
    assert host["calls"][0][-5:] == ["-D", "INPUT", "-s", "203.0.113.1/32", "-j", "DROP"][-5:]


def test_deleting_what_is_gone_is_nothing_to_do(host: dict[str, Any]) -> None:
    iptables.delete("iptables", "filter", A)
    assert host["calls"] == []


@pytest.mark.parametrize(
    ("present", "index", "above", "words"),
    [
        ((A, C), 2, A, ["-I", "INPUT", "2"]),
        (("-A INPUT -j f2b-sshd", A, C), 2, A, ["-I", "INPUT", "3"]),
        ((C,), 1, None, ["-I", "INPUT", "1"]),
        ((A,), 5, A, ["-A", "INPUT"]),
        ((), 3, A, ["-A", "INPUT"]),
    ],
)
def test_a_rule_comes_back_below_the_one_that_stood_above_it(
    host: dict[str, Any], present: tuple[str, ...], index: int, above: str | None, words: list[str]
) -> None:
    host["saved"] = saved(*present)
    iptables.insert("iptables", "filter", index, B, above)
    (call,) = host["calls"]
    assert call[: 5 + len(words)] == ["iptables-nft", "-w", "5", "-t", "filter", *words]


def test_a_rule_that_is_there_is_not_put_in_twice(host: dict[str, Any]) -> None:
    host["saved"] = saved(A)
    iptables.insert("iptables", "filter", 1, A)
    assert host["calls"] == []


def test_legacy_is_only_asked_where_its_tables_are_in_use(
    host: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = tmp_path / "ip_tables_names"
    monkeypatch.setattr(iptables, "_LEGACY_TABLES", {4: names, 6: tmp_path / "missing"})
    legacy4, legacy6 = iptables.VARIANTS[2:]
    names.write_text("")
    assert iptables.read(legacy4) is None
    assert iptables.read(legacy6) is None
    names.write_text("filter\n")
    assert iptables.read(legacy4) is not None
    monkeypatch.setattr(iptables, "find", lambda program: None)
    with pytest.raises(Unreachable, match="legacy"):
        iptables.read(legacy4)


def test_rules_that_cannot_be_read_are_not_no_rules(host: dict[str, Any]) -> None:
    host.update(code=4, stderr="Could not fetch rule set generation id: Permission denied (you must be root)")
    with pytest.raises(Unreachable, match="Permission denied"):
        iptables.read(iptables.VARIANTS[0])
