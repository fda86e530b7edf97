# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a process is, and who the responder is. Pure.

A number is not a person: on the host, a process of a container shows the number it has inside, and a
daemon may have taken on the number of somebody who logs in as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterable, Mapping, Sequence

from ..clients.user_processes import UserProcess, ancestors

# What runs on a number: the person logged in or their left-over jobs, a service, a container.
PERSON, SERVICE, CONTAINER = "person", "service", "container"
# Below it are the accounts of the system (UID_MIN in login.defs).
FIRST_PERSON = 1000

_CONTAINER = re.compile(
    r"(^|[/-])[0-9a-f]{64}(\.scope)?(/|$)|/libpod-|/kubepods|/lxc[./]|^/machine\.slice/|^/lxc"
)
_SERVICE = re.compile(r"^/system\.slice/(?:.*/)?([^/]+\.service)(/|$)")
# These start what a person asked for, so that what runs in their group is that person's.
_FOR_PEOPLE = re.compile(
    r"(cron|crond|cronie|anacron|atd|dropbear|(ssh|sshd|getty|serial-getty|user)(@.*)?|[gsl]\w*dm)\.service"
)


@dataclass(frozen=True)
class Me:
    """The responder: account numbers with the reason, own line of processes, their group, own address."""

    uids: Mapping[int, str]
    pids: frozenset[int] = frozenset()
    group: str = ""
    address: str | None = None


def responder(processes: Iterable[UserProcess], sudo_uid: int | None, address: str | None) -> Me:
    """Who is behind this process: sudo, the login that the kernel remembers, the owners of its ancestors."""
    line = ancestors(processes)
    uids: dict[int, str] = {}
    for process in line:
        for uid in process.uids:
            uids.setdefault(uid, "it is your own: your connection runs under it")
        if process.login is not None:
            uids.setdefault(process.login, "it is your own: you are logged in with it")
    if sudo_uid is not None:
        uids.setdefault(sudo_uid, "it is your own: you came from it by sudo")
    # Everything here may run as root; whose login that was is told by the others.
    uids.pop(0, None)
    group = line[0].group if line and _is_a_login(line[0].group) else ""
    return Me(uids, frozenset(process.pid for process in line), group, address)


def kind(process: UserProcess, uid: int) -> str | None:
    """What a process is to the account with this number, None when it does not run on it."""
    if uid not in process.uids:
        return None
    if f"/user-{uid}.slice/" in process.group:
        return PERSON
    if _CONTAINER.search(process.group):
        return CONTAINER
    if service(process) is not None:
        return SERVICE
    # In a pid namespace of its own without a group that says why: theirs when they logged in to start it.
    return CONTAINER if process.nested and process.login != uid else PERSON


def service(process: UserProcess) -> str | None:
    """The unit of a process that systemd runs as a service; not of those which only start people's jobs."""
    found = _SERVICE.match(process.group)
    if found is None or _FOR_PEOPLE.fullmatch(found.group(1)):
        return None
    return found.group(1)


def of_person(processes: Iterable[UserProcess], uid: int, me: Me) -> list[UserProcess]:
    """What a person has running, but for what belongs to the responder's own session."""
    return [
        process
        for process in processes
        if kind(process, uid) == PERSON
        and process.pid not in me.pids
        and not (me.group and process.group == me.group)
    ]


def count(processes: Sequence[UserProcess]) -> str:
    """`1 process`, `2 processes`."""
    return "1 process" if len(processes) == 1 else f"{len(processes)} processes"


def _is_a_login(group: str) -> bool:
    return "/session-" in group
