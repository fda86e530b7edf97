# SPDX-License-Identifier: GPL-3.0-or-later
"""What isolates this host, until when, and who is connected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Sequence

from ..clients import network, nftables, sockets, systemd
from ..clients.command import require
from ..clients.network import OwnAddress
from ..clients.sockets import Connection
from ..ledger import Entry, Ledger
from ..moments import utc_now
from ..plan import DONE
from .name import FAMILY, TABLE
from .table import MARK, Table, understand

ISOLATE, RELEASE = "network.isolate", "network.release"
UNIT = "firebreak-release-"
# Set aside for documentation: nobody is bothered by a datagram that does get through.
FORBIDDEN = ("192.0.2.1", "2001:db8::1")
# Whether what is only bridged passes the tables of IPv4 and IPv6.
BRIDGED = {4: "bridge-nf-call-iptables", 6: "bridge-nf-call-ip6tables"}
SYSCTL = Path("/proc/sys/net/bridge")
_UNTIL = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


@dataclass(frozen=True)
class DeadMan:
    """A timer that takes the table away; `until` is UTC, empty when its description does not say it."""

    unit: str
    until: str


@dataclass(frozen=True)
class Snapshot:
    """`own` are this host's addresses, `bridged` the IP versions whose bridged packets pass the table.

    `begun` is the last isolation in the ledger that was not released since, `passed` the forbidden
    places that a datagram left for although the table stands, `unseen` what could not be looked into.
    """

    now: datetime
    table: Table | None = None
    dead_men: tuple[DeadMan, ...] = ()
    connections: tuple[Connection, ...] = ()
    unseen: tuple[str, ...] = ()
    own: tuple[OwnAddress, ...] = ()
    bridged: frozenset[int] = frozenset()
    begun: Entry | None = None
    passed: tuple[str, ...] = ()


def table() -> Table | None:
    require("nft", "nftables")
    return understand(nftables.table(FAMILY, TABLE))


def dead_men() -> tuple[DeadMan, ...]:
    """The timers of this and earlier runs that still wait; none on a host without systemd."""
    if not systemd.booted():
        return ()
    return tuple(_dead_man(each) for each in systemd.waiting(UNIT + "*"))


def bridged() -> frozenset[int]:
    """The IP versions whose bridged packets pass the table."""
    return frozenset(version for version, name in BRIDGED.items() if _is_on(SYSCTL / name))


def look(ledger: Ledger) -> Snapshot:
    """Everything that tells whether, and how well, this host is isolated. Raises `Unreachable`."""
    standing = table()
    connected = sockets.with_peers(sockets.EVERYBODY)
    return Snapshot(
        now=utc_now(),
        table=standing,
        dead_men=dead_men(),
        connections=tuple(each for each in connected.found if each.protocol == "tcp"),
        unseen=connected.unseen,
        own=tuple(network.own_addresses()),
        bridged=bridged(),
        begun=_begun(ledger.entries()) if standing else None,
        passed=tuple(place for place in FORBIDDEN if network.leaves(place, MARK)) if standing else (),
    )


def _begun(entries: Sequence[Entry]) -> Entry | None:
    """The isolation that stands, as far as the ledger knows."""
    begun = None
    for entry in entries:
        if entry.status == DONE and entry.action in (ISOLATE, RELEASE):
            begun = entry if entry.action == ISOLATE else None
    return begun


def _dead_man(timer: systemd.Timer) -> DeadMan:
    found = _UNTIL.search(timer.description)
    return DeadMan(timer.unit, found.group() if found else "")


def _is_on(path: Path) -> bool:
    try:
        return path.read_text().strip() == "1"
    except OSError:
        return False
