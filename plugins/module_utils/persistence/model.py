# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of the places where an intruder stays. Times are in seconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from ..clients.packages import Owned, Verification


@dataclass(frozen=True)
class Item:
    """A file in a place from which something is started, or one entry of it.

    `name` tells entries of one file apart. `text` is the beginning of the content and `sha256` that of all
    of it; both are empty for what a package vouches for and for what is too large.
    """

    kind: str
    path: str
    name: str = ""
    uid: int = 0
    gid: int = 0
    mode: int = 0o644
    size: int = 0
    mtime: float = 0.0
    ctime: float = 0.0
    sha256: str = ""
    text: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What it is called in a baseline."""
        return f"{self.path} {self.name}" if self.name else self.path


@dataclass(frozen=True)
class Account:
    """`password` is one of set, empty, locked and unknown."""

    name: str
    uid: int
    home: str
    shell: str
    password: str


@dataclass(frozen=True)
class Setting:
    """One line of sshd's configuration."""

    path: str
    keyword: str
    value: str


@dataclass(frozen=True)
class Accounts:
    """`earlier` are the names in the copy that is made before /etc/passwd is changed; None without one."""

    accounts: tuple[Account, ...] = ()
    earlier: frozenset[str] | None = None
    changed: float = 0.0
    docker_members: tuple[str, ...] = ()
    keys: tuple[Item, ...] = ()
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True)
class Walk:
    """`missed` is the first folder that was not reached in time, empty when all were."""

    items: tuple[Item, ...] = ()
    files: int = 0
    missed: str = ""


@dataclass(frozen=True)
class Program:
    """A running process. `preload` is the LD_PRELOAD it was started with, `age` in seconds.

    `contained`: it has another root, so what its path names is not on this host. `gone`: nothing is at its
    path any more.
    """

    pid: int
    exe: str
    title: str
    uid: int
    age: float
    contained: bool = False
    gone: bool = False
    preload: str = ""
    ctime: float = 0.0
    listening: tuple[int, ...] = ()


@dataclass(frozen=True)
class Exposure:
    """A container that can reach its host: how, in words; `created` in UTC, as the engine gives it."""

    name: str
    image: str
    created: str
    running: bool
    how: tuple[str, ...]


@dataclass(frozen=True)
class KernelModule:
    """`taint` as the kernel gives it (O out of tree, E unsigned, F forced); `hidden` from /proc/modules."""

    name: str
    taint: str
    hidden: bool = False
    in_tree: bool | None = None


@dataclass(frozen=True)
class Reference:
    """What tells new from old where there is no baseline; see reference.py.

    `born` is when the system began its life and `settled` when its first set-up was over, None when nothing
    tells. Whatever changed after `since` is new.
    """

    since: float
    born: float | None = None
    settled: float | None = None

    @property
    def young(self) -> bool:
        """Whether the system itself is younger than the window."""
        return self.settled is not None and self.since == self.settled


@dataclass(frozen=True)
class Snapshot:
    """`None` stands for a topic that was not seen; `unseen` maps it to the reason."""

    reference: Reference
    files: tuple[Item, ...] | None = None
    accounts: Accounts | None = None
    privileged: Walk | None = None
    programs: tuple[Program, ...] | None = None
    modules: tuple[KernelModule, ...] | None = None
    containers: tuple[Exposure, ...] | None = None
    docker_socket_mode: int | None = None
    verification: Verification | None = None
    owners: Mapping[str, Owned] | None = None
    shells: Mapping[str, str] = field(default_factory=dict)
    unseen: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
