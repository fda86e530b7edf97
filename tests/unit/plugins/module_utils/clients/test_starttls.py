# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socket

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.starttls import (
    POSTGRES,
    SMTP,
    ask_for_tls,
)
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline

GREETING = b"220-mail.example\r\n220 ready\r\n"
OFFER = b"250-mail.example\r\n250-SIZE 1000\r\n250 STARTTLS\r\n"


def talk(protocol: str, said: bytes, ended: bool = True) -> bytes:
    """What is asked of a server that says `said`, whatever it is asked."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(said)
        if ended:
            theirs.shutdown(socket.SHUT_WR)
        ask_for_tls(ours, protocol, Deadline(0.3))
        ours.shutdown(socket.SHUT_WR)
        return theirs.recv(1000)


def test_postgresql_is_sent_an_ssl_request() -> None:
    assert talk(POSTGRES, b"S") == b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


def test_smtp_is_greeted_and_nothing_of_the_handshake_is_taken() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(GREETING + OFFER + b"220 go\r\n\x16\x03")
        ask_for_tls(ours, SMTP, Deadline(1.0))
        assert ours.recv(10) == b"\x16\x03"
        assert theirs.recv(1000) == b"EHLO firebreak.invalid\r\nSTARTTLS\r\n"


@pytest.mark.parametrize(
    ("protocol", "said", "reason"),
    [
        (POSTGRES, b"N", "no TLS"),
        (POSTGRES, b"E", "not answer as PostgreSQL"),
        (POSTGRES, b"", "hung up"),
        (SMTP, b"554 go away\r\n", "not answer as SMTP"),
        (SMTP, GREETING + b"250 mail.example\r\n", "does not offer"),
        (SMTP, GREETING + OFFER + b"454 not now\r\n", "not answer as SMTP"),
        (SMTP, b"220" + b"x" * 5000, "no end"),
        (SMTP, b"220-more\r\n" * 200, "no end"),
        (SMTP, b"HTTP/1.1 400 Bad Request\r\n", "not answer as SMTP"),
    ],
)
def test_a_server_without_it_says_why(protocol: str, said: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        talk(protocol, said)


def test_a_silent_one_is_left() -> None:
    with pytest.raises(socket.timeout):
        talk(SMTP, b"220-", ended=False)
