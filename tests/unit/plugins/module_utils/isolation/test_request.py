# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.network import Responder
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.isolation.request import Request

PEER = Responder("203.0.113.9", 50000, 2222)


def request(responder: Responder | None = PEER, **given: Any) -> Request:
    params = {"management_addresses": [], "dead_man_seconds": "120", **given}
    return Request.of(params, responder, {"192.0.2.1"})


def spelled(found: Request) -> list[str]:
    return [str(network) for network in found.management]


def test_the_responder_is_kept_beside_the_sites_addresses_and_on_its_own_port() -> None:
    found = request(management_addresses=["198.51.100.0/28", "2001:db8::7", "203.0.113.9"])
    assert spelled(found) == ["198.51.100.0/28", "203.0.113.9/32", "2001:db8::7/128"]
    assert found.port == 2222


def test_the_zone_of_a_link_local_responder_is_left_out() -> None:
    assert spelled(request(Responder("fe80::7%eth0", 50000, 22))) == ["fe80::7/128"]


@pytest.mark.parametrize("responder", [None, Responder("203.0.113.9", 0, 0)])
def test_without_an_ssh_connection_it_is_refused_whatever_the_site_says(responder: Responder | None) -> None:
    with pytest.raises(BadInput, match="not certain"):
        request(responder, management_addresses=["198.51.100.0/28"])


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "192.0.2.1"])
def test_a_tunnel_that_ends_on_the_host_is_no_way_in(address: str) -> None:
    with pytest.raises(BadInput, match="tunnel"):
        request(Responder(address, 50000, 22))


@pytest.mark.parametrize("network", ["10.0.0.0/8", "0.0.0.0/0", "2001::/16"])
def test_a_network_too_wide_to_be_management_is_refused(network: str) -> None:
    with pytest.raises(BadInput, match="wider than"):
        request(management_addresses=[network])


@pytest.mark.parametrize(("typed", "seconds"), [("120", 120), ("30s", 30), ("1h", 3600)])
def test_the_time_until_the_host_frees_itself_is_read(typed: str, seconds: int) -> None:
    assert request(dead_man_seconds=typed).seconds == seconds


@pytest.mark.parametrize("typed", ["29", "61m", "0", "soon"])
def test_a_time_that_leaves_no_time_or_too_much_is_refused(typed: str) -> None:
    with pytest.raises(BadInput):
        request(dead_man_seconds=typed)
