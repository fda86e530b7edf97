# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel knows of this host's connections and ways out, and whether names are resolved."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from ..clients import clock, netlink
from ..clients.clock import Clock
from ..clients.network import CONTAINER_BRIDGES, Route, default_routes
from ..deadlines import Deadline, gather
from ..errors import Unreachable
from .names import Names, observe_names
from .sockets import Sockets, observe_sockets

PROC_NET, SYS_NET = Path("/proc/net"), Path("/sys/class/net")
CONNTRACK = Path("/proc/sys/net/netfilter")
TABLE_SECONDS = 2.0
COUNTERS = ("ListenOverflows", "ListenDrops", "SyncookiesSent", "TCPReqQFullDrop", "TCPBacklogDrop")
# Of the columns of /proc/net/dev behind the name of an interface.
COLUMNS = {
    "rx_packets": 1,
    "rx_errors": 2,
    "rx_dropped": 3,
    "tx_packets": 9,
    "tx_errors": 10,
    "tx_dropped": 11,
}


@dataclass(frozen=True)
class Conntrack:
    """`dropped` is what did not fit since boot; None where the kernel does not say."""

    count: int
    limit: int
    dropped: int | None = None


@dataclass(frozen=True)
class Gateway:
    """`state` is the neighbour's; None when nobody has tried to reach it lately."""

    route: Route
    state: str | None
    carrier: bool | None


@dataclass(frozen=True)
class Ways:
    """`families` are those in which this host has an address that others reach: `global` or `local` (ULA)."""

    families: Mapping[int, str]
    gateways: tuple[Gateway, ...]


@dataclass(frozen=True)
class Snapshot:
    """`before` and `after` are counters since boot, read `interval` seconds apart; `time_wait` is a count.

    `unseen` maps a part to the reason why nothing is known of it.
    """

    interval: float
    before: Mapping[str, int] = field(default_factory=dict)
    after: Mapping[str, int] = field(default_factory=dict)
    sockets: Sockets | None = None
    time_wait: int | None = None
    conntrack: tuple[Conntrack, Conntrack] | None = None
    interfaces: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    ways: Ways | None = None
    names: Names | None = None
    clock: Clock | None = None
    unseen: Mapping[str, str] = field(default_factory=dict)


def observe(endpoints: Sequence[Mapping[str, Any]], deadline: Deadline) -> Snapshot:
    """Counters first and last, everything else at once in between."""
    started = time.monotonic()
    before, tracked = _counters(), _conntrack()
    tasks: Mapping[str, Callable[[Deadline], Any]] = {
        "names": lambda inner: observe_names(endpoints, inner),
        "sockets": lambda inner: observe_sockets(inner.remaining(TABLE_SECONDS)),
        "ways": lambda inner: observe_ways(inner.remaining(TABLE_SECONDS)),
        "clock": lambda inner: clock.read(inner.remaining(TABLE_SECONDS)),
    }
    seen = gather(tasks, deadline.remaining())
    still = _conntrack()
    return Snapshot(
        interval=time.monotonic() - started,
        before=before,
        after=_counters(),
        time_wait=parse_time_wait(_text(PROC_NET / "sockstat")),
        conntrack=(tracked, still) if tracked and still else None,
        interfaces=parse_interfaces(_text(PROC_NET / "dev")),
        unseen={name: outcome.unseen for name, outcome in seen.items() if outcome.unseen},
        **{name: outcome.value for name, outcome in seen.items()},
    )


def observe_ways(timeout: float) -> Ways:
    """Default routes, and how it stands with the gateways on them."""
    routes = list(dict.fromkeys(default_routes()))
    try:
        states = {(each.address, each.interface): each.state for each in netlink.neighbours(timeout)}
    except Unreachable:
        states = {}
    gateways = (
        Gateway(
            route,
            states.get((route.gateway or "", _number(_text(SYS_NET / route.device / "ifindex")) or 0)),
            {"0": False, "1": True}.get(_text(SYS_NET / route.device / "carrier").strip()),
        )
        for route in routes
    )
    return Ways(_families(_text(PROC_NET / "route"), _text(PROC_NET / "if_inet6")), tuple(gateways))


def parse_counters(text: str) -> dict[str, int]:
    """Those of /proc/net/netstat that count; its lines come in pairs, names above numbers."""
    found: dict[str, int] = {}
    lines = [line.split() for line in text.splitlines()]
    for names, numbers in zip(lines[::2], lines[1::2]):
        found.update((name, int(value)) for name, value in zip(names[1:], numbers[1:]) if name in COUNTERS)
    return found


def parse_time_wait(text: str) -> int | None:
    """`TCP: inuse 16 orphan 0 tw 0 alloc 57 mem 186` of /proc/net/sockstat."""
    for line in text.splitlines():
        fields = line.split()
        if fields[:1] == ["TCP:"] and "tw" in fields[:-1]:
            return _number(fields[fields.index("tw") + 1])
    return None


def parse_interfaces(text: str) -> dict[str, dict[str, int]]:
    """/proc/net/dev: packets, errors and drops since boot, without loopback and containers' own."""
    found: dict[str, dict[str, int]] = {}
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        numbers = rest.split()
        name = name.strip()
        if colon and name != "lo" and not name.startswith("veth") and len(numbers) >= 16:
            found[name] = {column: int(numbers[at]) for column, at in COLUMNS.items()}
    return found


def parse_dropped(text: str) -> int | None:
    """/proc/net/stat/nf_conntrack: a column of hexadecimal numbers for each CPU."""
    lines = [line.split() for line in text.splitlines()]
    if not lines or "drop" not in lines[0]:
        return None
    at = lines[0].index("drop")
    return sum(int(line[at], 16) for line in lines[1:] if len(line) > at)


def _families(routes: str, addresses: str) -> dict[int, str]:
    """An IPv4 address puts its network into the routes; IPv6 addresses have a list of their own."""
    found: dict[int, str] = {}
    devices = [line.split()[0] for line in routes.splitlines()[1:] if line.strip()]
    if any(device != "lo" and not device.startswith(CONTAINER_BRIDGES) for device in devices):
        found[4] = "global"
    for line in addresses.splitlines():
        fields = line.split()
        # Scope 00 is global; fc00::/7 is for one's own site.
        if len(fields) < 6 or fields[3] != "00" or fields[5].startswith(CONTAINER_BRIDGES):
            continue
        if fields[0][0] in "23":
            found[6] = "global"
        else:
            found.setdefault(6, "local")
    return found


def _counters() -> dict[str, int]:
    return parse_counters(_text(PROC_NET / "netstat"))


def _conntrack() -> Conntrack | None:
    count, limit = (_number(_text(CONNTRACK / f"nf_conntrack_{what}")) for what in ("count", "max"))
    if count is None or not limit:
        return None
    return Conntrack(count, limit, parse_dropped(_text(PROC_NET / "stat" / "nf_conntrack")))


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
