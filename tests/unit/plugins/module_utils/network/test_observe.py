# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import dns
from ansible_collections.firebreak.incident.plugins.module_utils.clients.netlink import Socket
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.network import names, observe
from ansible_collections.firebreak.incident.plugins.module_utils.network.sockets import summary

NETSTAT = """TcpExt: SyncookiesSent SyncookiesRecv ListenOverflows ListenDrops
TcpExt: 3 1 7 9
IpExt: InNoRoutes InTruncatedPkts
IpExt: 0 0
"""
CONNTRACK = "entries  drop early_drop\n00000003  0000000a 00000000\n00000003  00000001 00000000\n"
DEV = """Inter-|   Receive                                  |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier
    lo:   47361 219 0 0 0 0 0 0 47361 219 0 0 0 0 0 0
  eth0:11670 67 1 2 0 0 0 0 14313 46 3 4 0 0 0 0
 veth7: 11670 67 1 2 0 0 0 0 14313 46 3 4 0 0 0 0
"""


def test_the_kernels_counters_are_read() -> None:
    assert observe.parse_counters(NETSTAT) == {"SyncookiesSent": 3, "ListenOverflows": 7, "ListenDrops": 9}
    assert observe.parse_time_wait("sockets: used 93\nTCP: inuse 16 orphan 0 tw 41 alloc 57 mem 186\n") == 41
    assert observe.parse_dropped(CONNTRACK) == 11
    assert observe.parse_interfaces(DEV) == {
        "eth0": {
            "rx_packets": 67,
            "rx_errors": 1,
            "rx_dropped": 2,
            "tx_packets": 46,
            "tx_errors": 3,
            "tx_dropped": 4,
        }
    }


@pytest.mark.parametrize("text", ["", "\n", "TCP:", "garbage\0\n: :\n", "TcpExt: A"])
def test_garbage_is_nothing(text: str) -> None:
    assert observe.parse_counters(text) == {}
    assert observe.parse_time_wait(text) is None
    assert observe.parse_dropped(text) is None
    assert observe.parse_interfaces(text) == {}


def made(state: str, peer: bytes, port: int = 443, inode: int = 1, volume: int = 0) -> Socket:
    return Socket(state, bytes(len(peer)), port, peer, 50000, 2, 128, inode, volume)


FAR = bytes([203, 0, 113, 7])
MAPPED = b"\0" * 10 + b"\xff\xff" + FAR
NEAR = bytes([127, 0, 0, 1])


def test_a_talker_counts_over_both_families_and_the_host_itself_does_not() -> None:
    sockets = [
        made("ESTABLISHED", FAR, volume=100),
        made("ESTABLISHED", MAPPED, volume=50),
        *[made("ESTABLISHED", NEAR, volume=10**9)] * 3,
        made("LISTEN", bytes(4)),
        made("CLOSE_WAIT", FAR, inode=77),
        made("SYN_RECV", FAR),
    ]
    found = summary(sockets)
    (talker,) = found.sockets.by_connections
    assert (talker.address, talker.connections, talker.bytes) == ("203.0.113.7", 4, 150)
    assert found.sockets.states == {"ESTABLISHED": 5, "LISTEN": 1, "CLOSE_WAIT": 1, "SYN_RECV": 1}
    assert found.leaked_inodes == (77,)
    assert found.sockets.half_open == {443: 1}
    assert [(each.port, each.queue, each.backlog) for each in found.listeners] == [(443, 2, 128)]


def test_this_very_machine_can_be_looked_at() -> None:
    seen = observe.observe([], Deadline(5.0))
    assert seen.unseen == {}
    assert seen.sockets is not None
    assert "" not in seen.sockets.states
    assert "TIME_WAIT" not in seen.sockets.states


def test_names_are_those_of_the_endpoints_and_no_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dns.Question] = []

    def ask(questions: list[dns.Question], _timeout: float) -> tuple[dns.Reply, ...]:
        asked.extend(questions)
        return tuple(dns.Reply(each, 0.0, dns.NOERROR) for each in questions)

    monkeypatch.setattr(dns, "ask", ask)
    monkeypatch.setattr(dns, "configured", lambda: dns.Configured(("192.0.2.53",)))
    monkeypatch.setattr(dns, "look_up", lambda name, _timeout: dns.Lookup(name, 0.0))
    urls = ["https://api.example/", "https://192.0.2.7/", "https://[2001:db8::1]/", "not a url"]
    seen = names.observe_names([{"url": url} for url in urls], Deadline(5.0))
    assert [each.name for each in asked][2:] == ["api.example"]
    assert (list(seen.lookups), seen.probe) == (["api.example"], None)


def test_programs_are_asked_as_well_when_no_server_works(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(questions: list[dns.Question], timeout: float) -> tuple[dns.Reply, ...]:
        return tuple(dns.Reply(each, timeout, error="no answer") for each in questions)

    monkeypatch.setattr(dns, "ask", ask)
    monkeypatch.setattr(dns, "look_up", lambda name, _timeout: dns.Lookup(name, 0.0, failed=True))
    seen = names.observe_names([], Deadline(5.0))
    assert seen.probe is not None
    assert seen.probe.name == names.PROBE
