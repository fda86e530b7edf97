# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.addresses import Protected
from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.logins.decide import MAX_FINDINGS, decide
from ansible_collections.firebreak.incident.plugins.module_utils.logins.judge import Policy
from ansible_collections.firebreak.incident.plugins.module_utils.logins.observe import Snapshot, Unread
from ansible_collections.firebreak.incident.plugins.module_utils.logins.scan import Period, Scanned
from ansible_collections.firebreak.incident.plugins.module_utils.logins.tally import Source, Success, Tries

NOW = 1795304000.0
POLICY = Policy(10, 10, Protected.of({"198.51.100.0/24": "it is a management address of this site"}))


def source(failures: int, accounts: set[str] | None = None, *successes: Success) -> Source:
    accounts = {"root"} if accounts is None else accounts
    return Source(
        Tries(failures), NOW - 500, NOW - 5, accounts, True, frozenset({"ssh"}), len(successes), successes
    )


def login(
    failures_before: int, accounts: set[str], account: str = "root", method: str = "password"
) -> Success:
    return Success(NOW - 100, NOW - 90, account, method, Tries(failures_before), frozenset(accounts))


def judged(
    sources: dict[str, Source], policy: Policy = POLICY, **given: object
) -> tuple[dict[str, object], list[Finding]]:
    snapshot = Snapshot(Period(NOW - 3600, NOW), 3600, sources, **{"existing": frozenset({"root"}), **given})  # type: ignore[arg-type]
    data, findings = decide(snapshot, policy)
    return dict(data), list(findings)


def judgement(one: Source, address: str = "203.0.113.7") -> str:
    data, _findings = judged({address: one})
    return str(data["sources"][0]["judgement"])  # type: ignore[index]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (source(9), "below_threshold"),
        (source(10), "attacker"),
        (source(2, {"anna"}, login(2, {"anna"}, "anna")), "user"),
        (source(0, set(), login(0, set())), "user"),
        (source(10, {"root"}, login(10, {"root"})), "broke_in"),
        (source(3, {"a", "b", "c"}, login(3, {"a", "b", "c"})), "broke_in"),
        # First came the login, then the failures: no sign that it was guessed.
        (source(50, {"root"}, login(0, set())), "attacker"),
        (source(10, {"root"}, login(9, {"root"})), "attacker"),
    ],
)
def test_a_source_is_judged_by_what_came_before_its_login(one: Source, expected: str) -> None:
    assert judgement(one) == expected


def test_a_break_in_is_a_critical_finding_that_says_so() -> None:
    data, findings = judged(
        {"203.0.113.7": source(12, {"root", "deploy"}, login(12, {"root", "deploy"}, "deploy"))}
    )
    [finding] = [one for one in findings if one.level == "critical"]
    assert finding.id == "logins.source.success_after_failures"
    for said in ("203.0.113.7", "deploy", "password", "2026-11-21T23:31:40.000Z", "break-in", "12"):
        assert said in finding.summary
    assert data["attackers"] == ["203.0.113.7"]


def test_a_protected_source_is_reported_and_never_banned() -> None:
    data, findings = judged({"198.51.100.5": source(500)})
    assert data["attackers"] == []
    assert [(one.id, one.level) for one in findings] == [("logins.source.protected_fails", "warning")]
    assert "management address" in findings[0].summary


def test_a_break_in_from_a_protected_source_is_still_a_break_in() -> None:
    data, findings = judged({"198.51.100.5": source(20, {"root"}, login(20, {"root"}))})
    assert data["attackers"] == []
    assert [one.id for one in findings] == ["logins.source.success_after_failures"]
    assert "protected" in findings[0].summary


def test_the_worst_come_first_and_the_lists_are_bounded() -> None:
    sources = {f"10.{number >> 8}.{number & 255}.1": source(10 + number) for number in range(1500)}
    sources["203.0.113.7"] = source(10, {"root"}, login(10, {"root"}))
    data, findings = judged(sources)
    listed = data["sources"]
    assert isinstance(listed, list)
    assert [one["address"] for one in listed[:2]] == ["203.0.113.7", "10.5.219.1"]
    assert (len(listed), data["sources_left_out"]) == (1000, 501)
    assert len(data["attackers"]) == 1501  # type: ignore[arg-type]
    brute_force = [one for one in findings if one.id == "logins.source.brute_force"]
    assert len(brute_force) == MAX_FINDINGS + 1
    assert brute_force[-1].evidence["count"] == 1480
    assert all(one.remedy and one.remedy.playbook == "contain_security" for one in brute_force)


def test_many_sources_on_one_account_are_distributed_guessing() -> None:
    sources = {f"203.0.113.{number}": source(2, {"root", "nobody_here"}) for number in range(10)}
    data, findings = judged(sources)
    assert data["attackers"] == []
    assert [(one.id, one.subject, one.level) for one in findings] == [
        ("logins.account.distributed_guessing", "account root", "warning"),
        ("logins.account.distributed_guessing", "account nobody_here", "notice"),
    ]
    assert [one["below_threshold"] for one in data["accounts"]] == [10, 10]  # type: ignore[attr-defined]


def test_nine_sources_are_not_yet_many() -> None:
    _data, findings = judged({f"203.0.113.{number}": source(2) for number in range(9)})
    assert not findings


@pytest.mark.parametrize(
    ("address", "method", "critical"),
    [
        ("192.0.2.50", "password", True),
        ("192.0.2.50", "keyboard-interactive/pam", True),
        # A key is not guessed: the administrator of every host that is guessed at logs in with one.
        ("192.0.2.50", "publickey", False),
        ("198.51.100.5", "password", False),
    ],
)
def test_a_login_by_somebody_else_after_distributed_guessing(
    address: str, method: str, critical: bool
) -> None:
    sources = {f"203.0.113.{number}": source(2) for number in range(10)}
    sources[address] = source(0, set(), login(0, set(), "root", method))
    data, findings = judged(sources)
    found = [one for one in findings if one.id == "logins.account.success_after_guessing"]
    assert bool(found) is critical
    assert (data["accounts"][0]["success"] is not None) is critical  # type: ignore[index]
    assert all(one.level == "critical" and address in one.summary for one in found)


def test_a_login_before_the_distributed_guessing_is_none_of_its() -> None:
    sources = {f"203.0.113.{number}": source(2) for number in range(10)}
    early = Success(NOW - 3000, NOW - 2900, "root", "password")
    sources["192.0.2.50"] = source(0, set(), early)
    _data, findings = judged(sources)
    assert not [one for one in findings if one.level == "critical"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"silent": True}, "logins.log.silent"),
        ({"seen_from": NOW - 600}, "logins.window.incomplete"),
        ({"unread": (Unread("log /var/log/auth.log.1.gz", "CRC check failed"),)}, "logins.log.unreadable"),
        ({"scanned": (Scanned("/var/log/auth.log", 10, left_out=5),)}, "logins.window.over_budget"),
        ({"clock_differs": {"/var/log/auth.log": 7200}}, "logins.log.clock_differs"),
        ({"forgotten_sources": 5, "forgotten_failures": 6}, "logins.source.too_many"),
        ({"nameless": 3}, "logins.log.tampered"),
    ],
)
def test_what_could_not_be_seen_is_not_kept_quiet(given: dict[str, Any], expected: str) -> None:
    _data, findings = judged({}, **given)
    assert [one.id for one in findings] == [expected]


def test_a_clean_host_has_no_finding() -> None:
    data, findings = judged({}, seen_from=NOW - 3600, scanned=(Scanned("/var/log/auth.log", 10, NOW, NOW),))
    assert not findings
    assert data["scanned"] == [
        {
            "path": "/var/log/auth.log",
            "bytes": 10,
            "from": "2026-11-21T23:33:20.000Z",
            "to": "2026-11-21T23:33:20.000Z",
            "complete": True,
        }
    ]
