# SPDX-License-Identifier: GPL-3.0-or-later
"""Live connections as ss and connection tracking show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import sockets
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError

SS = """tcp TIME-WAIT 0      0      127.0.0.1:80    127.0.0.1:33552
tcp ESTAB     18     0      [::ffff:172.17.0.2]:9443 [::ffff:203.0.113.7]:40745
tcp ESTAB     0      0      [fd77:fb::11]:22 [fd77:fb::50]:40616
tcp SYN-RECV  0      0      192.0.2.1:443   203.0.113.8:1025
udp ESTAB     0      0      192.0.2.1%eth0:68   192.0.2.254:67
tcp LAST-ACK  0      1      192.0.2.1:443   203.0.113.9:1025
"""
CONNTRACK = (
    "ipv4     2 tcp      6 431999 ESTABLISHED src=203.0.113.7 dst=192.0.2.1 sport=40745 dport=9443 "
    "src=172.17.0.2 dst=203.0.113.7 sport=9443 dport=40745 [ASSURED] mark=0 zone=0 use=2\n"
    "ipv4     2 tcp      6 5 CLOSE src=203.0.113.8 dst=192.0.2.1 sport=1 dport=2 src=192.0.2.1 "
    "dst=203.0.113.8 sport=2 dport=1 [ASSURED] mark=0 zone=0 use=2\n"
    "ipv6     10 udp      17 119 src=2001:0db8:0000:0000:0000:0000:0000:0007 "
    "dst=2001:0db8:0000:0000:0000:0000:0000:0001 sport=5 dport=53 "
    "src=2001:0db8:0000:0000:0000:0000:0000:0001 "
    "dst=2001:0db8:0000:0000:0000:0000:0000:0007 sport=53 dport=5 [ASSURED] mark=0 zone=0 use=2\n"
)


def test_live_states_count_and_memories_do_not() -> None:
    found = list(sockets.parse(SS, "host"))
    assert [each.peer for each in found] == ["203.0.113.7", "fd77:fb::50", "203.0.113.8", "192.0.2.254"]


def test_an_ipv4_peer_of_an_ipv6_socket_is_the_ipv4_address() -> None:
    first = next(iter(sockets.parse(SS, "host")))
    assert (first.peer, first.peer_port, first.local, first.local_port) == (
        "203.0.113.7",
        40745,
        "172.17.0.2",
        9443,
    )


def test_each_live_flow_is_given_from_both_sides() -> None:
    flows = list(sockets.parse_flows(CONNTRACK))
    assert [(each.protocol, each.peer) for each in flows] == [
        ("tcp", "203.0.113.7"),
        ("tcp", "192.0.2.1"),
        ("udp", "2001:db8::7"),
        ("udp", "2001:db8::1"),
    ]
    assert (flows[0].peer_port, flows[0].local_port) == (40745, 9443)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    made: list[list[str]] = []

    def run(argv: Sequence[str], **_given: Any) -> Completed:
        made.append(list(argv))
        return Completed(tuple(argv), 0, SS, "")

    monkeypatch.setattr(sockets, "run", run)
    monkeypatch.setattr(sockets, "require", lambda program, package: program)
    monkeypatch.setattr(sockets, "find", lambda program: program)
    monkeypatch.setattr(sockets, "_namespaces", lambda unseen: {1: 4242})
    return made


def test_the_namespaces_of_containers_are_asked_too(calls: list[list[str]]) -> None:
    found = sockets.with_peers(["203.0.113.7", "2001:db8::/64"])
    assert {each.where for each in found.found} == {"host", "pid 4242"}
    assert calls[0] == ["ss", "-Htun", "state", "connected", "( dst 203.0.113.7 or dst [2001:db8::/64] )"]
    assert calls[1][:3] == ["nsenter", "--net=/proc/4242/ns/net", "--"]


def test_many_addresses_are_asked_in_parts(calls: list[list[str]]) -> None:
    sockets.with_peers([f"10.0.{number // 250}.{number % 250}" for number in range(450)])
    assert len(calls) == 6


def test_sockets_are_killed_everywhere_and_flows_are_forgotten(calls: list[list[str]]) -> None:
    sockets.kill("203.0.113.7")
    assert [call[0] for call in calls] == ["ss", "nsenter", "conntrack", "conntrack"]
    assert "-KHtun" in calls[0]
    assert calls[2][1:] == ["-D", "-f", "ipv4", "--orig-src", "203.0.113.7"]


def test_nobody_asked_for_is_nobody_looked_for(calls: list[list[str]]) -> None:
    assert sockets.with_peers([]) == sockets.Connections()
    assert calls == []


def test_a_namespace_that_cannot_be_entered_is_told(
    calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "find", lambda program: None)
    assert "nsenter" in sockets.with_peers(["203.0.113.7"]).unseen[0]
    with pytest.raises(FirebreakError, match="not ended"):
        sockets.kill("203.0.113.7")


def test_an_answer_of_ss_that_failed_is_not_no_connections(
    calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sockets, "run", lambda argv, **_: Completed(tuple(argv), 255, "", "Cannot open netlink socket\n")
    )
    monkeypatch.setattr(sockets, "_namespaces", lambda unseen: {})
    assert sockets.with_peers(["203.0.113.7"]).unseen == ("host: Cannot open netlink socket",)


def test_just_the_named_connections_are_ended_each_in_its_place(calls: list[list[str]]) -> None:
    made = sockets.Connection
    sockets.end(
        [
            made("tcp", "203.0.113.7", 40745, "192.0.2.1", 443, "host"),
            made("tcp", "2001:db8::7", 40746, "2001:db8::1", 443, "host"),
            made("tcp", "203.0.113.7", 40747, "172.18.0.7", 443, "pid 4242"),
        ]
    )
    assert calls[0] == [
        *["ss", "-KHtn", "state", "connected"],
        "( src 192.0.2.1:443 and dst 203.0.113.7:40745 ) or "
        "( src [2001:db8::1]:443 and dst [2001:db8::7]:40746 )",
    ]
    assert calls[1][0] == "nsenter"
    assert calls[1][-1] == "( src 172.18.0.7:443 and dst 203.0.113.7:40747 )"
    assert len(calls) == 2


def test_ending_no_connection_asks_nobody(calls: list[list[str]]) -> None:
    sockets.end([])
    assert calls == []


def test_a_flow_is_forgotten_by_both_its_ends(calls: list[list[str]]) -> None:
    sockets.forget(list(sockets.parse_flows(CONNTRACK))[:1])
    assert calls == [
        [
            *["conntrack", "-D", "-p", "tcp", "--orig-src", "203.0.113.7", "--orig-dst", "192.0.2.1"],
            *["--sport", "40745", "--dport", "9443"],
        ]
    ]


def test_ports_that_listen_on_loopback_only_are_not_listening(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = (
        "LISTEN 0 128 127.0.0.1:5432 0.0.0.0:*\nLISTEN 0 128 [::1]:5432 [::]:*\n"
        "LISTEN 0 128 0.0.0.0:443 0.0.0.0:*\nLISTEN 0 128 *:8080 *:*\n"
        "LISTEN 0 128 [::]:443 [::]:*\nLISTEN 0 128 192.0.2.1%eth0:53 0.0.0.0:*\n"
    )
    monkeypatch.setattr(sockets, "require", lambda program, package: program)
    monkeypatch.setattr(sockets, "run", lambda argv, **_: Completed(tuple(argv), 0, listed, ""))
    assert sockets.listening() == (53, 443, 8080)
