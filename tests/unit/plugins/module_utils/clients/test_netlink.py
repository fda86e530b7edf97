# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel of this machine, asked for sockets that the test has opened."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import netlink
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as channel:
        channel.bind(("127.0.0.1", 0))
        channel.listen(7)
        yield channel


def test_a_listener_is_seen_with_its_queue_and_owner(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)):
        found = [each for each in netlink.tcp_sockets(5.0) if each.port == port and each.state == "LISTEN"]
    assert [(each.queue, each.backlog, netlink.spoken(each.local)) for each in found] == [(1, 7, "127.0.0.1")]
    owner = netlink.owners([found[0].inode], 5.0)[found[0].inode]
    assert owner == (os.getpid(), Path("/proc/self/comm").read_text().strip())


def test_what_a_connection_has_carried_is_counted_both_ways(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()) as near, listener.accept()[0] as far:
        near.sendall(b"x" * 1000)
        assert len(far.recv(1000, socket.MSG_WAITALL)) == 1000
        far.sendall(b"y" * 500)
        assert len(near.recv(500, socket.MSG_WAITALL)) == 500
        (seen,) = [
            each
            for each in netlink.tcp_sockets(5.0)
            if (each.port, each.state) == (near.getsockname()[1], "ESTABLISHED")
        ]
    # Its own bytes count when they have been acknowledged, which includes the SYN.
    assert 1500 <= seen.volume <= 1502


def test_udp_sockets_that_take_from_anybody_are_listed() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as channel:
        channel.bind(("::1", 0))
        ports = {(netlink.spoken(each.local), each.port) for each in netlink.udp_listeners(5.0)}
        assert ("::1", channel.getsockname()[1]) in ports


def test_own_addresses_come_with_interface_and_network() -> None:
    loopback = socket.if_nametoindex("lo")
    assert netlink.Address("127.0.0.1", 8, loopback) in list(netlink.addresses(5.0))


def test_of_a_link_between_two_the_near_end_is_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def attribute(kind: int, value: bytes) -> bytes:
        return struct.pack("=HH", 4 + len(value), kind) + value

    far, near = bytes([198, 51, 100, 1]), bytes([198, 51, 100, 2])
    message = struct.pack("=BBBBI", socket.AF_INET, 32, 0, 0, 7) + attribute(1, far) + attribute(2, near)
    monkeypatch.setattr(netlink, "_dump", lambda *_asked: [b"", message])
    assert list(netlink.addresses(5.0)) == [netlink.Address("198.51.100.2", 32, 7)]


def test_neighbours_are_read_without_a_complaint() -> None:
    assert all(each.interface > 0 for each in netlink.neighbours(5.0))


@pytest.mark.parametrize(
    ("packed", "text"),
    [
        (bytes([192, 0, 2, 7]), "192.0.2.7"),
        (b"\0" * 10 + b"\xff\xff" + bytes([192, 0, 2, 7]), "192.0.2.7"),
        (socket.inet_pton(socket.AF_INET6, "2001:db8::1"), "2001:db8::1"),
    ],
)
def test_an_address_has_one_spelling(packed: bytes, text: str) -> None:
    assert netlink.spoken(packed) == text


def test_a_kernel_that_does_not_know_the_question_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlink, "_DIAG_BY_FAMILY", 4096)
    with pytest.raises(Unreachable, match="ss -tan"):
        list(netlink.tcp_sockets(5.0))


def test_a_kernel_that_falls_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        def __init__(self, *_given: Any) -> None:
            pass

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_given: Any) -> None:
            pass

        def settimeout(self, _seconds: float) -> None:
            pass

        def send(self, _data: bytes) -> None:
            pass

        def recv(self, _size: int) -> bytes:
            return b""

    monkeypatch.setattr(socket, "socket", Silent)
    with pytest.raises(Unreachable, match="not read within"):
        list(netlink.neighbours(0.01))


def test_processes_that_end_meanwhile_cost_nothing(tmp_path: Path) -> None:
    gone, alive = tmp_path / "7" / "fd", tmp_path / "8" / "fd"
    alive.mkdir(parents=True)
    gone.parent.mkdir()
    (alive / "3").symlink_to("socket:[4242]")
    (alive / "4").symlink_to("/dev/null")
    (alive.parent / "comm").write_text("nginx\n")
    (tmp_path / "uptime").write_text("")
    assert netlink.owners([4242, 1], 5.0, tmp_path) == {4242: (8, "nginx")}
