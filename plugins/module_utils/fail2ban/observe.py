# SPDX-License-Identifier: GPL-3.0-or-later
"""What fail2ban says of itself, its jails and the addresses in question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Sequence

from ..clients import fail2ban
from ..clients.command import require
from ..clients.fail2ban import Jail


@dataclass(frozen=True)
class Server:
    """`version` is empty when it is not installed; no jail is known of a server that does not run."""

    installed: bool
    running: bool = False
    version: str = ""
    jails: tuple[Jail, ...] = ()


@dataclass(frozen=True)
class Banned:
    """The jails that hold each address, and the jail to ban in with its bantime in seconds."""

    holding: Mapping[str, tuple[str, ...]]
    jail: str = ""
    bantime: int = 0


def server() -> Server:
    if not fail2ban.installed():
        return Server(installed=False)
    version = fail2ban.version()
    if not fail2ban.running():
        return Server(installed=True, version=version)
    return Server(True, True, version, tuple(fail2ban.jail(name) for name in fail2ban.jails()))


def banned(addresses: Sequence[str], jail: str | None = None) -> Banned:
    """Raises `Unreachable` without a running server and `BadInput` for a jail that it does not have."""
    require(fail2ban.PROGRAM, fail2ban.PACKAGE)
    if not fail2ban.running():
        raise fail2ban.stopped()
    holding = {address: fail2ban.banned_in(address) for address in addresses}
    if jail is None:
        return Banned(holding)
    return Banned(holding, jail, fail2ban.jail(fail2ban.known(jail, fail2ban.jails())).bantime)
