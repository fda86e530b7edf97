# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab consists of, as plain values."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

LABEL = "firebreak.lab"
NETWORK = "firebreak-lab"
SUBNET_V4 = ipaddress.IPv4Network("172.29.77.0/24")
SUBNET_V6 = ipaddress.IPv6Network("fd77:fb::/64")
LAB_DIR = Path(__file__).resolve().parent.parent
ROOT = LAB_DIR.parent.parent
STATE_DIR = ROOT / ".lab"


class LabError(Exception):
    """The lab cannot do what was asked; the message says what to look at."""


@dataclass(frozen=True)
class Image:
    """An image built here: its build context is these directories, laid over each other."""

    name: str
    suite: str
    parts: tuple[str, ...]

    @property
    def tag(self) -> str:
        return f"{self.name}:lab"


@dataclass(frozen=True)
class Host:
    """One machine of the lab."""

    name: str
    number: int
    image: Image
    systemd: bool = True
    volumes: tuple[tuple[str, str], ...] = ()
    # The image that the host's own Docker is given.
    carries: Image | None = None

    @property
    def ipv4(self) -> str:
        return str(SUBNET_V4[self.number])

    @property
    def ipv6(self) -> str:
        return address(self.number, "ipv6")


def address(number: int, family: str) -> str:
    """The lab address that ends in `number`, written alike in both families (.66 and ::66)."""
    if family == "ipv4":
        return str(SUBNET_V4[number])
    if family == "ipv6":
        return str(ipaddress.IPv6Address(f"{SUBNET_V6.network_address}{number}"))
    raise LabError(f"family is ipv4 or ipv6, not {family!r}")


ZEKKA_IMAGE = Image("firebreak-lab-zekka", "bookworm", ("shared", "zekka"))
MATRIXON_IMAGE = Image("firebreak-lab-matrixon", "trixie", ("shared", "matrixon"))
CLIENT_IMAGE = Image("firebreak-lab-client", "bookworm", ("shared", "client"))
# The compose project on matrixon1 names it so.
STACK_IMAGE = Image("matrixon-stack", "trixie", ("shared", "stack"))

HOSTS = (
    Host("zekka1", 11, ZEKKA_IMAGE),
    Host("matrixon1", 12, MATRIXON_IMAGE, volumes=(("docker", "/var/lib/docker"),), carries=STACK_IMAGE),
    Host("client1", 50, CLIENT_IMAGE, systemd=False),
)
IMAGES = (MATRIXON_IMAGE, STACK_IMAGE, ZEKKA_IMAGE, CLIENT_IMAGE)
CLIENT = "client1"
ATTACKERS = range(66, 76)


def lab_hosts() -> dict[str, Host]:
    """Every host by name."""
    return {host.name: host for host in HOSTS}


def host_named(name: str) -> Host:
    """The host, or an error that lists the names there are."""
    try:
        return lab_hosts()[name]
    except KeyError:
        raise LabError(f"the lab has no host {name!r}; it has {', '.join(lab_hosts())}") from None
