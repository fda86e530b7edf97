# SPDX-License-Identifier: GPL-3.0-or-later
"""The accounts of this host, who is logged in, what runs for whom, and who is asking."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Mapping, Sequence

from ..clients import accounts, systemd, user_processes, who
from ..clients.accounts import Account
from ..clients.network import responder_address
from ..clients.systemd import Login
from ..clients.user_processes import UserProcess
from ..errors import BadInput
from ..moments import utc_now
from .people import Me, responder

SECONDS = 10.0
DAY = 86400
# The services of PAM that let somebody in.
DOORS = ("sshd", "login", "su", "cron", "crond", "atd")


@dataclass(frozen=True)
class Users:
    """`elsewhere`: accounts that a directory knows and passwd does not. `today` counts from 1970-01-01.

    `blind` are the services of PAM that let expired accounts in.
    """

    accounts: tuple[Account, ...]
    processes: tuple[UserProcess, ...]
    me: Me
    today: int
    elsewhere: Mapping[str, int]
    lingering: frozenset[str] = frozenset()
    crontabs: frozenset[str] = frozenset()
    at_jobs: tuple[int, ...] = ()
    blind: tuple[str, ...] = ()

    def named(self, name: str) -> Account | None:
        return next((account for account in self.accounts if account.name == name), None)


@dataclass(frozen=True)
class Runners:
    """What runs, and who is asking."""

    processes: tuple[UserProcess, ...]
    me: Me


@dataclass(frozen=True)
class Live:
    """A login that lives, with the start of its leader in clock ticks since boot, None when that is gone."""

    login: Login
    started: int | None


@dataclass(frozen=True)
class Sessions:
    """Those that still have a process; and everything about the accounts behind them."""

    live: tuple[Live, ...]
    users: Users


def users(named: Sequence[str] = ()) -> Users:
    """Raises `BadInput` for a name that nobody knows and `Unreachable` without the rights to look."""
    local = accounts.accounts()
    running = runners()
    return Users(
        accounts=local,
        processes=running.processes,
        me=running.me,
        today=int(utc_now().timestamp()) // DAY,
        elsewhere=_elsewhere([name for name in named if name not in {one.name for one in local}]),
        lingering=accounts.lingering(),
        crontabs=accounts.with_crontab(),
        at_jobs=accounts.at_jobs(),
        blind=tuple(door for door in DOORS if accounts.blind_to_expiry(door)),
    )


def sessions(named: Sequence[str] = ()) -> Sessions:
    """A name counts as known, too, when somebody is logged in under it: the account may have been deleted."""
    found = systemd.logins(SECONDS) if systemd.booted() else who.logins(SECONDS)
    there = {login.user: login.uid for login in found}
    seen = users([name for name in named if name not in there])
    gone = {name: uid for name, uid in there.items() if uid is not None and seen.named(name) is None}
    starts = {process.pid: process.started for process in seen.processes}
    live = (Live(login, starts.get(login.leader)) for login in found)
    return Sessions(
        tuple(one for one in live if one.started is not None or _inhabited(one.login, seen.processes)),
        replace(seen, elsewhere={**seen.elsewhere, **gone}),
    )


def _inhabited(login: Login, processes: Sequence[UserProcess]) -> bool:
    return bool(login.scope) and any(f"/{login.scope}" in process.group for process in processes)


def runners() -> Runners:
    processes = user_processes.processes()
    sudo = os.environ.get("SUDO_UID", "")
    return Runners(
        processes, responder(processes, int(sudo) if sudo.isdigit() else None, responder_address())
    )


def _elsewhere(names: Sequence[str]) -> Mapping[str, int]:
    found = {}
    for name in names:
        uid = accounts.uid_elsewhere(name)
        if uid is None:
            raise BadInput(
                f"user {name!r}",
                "this host has no account of that name",
                "Write it as in users_info; a name is spelt with its capitals.",
            )
        found[name] = uid
    return found
