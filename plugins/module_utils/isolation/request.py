# SPDX-License-Identifier: GPL-3.0-or-later
"""What the caller asked for, and who must still reach the host afterwards."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, Iterable, Mapping

from ..addresses import Network, parse_network, too_wide
from ..clients.network import Responder
from ..errors import BadInput
from ..quantities import parse_duration
from .table import collapse

SHORTEST, LONGEST = 30, 3600


@dataclass(frozen=True)
class Request:
    """`management` keeps SSH on `port`; without a confirmation the host frees itself after `seconds`."""

    management: tuple[Network, ...]
    port: int
    seconds: int

    @classmethod
    def of(cls, params: Mapping[str, Any], responder: Responder | None, own: Iterable[str]) -> Request:
        """`own` are this host's addresses. Raises `BadInput` when it is not certain who must get through."""
        seconds = parse_duration(params["dead_man_seconds"])
        if not SHORTEST <= seconds <= LONGEST:
            raise BadInput(
                f"dead_man_seconds {params['dead_man_seconds']!r}",
                "the host frees itself after 30 seconds at the earliest and one hour at the latest",
                "Write for instance 2m.",
            )
        if responder is None or not responder.host_port:
            raise BadInput(
                "management address",
                "no SSH connection leads to this process, so it is not certain who must still get through",
                "Reach the host over SSH: isolation keeps the address and the port of that very connection.",
            )
        peer = parse_network(responder.address.partition("%")[0])
        if ipaddress.ip_address(str(peer.network_address)).is_loopback or str(peer.network_address) in own:
            raise BadInput(
                f"management address {responder.address}",
                "the SSH connection comes from this host itself, through a tunnel that isolation would cut",
                "Reach the host over SSH from outside, without the tunnel.",
            )
        management = [peer, *(parse_network(text) for text in params["management_addresses"])]
        for network in management:
            because = too_wide(network)
            if because is not None:
                raise BadInput(
                    f"management address {network}",
                    because,
                    "Name in firebreak_management_addresses only where responders come from.",
                )
        return cls(tuple(collapse(management)), responder.host_port, seconds)
