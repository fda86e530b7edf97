# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import netlink, network
from ansible_collections.firebreak.incident.plugins.module_utils.clients.netlink import Address
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

CHECKOUT = Path(__file__).resolve().parents[5]
PACKAGE = "ansible_collections.firebreak.incident.plugins.module_utils.clients.network"
ASK = f"from {PACKAGE} import responder_address; print(responder_address())"


def test_the_responders_address_is_found_past_a_cleared_environment() -> None:
    # As under sudo: the shell of the SSH session knows, the process itself does not.
    done = subprocess.run(
        ["sh", "-c", 'env -i PYTHONPATH="$PYTHONPATH" "$0" -c "$1"; true', sys.executable, ASK],
        env={"SSH_CONNECTION": "203.0.113.9 50000 192.0.2.1 22", "PYTHONPATH": str(CHECKOUT / "collections")},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout.strip() == "203.0.113.9"


def answer(monkeypatch: pytest.MonkeyPatch, *own: tuple[str, str, int]) -> None:
    """Stands for the kernel: interface, address and length of the network's prefix of each own address."""
    names = list(dict.fromkeys(interface for interface, _address, _prefix in own))
    monkeypatch.setattr(socket, "if_nameindex", lambda: list(enumerate(names)))
    addresses = [Address(address, prefix, names.index(interface)) for interface, address, prefix in own]
    monkeypatch.setattr(netlink, "addresses", lambda _timeout: addresses)


def test_bridges_of_containers_are_protected_as_whole_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, ("eth0", "192.0.2.1", 24), ("br-5e1", "172.18.0.1", 16))
    found = network.protected_here()
    assert found["192.0.2.1"] == "it is this host's own address"
    assert found["172.18.0.0/16"] == "it is the container network on br-5e1"
    assert "192.0.2.0/24" not in found


def test_a_host_that_cannot_say_its_own_addresses_is_not_acted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_timeout: float) -> None:
        raise Unreachable("kernel tables of the network", "permission denied", "Look by hand.")

    monkeypatch.setattr(netlink, "addresses", refused)
    with pytest.raises(Unreachable, match="permission denied"):
        network.protected_here()


def test_gateways_and_resolvers_of_both_families_are_protected(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "/proc/net/route": [
            "Iface\tDestination\tGateway",
            "eth0\t00000000\t010200C0\t0003",
            "eth0\t000200C0\t00000000\t0001",
        ],
        "/proc/net/ipv6_route": [
            f"{'0' * 32} 00 {'0' * 32} 00 20010db8{'0' * 23}1 00000400 1 0 00000003 eth0",
            f"20010db8{'0' * 24} 40 {'0' * 32} 00 {'0' * 32} 00000100 1 0 00000001 eth0",
        ],
        "/etc/resolv.conf": ["# nameserver 192.0.2.99", "nameserver 192.0.2.53", "nameserver fe80::53%eth0"],
    }
    answer(monkeypatch)
    monkeypatch.setattr(network, "responder_address", lambda: None)
    monkeypatch.setattr(network, "_lines", lambda path: files.get(path, []))
    assert network.protected_here() == {
        "192.0.2.1": "it is the default gateway",
        "2001:db8::1": "it is the default gateway",
        "192.0.2.53": "it is a name server of this host",
        "fe80::53": "it is a name server of this host",
    }


def test_the_parent_is_found_behind_any_program_name(tmp_path: Path) -> None:
    assert network._parent(os.getpid()) == os.getppid()


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        (b"SSH_CONNECTION=203.0.113.9 50000 192.0.2.1 2222", ("203.0.113.9", 50000, 2222)),
        (b"SSH_CLIENT=203.0.113.9 50000 2222", ("203.0.113.9", 50000, 2222)),
        (b"SSH_CLIENT=203.0.113.9", ("203.0.113.9", 0, 0)),
        (b"SSH_CONNECTION=", None),
        (b"SSH_TTY=/dev/pts/0", None),
    ],
)
def test_the_responders_ports_come_with_the_address(
    monkeypatch: pytest.MonkeyPatch, variable: bytes, expected: tuple[str, int, int] | None
) -> None:
    monkeypatch.setattr(Path, "read_bytes", lambda _path: b"A=1\0" + variable + b"\0")
    monkeypatch.setattr(network, "_parent", lambda _pid: 0)
    assert network.responder() == (network.Responder(*expected) if expected else None)


def test_a_datagram_that_no_rule_holds_back_leaves() -> None:
    assert network.leaves("127.0.0.1")


def test_own_addresses_know_the_networks_of_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, ("lo", "127.0.0.1", 8), ("br-5e1", "172.18.0.1", 16))
    found = network.own_addresses()
    assert [(own.address, own.of_container_bridge) for own in found] == [
        ("127.0.0.1", False),
        ("172.18.0.1", True),
    ]
    assert found[1].network == "172.18.0.0/16"
