# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the memory of a server: figures, where it runs, buffers, and a sample of keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from ...clients.redis import Address
from ..figures import Info
from ..observe import Snapshot


@dataclass(frozen=True)
class Sampling:
    """What may be spent: `keys` measured (0: none is), `seconds` for all of it.

    `database` None means every one that is not empty; `pattern` measures only keys that match, as SCAN does.
    `caches` are the patterns of keys that may be lost. Two readings of INFO are at least `interval` seconds
    apart where writers are refused or keys evicted.
    """

    keys: int = 10_000
    seconds: float = 5.0
    database: int | None = None
    pattern: str | None = None
    caches: tuple[str, ...] = ()
    interval: float = 1.0


@dataclass(frozen=True)
class Key:
    """`name` may hold bytes that are no text (surrogateescape). `bytes`: None where it was not told.

    `persistent`: it has no TTL; None where that was not told. `idle_seconds` None: the eviction policy counts
    something else.
    """

    name: str
    database: int = 0
    type: str | None = None
    bytes: int | None = None
    persistent: bool | None = None
    ttl_seconds: float | None = None
    idle_seconds: int | None = None


@dataclass(frozen=True)
class Pattern:
    """Keys that are named alike. `pattern` is a glob as SCAN takes it; all of them match it.

    `sampled` keys were measured; `keys` and `bytes` are estimated for the whole database. In percent:
    `share` of the bytes of all patterns, give or take `margin` (19 times out of 20), and of its keys those
    `without_ttl`, which hold `persistent_bytes`. `ttl_seconds` is the longest TTL that one of them has,
    `idle_seconds` the median of when they were last used.
    """

    database: int
    pattern: str
    sampled: int
    keys: int
    bytes: int | None
    share: float
    margin: float
    without_ttl: float | None
    persistent_bytes: int
    ttl_seconds: int | None
    idle_seconds: int | None
    types: Mapping[str, int]
    biggest: Key


@dataclass(frozen=True)
class Sample:
    """`keys` were measured of `total` that the databases looked at hold.

    `complete`: every key was met. With `Sampling.pattern`, `matching` keys are estimated to match, else it
    equals `total`. `bytes` is the estimate for all of them. `patterns`: most bytes first; `caches`: the
    same measured for each declared cache.
    """

    keys: int = 0
    total: int = 0
    matching: int = 0
    bytes: int | None = None
    complete: bool = True
    seconds: float = 0.0
    databases: Mapping[int, int] = field(default_factory=dict)
    patterns: tuple[Pattern, ...] = ()
    caches: tuple[Pattern, ...] = ()
    biggest: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Client:
    """A connection and its buffers in bytes. `kind` is normal, replica or pubsub."""

    id: int
    address: str
    name: str
    user: str
    kind: str
    command: str
    age_seconds: int
    idle_seconds: int
    output: int
    total: int


@dataclass(frozen=True)
class Clients:
    """Of one kind: how many, what their buffers hold in bytes, and those with the biggest ones."""

    count: int
    output: int
    total: int
    biggest: tuple[Client, ...]


@dataclass(frozen=True)
class Room:
    """The memory of where it runs, in bytes; None where it is not this host, or not known.

    `limit` is the narrowest limit of a control group or container around the process, `limit_used` what
    counts against it, without the cache of files. `pid` is the process on this host.
    """

    total: int | None = None
    available: int | None = None
    limit: int | None = None
    limit_used: int | None = None
    pid: int | None = None

    @property
    def most(self) -> int | None:
        """What it can have at most."""
        return min((size for size in (self.total, self.limit) if size), default=None)


@dataclass(frozen=True)
class Latency:
    """An event of LATENCY LATEST; `time` in seconds since 1970 by the server's clock."""

    event: str
    time: int
    seconds: float
    worst_seconds: float


@dataclass(frozen=True)
class Memory:
    """`snapshot` is what triage sees as well, with `later` taken `snapshot.interval` seconds afterwards.

    Its `config` has only what could be read; `config_refused` says why there is nothing. `sample` is None
    where no keys were to be measured or could not be. `unseen` says what could not be seen, and why.
    """

    subject: str
    address: Address
    snapshot: Snapshot
    container: str | None = None
    config_refused: str | None = None
    room: Room = field(default_factory=Room)
    clients: Mapping[str, Clients] = field(default_factory=dict)
    statistics: Mapping[str, Any] = field(default_factory=dict)
    doctor: str | None = None
    latency: tuple[Latency, ...] = ()
    sample: Sample | None = None
    unseen: tuple[str, ...] = ()

    @property
    def info(self) -> Info:
        return Info(self.snapshot.info)

    @property
    def later(self) -> Info:
        return Info(self.snapshot.later or self.snapshot.info)

    @property
    def config(self) -> Mapping[str, str]:
        return self.snapshot.config

    @property
    def run_id(self) -> str:
        """Another one after every start of the process."""
        return self.info.text("run_id")

    @property
    def config_file(self) -> str | None:
        """None: it was started without one, and CONFIG REWRITE fails."""
        return self.info.text("config_file") or None

    @property
    def replica(self) -> bool:
        return self.info.text("role") == "slave"

    @property
    def cluster(self) -> bool:
        """This is one node of several: it knows its own keys only."""
        return self.info.number("cluster_enabled") == 1

    @property
    def loading(self) -> bool:
        return self.info.number("loading") == 1

    def during(self, name: str) -> int:
        """By how much a counter of INFO rose between the two readings."""
        return max(0, self.later.number(name) - self.info.number(name))

    def refused(self, code: str = "OOM") -> int:
        """How many more errors of a kind the second reading had."""
        return max(0, self.later.errors().get(code, 0) - self.info.errors().get(code, 0))
