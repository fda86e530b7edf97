# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.firebreak.incident.plugins.module_utils.log_times import Clock
from ansible_collections.firebreak.incident.plugins.module_utils.logins import tally as tally_module
from ansible_collections.firebreak.incident.plugins.module_utils.logins.tally import (
    Source,
    SshCounter,
    Tally,
    Tries,
    canonical_address,
)

START = 1795304000
CLOCK = Clock(START + 1e6)


def log(*messages: str, start: int = START) -> bytes:
    """A block with these messages of sshd, a second apart."""
    return b"\n" + b"".join(
        f"{start + second}.000000 web1 sshd[{second}]: {message}\n".encode()
        for second, message in enumerate(messages)
    )


def counted(*blocks: bytes) -> Tally:
    counter = SshCounter()
    for block in blocks:
        counter.feed(block)
    return counter.drain(CLOCK)


def fails(address: str, account: str = "root") -> str:
    return f"Failed password for {account} from {address} port 4 ssh2"


def ends(address: str, account: str = "root") -> str:
    return f"Connection closed by authenticating user {account} {address} port 4 [preauth]"


def logs_in(address: str, account: str = "root", method: str = "password") -> str:
    return f"Accepted {method} for {account} from {address} port 4 ssh2"


def test_the_end_of_a_connection_that_guessed_is_no_second_failure() -> None:
    source = counted(log(fails("192.0.2.1"), ends("192.0.2.1"))).sources["192.0.2.1"]
    assert source.tries.failures == 1


def test_a_connection_that_ended_without_a_guess_is_a_failure() -> None:
    source = counted(log(ends("192.0.2.1"), ends("192.0.2.1"))).sources["192.0.2.1"]
    assert (source.tries.failures, source.accounts) == (2, {"root"})


def test_too_many_attempts_are_no_failure_besides_the_guesses() -> None:
    cut = "error: maximum authentication attempts exceeded for root from 192.0.2.1 port 4 ssh2 [preauth]"
    assert counted(log(*[fails("192.0.2.1")] * 6, cut)).sources["192.0.2.1"].tries.failures == 6
    assert counted(log(cut)).sources["192.0.2.1"].tries.failures == 1


def test_refused_keys_before_an_accepted_one_are_no_failures() -> None:
    offered = "Failed publickey for anna from 192.0.2.1 port 4 ssh2: RSA SHA256:x"
    source = counted(log(*[offered] * 5, logs_in("192.0.2.1", "anna", "publickey"))).sources["192.0.2.1"]
    assert (source.tries.failures, source.logins) == (0, 1)


def test_a_repeated_line_counts_as_often_as_it_says() -> None:
    repeated = f"message repeated 4 times: [ {fails('192.0.2.1')}]"
    source = counted(log(repeated, fails("192.0.2.1"))).sources["192.0.2.1"]
    assert source.tries.failures == 5
    assert (source.first, source.last) == (START, START + 1)


def test_first_and_last_are_those_of_the_source_in_whatever_block() -> None:
    quiet = [fails("192.0.2.2")] * 3
    tally = counted(
        log(*quiet, fails("192.0.2.1"), *quiet),
        log(*quiet, start=START + 100),
        log(*quiet, ends("192.0.2.1"), start=START + 200),
    )
    source = tally.sources["192.0.2.1"]
    assert (source.first, source.last) == (START + 3, START + 203)


def test_a_login_knows_what_came_before_it_and_nothing_else() -> None:
    me = "192.0.2.1"
    source = counted(
        log(
            fails(me, "invalid user a"),
            f"message repeated 2 times: [ {fails(me, 'invalid user b')}]",
            logs_in(me),
            f"message repeated 9 times: [ {fails(me, 'invalid user c')}]",
            fails(me, "d"),
        )
    ).sources[me]
    [success] = source.successes
    assert success.before.failures == 3
    assert success.accounts_before == {"a", "b"}
    assert (success.first, success.account, success.method) == (START + 2, "root", "password")
    assert source.tries.failures == 13


def test_logins_without_a_failure_between_them_are_one_series() -> None:
    me = "192.0.2.1"
    source = counted(log(*[logs_in(me)] * 500, fails(me), logs_in(me))).sources[me]
    assert source.logins == 501
    assert [(one.first, one.last) for one in source.successes] == [
        (START, START + 499),
        (START + 501, START + 501),
    ]


def test_the_last_of_very_many_logins_is_kept() -> None:
    me = "192.0.2.1"
    source = counted(log(*[logs_in(me), fails(me)] * 300, logs_in(me))).sources[me]
    assert source.logins == 301
    assert len(source.successes) <= 65
    assert source.successes[-1].before.failures == 300


def test_spellings_of_one_address_are_one_source() -> None:
    tally = counted(
        log(fails("::ffff:192.0.2.1"), fails("192.0.2.1"), fails("FE80::1%eth0"), fails("fe80::1%wlan0"))
    )
    assert {address: one.tries.failures for address, one in tally.sources.items()} == {
        "192.0.2.1": 2,
        "fe80::1": 2,
    }


def test_what_is_no_address_is_counted_as_such() -> None:
    tally = counted(log(fails("example.org"), fails("192.0.2.1")))
    assert (tally.nameless, list(tally.sources)) == (1, ["192.0.2.1"])


@pytest.mark.parametrize("raw", [b"", b"x", b"1.2.3", b"\xff", b"1.2.3.4.5", b"::g"])
def test_what_is_no_address_has_no_spelling(raw: bytes) -> None:
    assert canonical_address(raw) is None


def test_memory_is_bounded_and_the_worst_sources_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally_module, "MAX_SOURCES", 50)
    counter = SshCounter()
    for round_ in range(20):
        strangers = [fails(f"10.{round_}.{number}.1") for number in range(30)]
        counter.feed(log(*strangers, *[fails("192.0.2.1")] * 5))
    tally = counter.drain(CLOCK)
    assert tally.sources["192.0.2.1"].tries.failures == 100
    assert len(tally.sources) <= 101
    assert tally.forgotten_sources == tally.forgotten_failures == 601 - len(tally.sources)


def test_names_that_nobody_has_do_not_crowd_out_real_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally_module, "MAX_PAIRS", 100)
    monkeypatch.setattr(tally_module, "_BLOCKS_BETWEEN_CUTS", 1)
    made_up = [fails("192.0.2.1", f"invalid user u{number}") for number in range(300)]
    source = counted(log(*made_up, fails("192.0.2.1", "root"))).sources["192.0.2.1"]
    assert "root" in source.accounts
    assert len(source.accounts) <= 50
    assert not source.accounts_complete
    assert source.tries.failures == 301


def test_only_accounts_that_sshd_knows_exist() -> None:
    tally = counted(
        log(fails("192.0.2.1"), fails("192.0.2.1", "invalid user bob"), logs_in("192.0.2.1", "anna"))
    )
    assert tally.existing == {"root", "anna"}


EVENT = st.sampled_from(
    [
        (kind, address)
        for kind in (fails, ends, logs_in)
        for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1")
    ]
)


@given(st.lists(EVENT, max_size=40), st.integers(0, 40))
def test_a_log_in_two_parts_says_the_same_as_in_one(events: list[tuple[object, str]], cut: int) -> None:
    messages = [kind(address) for kind, address in events]  # type: ignore[operator]
    whole = counted(log(*messages))
    parts = counted(log(*messages[:cut]))
    parts.absorb(counted(log(*messages[cut:], start=START + len(messages[:cut]))))
    assert parts.existing == whole.existing
    for address, source in whole.sources.items():
        other = parts.sources[address]
        assert (other.tries, other.logins, other.accounts) == (source.tries, source.logins, source.accounts)
        assert (other.first, other.last) == (source.first, source.last)
        assert max((one.before.failures for one in other.successes), default=0) == max(
            (one.before.failures for one in source.successes), default=0
        )


def test_failures_of_another_service_do_not_come_before_a_login() -> None:
    tally = counted(log(logs_in("192.0.2.1")))
    tally.add(b"192.0.2.1", Source(Tries(50), START + 9, START + 9, {"admin"}, services=frozenset({"nginx"})))
    source = tally.sources["192.0.2.1"]
    assert source.successes[0].before.failures == 0
    assert source.services == {"ssh", "nginx"}
