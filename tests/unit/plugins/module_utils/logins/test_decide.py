# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.firebreak.incident.plugins.module_utils.addresses import Protected
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding, Remedy
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
    assert data["attackers"] == data["intruders"] == ["203.0.113.7"]
    assert finding.remedy == Remedy("contain_security", {"threat": "compromise"}, cures=False)


def test_a_protected_source_is_reported_and_never_banned() -> None:
    data, findings = judged({"198.51.100.5": source(500)})
    assert data["attackers"] == []
    assert [(one.id, one.level) for one in findings] == [("logins.source.protected_fails", "warning")]
    assert "management address" in findings[0].summary


def test_a_break_in_from_a_protected_source_is_still_a_break_in() -> None:
    data, findings = judged({"198.51.100.5": source(20, {"root"}, login(20, {"root"}))})
    assert (data["attackers"], data["intruders"]) == ([], ["198.51.100.5"])
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


SITE = "2001:db8:1:2::"
CLEAN = source(0, set(), login(0, set(), "anna", "publickey"))
MISTYPED = source(1, {"anna"}, login(1, {"anna"}, "anna"))


def site_of(number: int, failures: int) -> dict[str, Source]:
    return {f"{SITE}{one:x}": source(failures) for one in range(1, number + 1)}


@pytest.mark.parametrize(("number", "failures"), [(2000, 9), (201, 10), (2, 5), (10, 1)])
def test_the_addresses_of_one_site_are_one_attacker_together(number: int, failures: int) -> None:
    data, findings = judged(site_of(number, failures))
    assert data["attackers"] == [f"{SITE}/64"]
    [finding] = [one for one in findings if one.id == "logins.source.brute_force"]
    assert finding.subject == f"{SITE}/64"
    assert f"{SITE}/64 failed {number * failures} times" in finding.summary
    assert f"from {number} of its addresses" in finding.summary
    assert finding.evidence["address_count"] == number


@pytest.mark.parametrize(
    "sources",
    [
        site_of(9, 1),
        {f"{SITE}1": source(9)},
        # Next door is another site, and one of version 4 is none.
        {f"{SITE}1": source(9), "2001:db8:1:3::1": source(9)},
        {"203.0.113.7": source(9), "203.0.113.8": source(9)},
        {**site_of(5, 9), f"{SITE}aa": CLEAN},
        # An office where everybody mistypes and then logs in.
        {f"{SITE}{one:x}": MISTYPED for one in range(1, 100)},
        {f"{SITE}1": source(9), f"{SITE}2": MISTYPED},
        # A translator's clients, and those of one Teredo server, share nothing but that.
        {"64:ff9b::cb00:7107": source(9), "64:ff9b::cb00:7108": source(9)},
        {"2001:0:4136:e378::1": source(9), "2001:0:4136:e378::2": source(9)},
    ],
)
def test_a_site_is_no_attacker_when_it_may_hold_bystanders(sources: dict[str, Source]) -> None:
    data, findings = judged(sources)
    assert data["attackers"] == []
    assert not [one for one in findings if one.id == "logins.source.brute_force"]


def test_one_address_alone_does_not_stand_for_its_site() -> None:
    data, _findings = judged({f"{SITE}66": source(500), f"{SITE}aa": MISTYPED})
    assert data["attackers"] == [f"{SITE}66"]


def test_beside_a_clean_login_addresses_are_judged_singly() -> None:
    data, _findings = judged({**site_of(2, 9), f"{SITE}66": source(10), f"{SITE}aa": CLEAN})
    assert data["attackers"] == [f"{SITE}66"]


def test_a_lucky_guess_does_not_save_the_others_of_its_site() -> None:
    lucky = source(9, {"root"}, login(9, {"root"}))
    data, findings = judged({**site_of(20, 9), f"{SITE}aa": lucky})
    assert (data["attackers"], data["intruders"]) == ([f"{SITE}/64"], [f"{SITE}aa"])
    assert [one.id for one in findings if one.level == "critical"] == [
        "logins.account.success_after_guessing"
    ]


@pytest.mark.parametrize("safe", [f"{SITE}ffff", f"{SITE}/64", "2001:db8::/32", f"{SITE}1"])
def test_a_site_with_something_protected_in_it_is_judged_singly(safe: str) -> None:
    policy = Policy(10, 10, Protected.of({safe: "it is ours"}))
    data, _findings = judged({**site_of(3, 9), f"{SITE}66": source(10)}, policy)
    inside = ipaddress.ip_address(f"{SITE}66") in ipaddress.ip_network(safe)
    assert data["attackers"] == ([] if inside else [f"{SITE}66"])


def test_a_break_in_from_a_guessing_site_stays_a_finding_of_its_own() -> None:
    sources = {**site_of(3, 9), f"{SITE}66": source(12, {"root"}, login(12, {"root"}))}
    data, findings = judged({"203.0.113.7": source(500), **sources})
    assert data["attackers"] == [f"{SITE}/64", "203.0.113.7"]
    assert [(one.id, one.subject) for one in findings] == [
        ("logins.source.success_after_failures", f"{SITE}66 as root"),
        ("logins.source.brute_force", f"{SITE}/64"),
        ("logins.source.brute_force", "203.0.113.7"),
    ]
    assert "it got in" in findings[1].summary


ADDRESSES = st.sampled_from(
    [f"2001:db8:1:{site}::{host}" for site in (1, 2, 3) for host in (1, 2, 3)] + ["203.0.113.7", "64:ff9b::1"]
)
DEEDS = st.sampled_from([source(0, set()), source(1), source(4), source(9), source(10), CLEAN, MISTYPED,
                         source(12, {"root"}, login(12, {"root"}))])  # fmt: skip


@given(st.dictionaries(ADDRESSES, DEEDS), st.sets(ADDRESSES, max_size=2))
def test_no_attacker_goes_unlisted_and_nobody_protected_or_innocent_is_listed(
    sources: dict[str, Source], safe: set[str]
) -> None:
    data, _findings = judged(sources, Policy(10, 10, Protected.of(dict.fromkeys(safe, "it is ours"))))
    attackers: Any = data["attackers"]
    networks = [ipaddress.ip_network(one) for one in attackers]
    listed = {one for one in [*sources, *safe] if any(ipaddress.ip_address(one) in each for each in networks)}
    guilty = {
        one["address"]
        for one in data["sources"]  # type: ignore[attr-defined]
        if one["judgement"] in ("attacker", "broke_in") and one["protected"] is None
    }
    innocent = {address for address, one in sources.items() if one.logins and not one.tries.failures}
    assert guilty <= listed
    assert not listed & (innocent | safe)
    assert all(one is other or not one.overlaps(other) for one in networks for other in networks)


@pytest.mark.parametrize(
    ("threshold", "account_threshold", "message"),
    [
        (0, 10, "threshold 0: it is too small. Give at least 1."),
        (10, 1, "account_threshold 1: it is too small. Give at least 2."),
    ],
)
def test_a_threshold_too_small_is_refused_by_its_own_name(
    threshold: int, account_threshold: int, message: str
) -> None:
    with pytest.raises(BadInput) as refused:
        Policy(threshold, account_threshold, Protected.of({}))
    assert str(refused.value) == message


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
