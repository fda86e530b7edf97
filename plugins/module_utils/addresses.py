# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses, and why some of them must never be acted against."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Iterable, Mapping, Union

from .errors import BadInput
from .proxy_ranges import PROXY_RANGES

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")

# Wider than this hits bystanders, whoever asked for it.
WIDEST_PREFIX = {4: 16, 6: 32}


def parse_network(text: str) -> Network:
    """An address or network as a network; what is mapped into v6 from v4 counts as v4.

    Host bits behind the prefix are refused: 203.0.113.7/2 is a slip of the finger, not a quarter of the
    internet. So are zones, which mean something on one host only.
    """
    typed = text.strip().strip("[]")
    try:
        if "%" in typed:
            raise ValueError
        network = ipaddress.ip_network(typed, strict=False)
    except ValueError:
        raise BadInput(
            f"address {text!r}",
            "it is neither an address nor a network",
            "Write 203.0.113.7 or 2001:db8::/64.",
        ) from None
    if str(network.network_address) != str(ipaddress.ip_address(typed.partition("/")[0])):
        raise BadInput(
            f"address {text!r}",
            "it names one address and a network around it",
            f"Did you mean {typed.partition('/')[0]}, or all of {network}?",
        )
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(MAPPED):
        mapped = int(network.network_address) & 0xFFFFFFFF
        return ipaddress.ip_network((mapped, network.prefixlen - MAPPED.prefixlen))
    return network


def canonical(text: str) -> str:
    """One spelling for one address: `2001:DB8:0::1` is `2001:db8::1`, `203.0.113.7/32` has no prefix."""
    network = parse_network(text)
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


def too_wide(network: Network) -> str | None:
    """Why nothing is done to so many addresses at once, or None."""
    widest = WIDEST_PREFIX[network.version]
    if network.prefixlen >= widest:
        return None
    return f"/{network.prefixlen} is wider than /{widest} and hits bystanders"


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
        wide = too_wide(wanted)
        if wide is not None:
            return wide
        for network, reason in self.networks:
            if network.version == wanted.version and network.overlaps(wanted):
                return reason
        return None

    def only(self, version: int) -> Iterable[str]:
        """The networks of one IP version, as text, without those that another one already holds."""
        mine = (network for network, _reason in self.networks if network.version == version)
        return [str(network) for network in ipaddress.collapse_addresses(mine)]  # type: ignore[type-var]


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
