# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.logs.parse import (
    ACCESS,
    CANDIDATE,
    Packet,
    denial,
    is_error,
    packet,
    time_of,
    told,
)

NOW = 1795314600.0  # 2026-11-22T02:30:00Z


@pytest.fixture(autouse=True)
def zone() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


ERRORS = [
    b"2026-11-22T02:17:00Z ERROR GET /api/items: redis: Connection refused",
    b"2026-11-22 02:17:00,123 - app - CRITICAL - out of workers",
    b"ERROR:root:it broke",
    b"[2026-11-22 02:17:00] production.ERROR: it broke",
    b'2026-11-22 02:17:40.397 UTC [31] ERROR:  relation "items" does not exist',
    b"2026-11-22 02:17:40.397 UTC [31] FATAL:  sorry, too many clients already",
    b'{"level":"error","time":"2026-11-22T02:17:00Z","msg":"it broke"}',
    b'{"time":1795314000123,"level":50,"msg":"it broke"}',
    b'{"msg": "it broke", "severity": "CRITICAL"}',
    b'ts=2026-11-22T02:17:00Z level=error msg="it broke"',
    b"E1122 02:17:00.123456       1 reflector.go:138] it broke",
    b"2026/11/22 02:17:00 [crit] 12#12: *1 connect() to unix:/run/app.sock failed (2: No such file)",
    b"2026/11/22 02:17:00 [emerg] 12#12: bind() to 0.0.0.0:80 failed",
    b"[Sun Nov 22 02:17:00.123456 2026] [error] [pid 7] it broke",
]
FINE = [
    b"",
    b"\xff\xfe\0garbage",
    b"2026-11-22T02:17:00Z INFO 0 errors, all fine",
    b"2026-11-22T02:17:00Z INFO the last ERROR was an hour ago",
    b"2026-11-22T02:17:00Z WARNING slow query",
    b"retry after error was fine",
    b"wrote /var/log/app/error.log",
    b"GET /ERROR-page 200",
    b'{"level":"info","msg":"ERROR is only a word"}',
    b'{"level":30,"msg":"hello"}',
    b"level=info msg=error",
    b"2026-11-22 02:17:40.397 UTC [31] FATAL:  terminating connection due to administrator command",
    b"2026-11-22 02:17:40.397 UTC [31] FATAL:  the database system is starting up",
    b'2026/11/22 02:17:00 [error] 12#12: *1 open() "/srv/x" failed (2: No such file or directory)',
    b"2026/11/22 02:17:00 [crit] 12#12: *1 SSL_do_handshake() failed while SSL handshaking, client: 6.6.6.6",
    b'2026/11/22 02:17:00 [error] 12#12: *1 user "ERROR CRITICAL" was not found',
]


@pytest.mark.parametrize("line", ERRORS)
def test_an_error_is_what_its_program_calls_one(line: bytes) -> None:
    assert is_error(line)
    assert CANDIDATE.search(b"\n" + line)


@pytest.mark.parametrize("line", FINE)
def test_a_word_in_a_message_is_no_error(line: bytes) -> None:
    assert not is_error(line)


@pytest.mark.parametrize(
    ("line", "ago"),
    [
        (b"2026-11-22T02:20:00Z INFO x", 600),
        (b"2026-11-22T02:20:00.123456+00:00 host app: x", 600),
        (b"2026-11-22T03:20:00+0100 x", 600),
        (b"2026-11-21T20:50:00-05:30 x", 600),
        (b"2026-11-22 02:20:00.397 UTC [1] LOG:  x", 600),
        (b"2026-11-22 03:20:00,123 - a zone that is not named is the host's", 600),
        (b"[2026-11-22 03:20:00] production.ERROR: x", 600),
        (b"2026/11/22 03:20:00 [error] 1#1: x", 600),
        (b'6.6.6.6 - - [22/Nov/2026:02:20:00 +0000] "GET / HTTP/1.1" 200 1', 600),
        (b'{"level":"error","time":"2026-11-22T02:20:00Z"}', 600),
        (b'{"time":1795314000123,"level":50}', 600),
        (b'{"ts":1795314000.123,"level":"error"}', 600),
        (b"Nov 22 03:20:00 host app[1]: x", 600),
        (b"1795314000.123456 host app[1]: x", 600),
        (b"ERROR:root:no time", None),
        (b"2026-13-45T99:99:99Z x", None),
        (b"", None),
    ],
)
def test_the_time_is_read_in_every_usual_form(line: bytes, ago: int | None) -> None:
    found = time_of(line, NOW)
    assert (None if found is None else round(NOW - found)) == ago


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            b'6.6.6.6 - - [22/Nov/2026:02:20:00 +0000] "GET /api/items?token=x HTTP/1.1" 503 12 "-" "curl"',
            (b"22/Nov/2026:02:20:00 +0000", b"/api/items", b"503"),
        ),
        (
            b'::1 - bob [22/Nov/2026:02:20:00 +0000] "POST / HTTP/2.0" 200 12',
            (b"22/Nov/2026:02:20:00 +0000", b"/", b"200"),
        ),
        (
            b'6.6.6.6 - - [22/Nov/2026:02:20:00 +0000] "\\x16\\x03\\x01" 400 150 "-" "-"',
            (b"22/Nov/2026:02:20:00 +0000", b"", b"400"),
        ),
        (
            b'6.6.6.6 - - [22/Nov/2026:02:20:00 +0000] "GET /\\" 503 HTTP/1.1" 404 1 "-" "-"',
            (b"22/Nov/2026:02:20:00 +0000", b"/", b"404"),
        ),
        (b"2026-11-22T02:17:00Z INFO x", None),
    ],
    ids=["combined", "common", "no request", "a status in the request", "no access log"],
)
def test_requests_are_read_and_cannot_write_their_own_status(
    line: bytes, expected: tuple[bytes, bytes, bytes] | None
) -> None:
    match = ACCESS.search(b"\n" + line + b"\n")
    assert (match.groups() if match else None) == expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("connect postgres://app:hidden@db/x failed", "connect postgres://app:…@db/x failed"),
        ("password=hidden rejected", "password=… rejected"),
        ('{"token": "hidden", "a": 1}', '{"token": "…", "a": 1}'),
        ("Authorization: Bearer hidden", "Authorization: Bearer …"),
        ("red \x1b[31m\nline", "red  [31m line"),
    ],
)
def test_what_is_shown_holds_no_secret_and_moves_no_cursor(text: str, shown: str) -> None:
    assert told(text) == shown
    assert len(told("x" * 10_000)) <= 160


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "[UFW BLOCK] IN=eth0 OUT= MAC=02 SRC=6.6.6.6 DST=1.2.3.4 PROTO=TCP SPT=5 DPT=23 RES=0",
            Packet("6.6.6.6", "TCP", "23"),
        ),
        (
            "kernel: DROP-ALL: IN=eth0 OUT= SRC=2001:db8::1 DST=2001:db8::2 LEN=60 PROTO=ICMPv6 TYPE=135",
            Packet("2001:db8::1", "ICMPv6", ""),
        ),
        ("[UFW ALLOW] IN=eth0 OUT= SRC=6.6.6.6 DST=1.2.3.4 PROTO=TCP SPT=5 DPT=23", None),
        ("br-1: port 6(veth72) entered forwarding state", None),
    ],
)
def test_packets_count_when_they_were_dropped(message: str, expected: Packet | None) -> None:
    assert packet(message) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            'audit: type=1400 audit(1795314000.1:7): apparmor="DENIED" operation="open" class="file" '
            'profile="/usr/sbin/mysqld" name="/srv/data/x" pid=7 comm="mysqld" requested_mask="r"',
            "AppArmor: /usr/sbin/mysqld open /srv/data/x",
        ),
        (
            'type=AVC msg=audit(1795314000.1:7): avc:  denied  { name_connect } for  pid=7 comm="nginx" '
            "scontext=system_u:system_r:httpd_t:s0 tcontext=system_u:object_r:ntop_port_t:s0 tclass=tcp",
            "SELinux: nginx name_connect system_u:object_r:ntop_port_t:s0",
        ),
        ('audit: type=1400 apparmor="ALLOWED" operation="open" profile="x"', None),
        ("permission denied", None),
    ],
)
def test_denials_name_who_was_denied_what(message: str, expected: str | None) -> None:
    assert denial(message) == expected
