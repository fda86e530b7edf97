# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks wherever an intruder stays: at all topics at once, then whose the files are, then into them."""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import replace
from typing import Any, Callable, Iterable, Mapping, Sequence

from ..clients import docker
from ..clients.packages import Owned, Packages
from ..deadlines import Deadline, Outcome, gather
from ..errors import BadInput, Unreachable
from ..quantities import parse_duration
from .accounts import homes, observe_accounts
from .containers import observe_containers
from .look import expand, item_at, read
from .model import Accounts, Item, Program, Reference, Snapshot, Walk
from .places import FIRST_BOOT, HOME_PLACES, PLACES, SETUP_SIGNS
from .programs import listening_ports, observe_modules, observe_programs
from .reference import reference_of
from .walk import observe_privileged

NICENESS = 10
# What else a shell is called when it is copied and made to run as root.
INTERPRETERS = ("bash", "dash", "sh", "zsh", "ksh", "busybox", "python3", "perl")
_LIBRARY = re.compile(r"[^\s:]+")

SPEC: dict[str, Any] = {
    "window": {"type": "str", "default": "7d"},
    "timeout": {"type": "int", "default": 60},
    "known_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "baseline": {"type": "path"},
    "write_baseline": {"type": "path"},
    "expected": {"type": "dict"},
}


def observe(params: Mapping[str, Any], clock: Callable[[], float] = time.time) -> Snapshot:
    """`timeout` seconds for the topics, half of that again for reading what they found."""
    if params["timeout"] < 1:
        raise BadInput("timeout", "a look needs time", "Give 1 second or more.")
    window = parse_duration(params["window"])
    with contextlib.suppress(OSError):
        # The disk follows: a process that is nicer to the CPU waits longer for it, too.
        os.nice(NICENESS)
    if os.geteuid() != 0:
        raise Unreachable("persistence", "most of it only root may read", "Run as root (become: true).")
    packages = Packages()
    tasks: Mapping[str, Callable[[Deadline], Any]] = {
        "packages": lambda deadline: packages.verify(deadline.remaining),
        "privileged": lambda deadline: observe_privileged(deadline.remaining),
        "files": lambda _deadline: tuple(_files()),
        "accounts": lambda _deadline: observe_accounts(),
        "processes": lambda deadline: observe_programs(deadline.remaining),
        "kernel": lambda _deadline: observe_modules(),
        "containers": lambda deadline: observe_containers(docker.socket_path(), deadline.remaining),
    }
    seen = gather(tasks, params["timeout"])
    files: Sequence[Item] | None = seen["files"].value
    privileged: Walk | None = seen["privileged"].value
    programs: Sequence[Program] | None = seen["processes"].value
    reference = _reference(files or (), packages, clock(), window)
    verification = seen["packages"].value
    differs = frozenset(item.path for item in verification.differs) if verification else frozenset()

    def vouch(deadline: Deadline) -> Mapping[str, Owned]:
        paths = {*_paths(files, privileged, programs), *_commands(seen["accounts"].value)}
        return packages.owners(paths, deadline.remaining)

    later = gather({"ownership": vouch}, params["timeout"] / 2)
    owners: Mapping[str, Owned] | None = later["ownership"].value

    def looked_into(items: Sequence[Item]) -> tuple[Item, ...]:
        known = owners or {}
        return tuple(
            item if item.path in known and item.path not in differs else read(item) for item in items
        )

    outcomes: Mapping[str, Outcome[Any]] = {**seen, **later}
    inside = privileged and Walk(looked_into(privileged.items), privileged.files, privileged.missed)
    return Snapshot(
        reference=reference,
        files=None if files is None else looked_into(files),
        accounts=seen["accounts"].value,
        privileged=inside,
        programs=None if programs is None else tuple(_with_ports(programs, owners)),
        modules=seen["kernel"].value,
        containers=seen["containers"].value,
        docker_socket_mode=_socket_mode(),
        verification=verification,
        owners=owners,
        shells=_shells() if inside and any(item.sha256 for item in inside.items) else {},
        unseen={name: outcome.unseen for name, outcome in outcomes.items() if outcome.unseen},
        seconds={name: round(outcome.seconds, 3) for name, outcome in outcomes.items()},
    )


def _files() -> Iterable[Item]:
    """Each file once: /lib is /usr/lib on most hosts."""
    seen = set()
    patterns = [(kind, pattern) for kind, patterns in PLACES.items() for pattern in patterns]
    patterns += [
        (kind, f"{home}/{name}") for home in homes() for kind, names in HOME_PLACES.items() for name in names
    ]
    for kind, pattern in patterns:
        for path in expand(pattern):
            for item in _with_target(item_at(kind, path)):
                folder, _slash, name = item.path.rpartition("/")
                real = f"{os.path.realpath(folder)}/{name}"
                if real not in seen:
                    seen.add(real)
                    yield replace(item, path=real)


def _with_target(item: Item | None) -> Iterable[Item]:
    """A unit may be a link to a file anywhere; what is started is that file."""
    if item is None:
        return
    link = item.detail.get("link")
    if link is None:
        yield item
    elif item.kind in ("unit", "cron", "pam", "sudo", "boot", "preload"):
        target = os.path.realpath(item.path)
        found = item_at(item.kind, target)
        if found is not None and "link" not in found.detail:
            yield found


def _reference(files: Sequence[Item], packages: Packages, now: float, window: int) -> Reference:
    signs = _ctimes(FIRST_BOOT)
    events = [item.ctime for item in files if item.kind not in ("transient", "home_shell")]
    with contextlib.suppress(OSError):
        events += packages.installed_at()
    return reference_of(signs, [*events, *_ctimes(SETUP_SIGNS)], now, window)


def _ctimes(patterns: Iterable[str]) -> list[float]:
    found = (item_at("sign", path) for pattern in patterns for path in expand(pattern))
    return [item.ctime for item in found if item is not None]


def _paths(
    files: Sequence[Item] | None, privileged: Walk | None, programs: Sequence[Program] | None
) -> Iterable[str]:
    """Everything whose owner matters, also libraries that are loaded before all others."""
    for item in files or ():
        yield item.path
        if item.kind == "preload":
            yield from libraries(read(item).text)
    for item in privileged.items if privileged else ():
        yield item.path
    for program in programs or ():
        yield from (program.exe, *libraries(program.preload))


def _commands(accounts: Accounts | None) -> Iterable[str]:
    """The programs that sshd asks for keys."""
    for setting in accounts.settings if accounts else ():
        if setting.keyword.endswith("command") and setting.value.startswith("/"):
            yield setting.value.split()[0]


def libraries(text: str) -> list[str]:
    """The libraries that LD_PRELOAD or /etc/ld.so.preload name."""
    lines = (line.partition("#")[0] for line in text.split("\n"))
    return [name for line in lines for name in _LIBRARY.findall(line)]


def _with_ports(programs: Sequence[Program], owners: Mapping[str, Owned] | None) -> Iterable[Program]:
    """Ports only of those that no package vouches for: looking them up costs."""
    foreign = [
        one.pid for one in programs if owners is not None and one.exe not in owners and not one.contained
    ]
    ports = listening_ports(foreign) if foreign else {}
    for program in programs:
        if program.pid in ports:
            yield replace(program, listening=ports[program.pid])
        else:
            yield program


def _socket_mode() -> int | None:
    path = docker.socket_path()
    try:
        return path.stat().st_mode & 0o777 if path else None
    except OSError:
        return None


def _shells() -> Mapping[str, str]:
    """Checksums of this host's shells and interpreters, to recognise their copies."""
    found = (item_at("shell", os.path.realpath(f"/usr/bin/{name}")) for name in INTERPRETERS)
    return {read(item).sha256: item.path for item in found if item is not None and "link" not in item.detail}
