# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses that must never be acted against, and the refusal that says why."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Iterable, Mapping, Union

from .errors import BadInput
from .guard import Guard
from .plan import Act
from .proxy_ranges import PROXY_RANGES

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

# Wider than this hits bystanders, whoever asked for it.
WIDEST_PREFIX = {4: 16, 6: 32}


def parse_network(text: str) -> Network:
    """An address or network as a network; a v4 address mapped into v6 counts as the v4 address."""
    try:
        network = ipaddress.ip_network(text.strip().strip("[]"), strict=False)
    except ValueError:
        raise BadInput(
            f"address {text!r}",
            "it is neither an address nor a network",
            "Write 203.0.113.7 or 2001:db8::/64.",
        ) from None
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen == 128:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.ip_network(mapped)
    return network


def canonical(text: str) -> str:
    """One spelling for one address: `2001:DB8:0::1` is `2001:db8::1`, `203.0.113.7/32` has no prefix."""
    network = parse_network(text)
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


@dataclass(frozen=True)
class Protected:
    """Networks with the reason why they must stay reachable, the most telling reason first."""

    networks: tuple[tuple[Network, str], ...]

    @classmethod
    def of(cls, *sources: Mapping[str, str]) -> Protected:
        """From mappings of address or network to reason; what comes first wins over what comes later."""
        return cls(tuple((parse_network(text), why) for source in sources for text, why in source.items()))

    def why(self, address: str) -> str | None:
        """Why this address or network must not be blocked, or None when it may be."""
        wanted = parse_network(address)
        if wanted.prefixlen < WIDEST_PREFIX[wanted.version]:
            return f"/{wanted.prefixlen} is wider than /{WIDEST_PREFIX[wanted.version]} and hits bystanders"
        for network, reason in self.networks:
            if network.version == wanted.version and network.overlaps(wanted):
                return reason
        return None

    def only(self, version: int) -> Iterable[str]:
        """The networks of one IP version, as text, without those that another one already holds."""
        mine = (network for network, _reason in self.networks if network.version == version)
        return [str(network) for network in ipaddress.collapse_addresses(mine)]  # type: ignore[type-var]


def protect(protected: Protected) -> Guard:
    """A guard for every act whose identity has an `address`."""

    def guard(act: Act) -> str | None:
        address = act.identity.get("address")
        return protected.why(address) if address else None

    return guard


ALWAYS: Mapping[str, str] = {
    "127.0.0.0/8": "it is loopback",
    "::1/128": "it is loopback",
    "0.0.0.0/8": "it is no host's address",
    "::/128": "it is no host's address",
    "169.254.0.0/16": "it is link-local (cloud metadata lives there)",
    "fe80::/10": "it is link-local",
    "224.0.0.0/4": "it is multicast",
    "ff00::/8": "it is multicast",
    **PROXY_RANGES,
}
