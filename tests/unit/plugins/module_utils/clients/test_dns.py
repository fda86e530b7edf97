# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries and answers on the wire, against a server of the test's own on loopback."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import dns
from ansible_collections.firebreak.incident.plugins.module_utils.clients.dns import Question

NAME = "db.example"


def answer(query: bytes, *addresses: str, flags: int = 0x8180) -> bytes:
    records = b"".join(
        b"\xc0\x0c" + struct.pack("!HHIH", dns.A, 1, 60, 4) + socket.inet_aton(each) for each in addresses
    )
    return query[:2] + struct.pack("!5H", flags, 1, len(addresses), 0, 0) + query[12:] + records


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[bytes], bytes | None]], Any]]:
    """Answers each datagram with what the function makes of it; nothing when that is None."""
    channels: list[socket.socket] = []

    def start(make: Callable[[bytes], bytes | None]) -> None:
        channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        channel.bind(("127.0.0.1", 0))
        channels.append(channel)
        monkeypatch.setattr(dns, "PORT", channel.getsockname()[1])

        def serve() -> None:
            while True:
                try:
                    query, peer = channel.recvfrom(4096)
                except OSError:
                    return
                made = make(query)
                if made is not None:
                    channel.sendto(made, peer)

        threading.Thread(target=serve, daemon=True).start()

    yield start
    for channel in channels:
        channel.close()


def test_the_addresses_of_a_name_come_back(server: Any) -> None:
    server(lambda query: answer(query, "192.0.2.7", "192.0.2.8"))
    (reply,) = dns.ask([Question("127.0.0.1", NAME)], 2.0)
    assert (reply.rcode, reply.addresses, reply.resolved) == (0, ("192.0.2.7", "192.0.2.8"), True)


@pytest.mark.parametrize(
    ("flags", "resolved", "said"),
    [(0x8183, True, "NXDOMAIN"), (0x8182, False, "SERVFAIL"), (0x8185, False, "REFUSED")],
)
def test_no_such_name_is_an_answer_and_a_failed_server_is_none(
    server: Any, flags: int, resolved: bool, said: str
) -> None:
    server(lambda query: answer(query, flags=flags))
    (reply,) = dns.ask([Question("127.0.0.1", ".", dns.NS)], 2.0)
    assert (reply.resolved, reply.said) == (resolved, said)


def test_a_server_that_is_silent_is_told_from_one_that_is_not_there(server: Any) -> None:
    server(lambda query: None)
    (silent,) = dns.ask([Question("127.0.0.1", NAME)], 0.05)
    assert (silent.rcode, silent.error) == (None, "no answer within 0.05 s")


def test_nobody_on_the_port_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setattr(dns, "PORT", free.getsockname()[1])
    (reply,) = dns.ask([Question("127.0.0.1", NAME)], 5.0)
    assert reply.error == "Connection refused"
    assert reply.seconds < 1.0


def test_an_answer_to_another_question_is_not_taken(server: Any) -> None:
    server(lambda query: b"\0\0" + answer(query, "192.0.2.7")[2:])
    (reply,) = dns.ask([Question("127.0.0.1", NAME)], 0.05)
    assert reply.rcode is None


def test_an_answer_that_was_cut_off_is_fetched_over_tcp(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server(lambda query: answer(query, flags=0x8380))
    monkeypatch.setattr(dns, "_over_tcp", lambda _question, query, _timeout: answer(query, "192.0.2.9"))
    (reply,) = dns.ask([Question("127.0.0.1", NAME)], 2.0)
    assert reply.addresses == ("192.0.2.9",)


@pytest.mark.parametrize("server_name", ["not an address", "192.0.2.256"])
def test_a_server_that_cannot_be_asked_is_a_reply_too(server_name: str) -> None:
    (reply,) = dns.ask([Question(server_name, NAME)], 0.05)
    assert (reply.rcode, bool(reply.error)) == (None, True)


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_garbage_is_no_answer_and_no_traceback(cut: int) -> None:
    query = dns.message(Question("127.0.0.1", NAME), 4242)
    whole = answer(query, "192.0.2.7")
    for data in (whole[:cut], whole[:12] + bytes([0xC0] * cut), b"\xff" * cut):
        seen = dns.parse(data, query)
        assert seen is None or isinstance(seen[2], tuple)


def test_the_configuration_is_read_as_the_c_library_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf, upstream = tmp_path / "resolv.conf", tmp_path / "upstream.conf"
    monkeypatch.setattr(dns, "RESOLV_CONF", str(conf))
    monkeypatch.setattr(dns, "UPSTREAM_CONF", str(upstream))
    assert dns.configured().servers == ("127.0.0.1",)
    conf.write_text("# nameserver 192.0.2.9\n" + "".join(f"nameserver 192.0.2.{n}\n" for n in range(1, 6)))
    upstream.write_text("nameserver 198.51.100.1\n")
    assert dns.configured() == dns.Configured(("192.0.2.1", "192.0.2.2", "192.0.2.3"))
    conf.write_text("nameserver 127.0.0.53\noptions edns0\n")
    assert dns.configured() == dns.Configured(("127.0.0.53",), ("198.51.100.1",))


def test_the_hosts_file_gives_an_address_by_any_of_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n192.0.2.7 db DB.example # db.other\n")
    monkeypatch.setattr(dns, "HOSTS", hosts)
    assert dns.in_hosts_file("db.example") == ("192.0.2.7",)
    assert dns.in_hosts_file("db.other") == ()


@pytest.mark.parametrize(("code", "failed"), [(socket.EAI_NONAME, False), (socket.EAI_AGAIN, True)])
def test_that_nobody_can_answer_is_not_that_there_is_no_such_name(
    monkeypatch: pytest.MonkeyPatch, code: int, failed: bool
) -> None:
    def resolve(*_given: Any, **_named: Any) -> Any:
        raise socket.gaierror(code, "it said")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert dns.look_up(NAME, 2.0).failed is failed


def test_a_name_service_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_given, **_named: held.wait(5) and [])
    lookup = dns.look_up(NAME, 0.05)
    held.set()
    assert (lookup.failed, lookup.error) == (True, "no answer within 0.05 s")
