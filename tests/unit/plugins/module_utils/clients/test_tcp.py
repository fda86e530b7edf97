# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection over loopback."""

from __future__ import annotations

import socket

from ansible_collections.firebreak.incident.plugins.module_utils.clients import tcp


def test_an_open_port_connects_from_the_address_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        attempt = tcp.connect("127.0.0.1", server.getsockname()[1], 3.0, source="127.0.0.2")
        channel, peer = server.accept()
        channel.close()
    assert attempt.connected
    assert (attempt.peer, attempt.error) == ("127.0.0.1", None)
    assert peer[0] == "127.0.0.2"


def test_a_closed_port_says_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    attempt = tcp.connect("127.0.0.1", port, 3.0)
    assert not attempt.connected
    assert "refused" in str(attempt.error).lower()


def test_a_source_that_is_not_ours_is_an_error_and_no_crash() -> None:
    attempt = tcp.connect("127.0.0.1", 1, 3.0, source="192.0.2.1")
    assert not attempt.connected
    assert attempt.error


def test_a_name_that_does_not_exist_is_told() -> None:
    attempt = tcp.connect("does-not-exist.invalid", 80, 3.0)
    assert not attempt.connected
    assert "resolved" in str(attempt.error)
