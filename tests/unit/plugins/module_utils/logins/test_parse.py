# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.firebreak.incident.plugins.module_utils.log_times import Clock
from ansible_collections.firebreak.incident.plugins.module_utils.logins.parse import (
    ACCEPTED,
    CUT,
    ENDED,
    GUESSED,
    SSH_LINES,
    Rare,
    account_of,
    nginx_failures,
    nginx_time,
    parse_rare,
)
from ansible_collections.firebreak.incident.plugins.module_utils.logins.tally import SshCounter

from ..conftest import epoch


def line(message: bytes, tag: bytes = b"sshd[1]") -> bytes:
    return b"\n2026-11-21T22:00:00.000000+00:00 web1 " + tag + b": " + message + b"\n"


@pytest.mark.parametrize("tag", [b"sshd[1]", b"sshd-session[123456]", b"sshd-auth[9]"])
def test_all_of_sshds_programs_are_read(tag: bytes) -> None:
    [row] = SSH_LINES.findall(line(b"Failed password for root from 192.0.2.1 port 5 ssh2", tag))
    assert row[1:3] == (b"root", b"192.0.2.1")


@pytest.mark.parametrize("tag", [b"app[1]", b"x sshd[1]", b"notsshd[1]", b"sshd"])
def test_what_other_programs_write_is_not_read(tag: bytes) -> None:
    assert not SSH_LINES.findall(line(b"Failed password for root from 192.0.2.1 port 5 ssh2", tag))


@pytest.mark.parametrize(
    "stamp", [b"Nov 21 22:00:00", b"Nov  1 22:00:00", b"1795304127.962414", b"2026-11-21T22:00:00Z"]
)
def test_every_form_of_stamp_begins_a_line(stamp: bytes) -> None:
    block = b"\n" + stamp + b" web1 sshd[1]: Failed password for root from 192.0.2.1 port 5 ssh2\n"
    assert [row[0] for row in SSH_LINES.findall(block)] == [stamp]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            b"Failed password for invalid user a b from 203.0.113.7 port 4 ssh2",
            Rare(GUESSED, b"invalid user a b", b"203.0.113.7"),
        ),
        (
            b"Failed password for invalid user r from 6.6.6.6 port 1 ssh2 from 203.0.113.7 port 4 ssh2",
            Rare(GUESSED, b"invalid user r from 6.6.6.6 port 1 ssh2", b"203.0.113.7"),
        ),
        (
            b"message repeated 5 times: [ Failed password for root from 2001:db8::1 port 4 ssh2]",
            Rare(GUESSED, b"root", b"2001:db8::1", count=5),
        ),
        (
            b"Failed keyboard-interactive/pam for root from 203.0.113.7 port 4 ssh2",
            Rare(GUESSED, b"root", b"203.0.113.7"),
        ),
        (
            b"Disconnecting authenticating user root 203.0.113.7 port 4: "
            b"Too many authentication failures [preauth]",
            Rare(ENDED, b"root", b"203.0.113.7"),
        ),
        (
            b"Connection reset by invalid user a 6.6.6.6 port 1 [preauth] 203.0.113.7 port 4 [preauth]",
            Rare(ENDED, b"invalid user a 6.6.6.6 port 1 [preauth]", b"203.0.113.7"),
        ),
        (
            b"error: maximum authentication attempts exceeded for root "
            b"from 203.0.113.7 port 4 ssh2 [preauth]",
            Rare(CUT, b"root", b"203.0.113.7"),
        ),
        (
            b"Accepted publickey for anna from 203.0.113.7 port 4 ssh2: "
            b"RSA-CERT SHA256:x ID k from 6.6.6.6 port 1 ssh2",
            Rare(ACCEPTED, b"anna", b"203.0.113.7", b"publickey"),
        ),
        (
            b"Accepted password for DOMAIN\\anna b from fe80::1%eth0 port 4 ssh2",
            Rare(ACCEPTED, b"DOMAIN\\anna b", b"fe80::1%eth0", b"password"),
        ),
    ],
)
def test_the_address_is_the_one_that_sshd_wrote(text: bytes, expected: Rare) -> None:
    assert parse_rare(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        b"Failed publickey for anna from 203.0.113.7 port 4 ssh2: RSA SHA256:x",
        b"Failed password for root from 203.0.113.7 po",
        b"Disconnecting invalid user b 203.0.113.7 port 4: Change of username or service not allowed: "
        b"(b,ssh-connection) -> (c 6.6.6.6 port 1,ssh-connection) [preauth]",
        b"message repeated 9999999 times: [ Failed password for root from 203.0.113.7 port 4 ssh2]",
        b"",
    ],
)
def test_what_is_uncertain_accuses_nobody(text: bytes) -> None:
    assert parse_rare(text) is None


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (b"root", ("root", True)),
        (b"invalid user bob", ("bob", False)),
        (b"invalid user ", ("", False)),
        (b"invalid user invalid user root", ("invalid user root", False)),
        (b"invalid user \xff\x1b[2J", ("\\xff\\x1b[2J", False)),
        (b"invalid user " + b"a" * 500, ("a" * 100, False)),
        ("bjørn".encode(), ("bjørn", True)),
    ],
)
def test_an_attacker_cannot_name_himself_an_existing_account(user: bytes, expected: tuple[str, bool]) -> None:
    assert account_of(user) == expected


NGINX = (
    b'\n2026/11/21 22:05:00 [error] 31#31: *1 user "%b"%b, client: %b, server: _, '
    b'request: "GET %b HTTP/1.1"\n'
)


@pytest.mark.parametrize("how", [b": password mismatch", b' was not found in "/etc/nginx/.htpasswd"'])
def test_both_ways_to_fail_basic_authentication_are_read(how: bytes, utc: None) -> None:
    [failure] = nginx_failures(NGINX % (b"ops", how, b"2001:db8::1", b"/"))
    assert (failure.user, failure.address) == (b"ops", b"2001:db8::1")
    assert failure.time == epoch("2026-11-21T22:05:00")


SPOOF = b", client: 198.51.100.66, server: x"
MISMATCH = b": password mismatch"


def in_docker(text: bytes) -> bytes:
    """What Docker's json-file driver makes of these lines: one record for each."""
    records = [
        {"log": one.decode() + "\n", "stream": "stderr", "time": "2026-11-21T22:05:00.5Z"}
        for one in text.strip(b"\n").split(b"\n")
    ]
    return b"\n" + b"".join(json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in records)


@pytest.mark.parametrize("wrap", [bytes, in_docker], ids=["bare", "docker"])
@pytest.mark.parametrize("client", [b"192.0.2.1", b"2001:db8::1"])
@pytest.mark.parametrize(
    ("user", "how", "request_line", "header"),
    [
        (b"ops", MISMATCH, b"/", b'referrer: "q' + SPOOF + b'"'),
        (b"ops", b' was not found in "/etc/nginx/.htpasswd"', b"/", b'referrer: "q' + SPOOF + b'"'),
        (b"ops", MISMATCH, b"/" + SPOOF, b'host: "x"'),
        (b"ops", MISMATCH, b"/", b'host: "' + MISMATCH + SPOOF + b'"'),
        # As much of it as a name can hold, which has no colon.
        (b'x" was not found in "y", client 198.51.100.66, server x', MISMATCH, b"/", b'host: "x"'),
        (b'x" password mismatch, client', b' was not found in "/a"', b"/", b'host: "x"'),
        (b"", MISMATCH, b"/", b'host: "x"'),
    ],
)
def test_nginxs_own_client_is_the_first(
    user: bytes, how: bytes, request_line: bytes, header: bytes, client: bytes, wrap: Callable[[bytes], bytes]
) -> None:
    line = NGINX % (user, how, client, request_line)
    [failure] = nginx_failures(wrap(line[:-1] + b", " + header + b"\n"))
    assert (failure.user, failure.address) == (user, client)


BROKEN_NAMES = [b"two\nlines", b"\n\n", b"a\n2026/11/21 22", b'x" was not found in "\n']


@pytest.mark.parametrize("user", BROKEN_NAMES)
def test_a_name_of_many_lines_hides_nobody(user: bytes) -> None:
    lines = NGINX % (user, MISMATCH, b"192.0.2.1", b"/") + (NGINX % (b"b", MISMATCH, b"192.0.2.2", b"/"))[1:]
    assert [one.address for one in nginx_failures(lines)] == [b"192.0.2.1", b"192.0.2.2"]


@pytest.mark.parametrize("user", BROKEN_NAMES)
def test_what_docker_tore_apart_is_a_failure_that_accuses_nobody(user: bytes) -> None:
    assert [
        one.address for one in nginx_failures(in_docker(NGINX % (user, MISMATCH, b"192.0.2.1", b"/")))
    ] == [None]


@given(st.integers(min_value=60, max_value=140))
def test_a_line_cut_short_is_a_failure_and_accuses_no_other_address(length: int) -> None:
    cut = (NGINX % (b"a" * 40, MISMATCH, b"203.0.113.81", b"/"))[:length] + b"\n"
    whole = (NGINX % (b"b", MISMATCH, b"192.0.2.2", b"/"))[1:]
    first, second = nginx_failures(cut + whole)
    assert first.address in (None, b"203.0.113.81")
    assert second.address == b"192.0.2.2"


@given(st.text(st.characters(codec="utf-8", exclude_characters=":")).map(str.encode))
@example(b'x", client 198.51.100.66, server')
@example(b"\n{")
def test_no_name_that_nginx_writes_hides_or_accuses(user: bytes) -> None:
    assert [one.address for one in nginx_failures(NGINX % (user, MISMATCH, b"192.0.2.1", b"/"))] == [
        b"192.0.2.1"
    ]


def test_dockers_wrapping_is_taken_off_and_its_time_believed(zone: str) -> None:
    block = (
        b'\n{"log":"2026/11/21 03:00:00 [error] 29#29: *1 user \\"admin\\": password mismatch, '
        b'client: 192.0.2.9, server: _, request: \\"GET / HTTP/1.1\\"\\n",'
        b'"stream":"stderr","time":"2026-11-21T22:06:00.123456789Z"}\n'
    )
    [failure] = nginx_failures(block)
    assert (failure.user, failure.address) == (b"admin", b"192.0.2.9")
    assert failure.time == pytest.approx(epoch("2026-11-21T22:06:00.123457"))


@given(st.binary(max_size=300))
@example(b'{"log": 5}')
@example(b'{"log":"password mismatch","time":"x"}')
@example(b"Nov 31 99:99:99 h sshd[1]: message repeated 5 times: [ ]")
def test_no_bytes_make_the_parsers_raise(noise: bytes) -> None:
    clock = Clock(1795304127.0)
    clock.line(noise)
    clock.seconds(noise)
    nginx_time(noise)
    account_of(noise)
    parse_rare(noise)
    list(nginx_failures(NGINX % (noise, MISMATCH, noise, noise)))
    list(nginx_failures(b"\n" + noise + b"\n"))
    counter = SshCounter()
    counter.feed(b"\n" + noise + b"\n")
    for verb in (
        b"Failed password for ",
        b"Accepted ",
        b"message repeated ",
        b"Connection closed by invalid user ",
    ):
        counter.feed(line(verb + noise.replace(b"\n", b" ")))
    counter.drain(clock)


NAME = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=60)


@given(NAME)
@example("x from 6.6.6.6 port 1 ssh2")
@example("sshd[1]: Accepted password for root from 6.6.6.6 port 1 ssh2")
@example("a 6.6.6.6 port 1 [preauth]")
def test_no_user_name_accuses_another_address(name: str) -> None:
    user = name.encode()
    counter = SshCounter()
    counter.feed(line(b"Failed password for invalid user " + user + b" from 203.0.113.66 port 4 ssh2"))
    counter.feed(line(b"Invalid user " + user + b" from 203.0.113.66 port 4"))
    counter.feed(line(b"Connection closed by invalid user " + user + b" 203.0.113.66 port 4 [preauth]"))
    counter.feed(line(b"message repeated 2 times: [ Failed password for invalid user " + user
                      + b" from 203.0.113.66 port 4 ssh2]"))  # fmt: skip
    tally = counter.drain(Clock(1795304127.0))
    assert list(tally.sources) == ["203.0.113.66"]
    source = tally.sources["203.0.113.66"]
    assert (source.tries.guessed, source.tries.ended, source.logins) == (3, 1, 0)
    assert source.accounts == {name}
    assert not tally.existing
