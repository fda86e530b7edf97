# SPDX-License-Identifier: GPL-3.0-or-later
"""Which jails are worth a word, and who has to be banned or let go. Pure."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ..clients.fail2ban import Ban, Jail
from ..finding import NOTICE, WARNING, Finding
from ..lifecycle import Decision
from ..moments import iso
from ..plan import REVERSIBLE, Act, Plan, Undo
from ..quantities import speak_duration
from .observe import Banned, Server

# As many addresses of one jail are listed; its count is always whole.
LISTED = 500


def inform(server: Server) -> tuple[Mapping[str, Any], list[Finding]]:
    data = {
        "installed": server.installed,
        "running": server.running,
        "version": server.version or None,
        "jails": [_jail(jail) for jail in server.jails],
        "usable_jails": [jail.name for jail in server.jails if jail.bantime >= 0],
    }
    findings = [_endless(jail) for jail in server.jails if jail.bantime < 0]
    if server.installed and not server.running:
        findings.append(_stopped(server))
    return data, findings


def ban(snapshot: Banned, addresses: Sequence[str]) -> Decision:
    """Every address banned in the jail. The symptom counts those that are not."""
    free = [address for address in addresses if snapshot.jail not in snapshot.holding[address]]
    acts = [_ban(address, snapshot) for address in free]
    plan = Plan(acts=tuple(acts), sequential=False)
    if snapshot.bantime < 0:
        because = f"a ban in jail {snapshot.jail} has no end: give it a bantime, or use ip_block"
        plan = Plan(refusals=tuple(act.refused(because) for act in acts))
    return Decision(len(free), _state(snapshot), plan=plan)


def unban(snapshot: Banned, addresses: Sequence[str]) -> Decision:
    """No address banned in any jail. The symptom counts those that are."""
    held = [address for address in addresses if snapshot.holding[address]]
    acts = tuple(_unban(address, snapshot.holding[address]) for address in held)
    return Decision(len(held), _state(snapshot), plan=Plan(acts, sequential=False))


def _state(snapshot: Banned) -> Mapping[str, Any]:
    return {"banned": {address: list(jails) for address, jails in snapshot.holding.items()}}


def _ban(address: str, snapshot: Banned) -> Act:
    identity = {"address": address, "jails": [snapshot.jail]}
    return Act(
        action="fail2ban.ban",
        target=address,
        identity=identity,
        risk=REVERSIBLE,
        reason=f"asked to be banned in jail {snapshot.jail}, for {speak_duration(snapshot.bantime)}",
        undo=Undo("fail2ban.unban", identity),
    )


def _unban(address: str, jails: Sequence[str]) -> Act:
    return Act(
        action="fail2ban.unban",
        target=address,
        identity={"address": address},
        risk=REVERSIBLE,
        reason=f"banned in {', '.join(jails)}",
        undo=Undo("fail2ban.ban", {"address": address, "jails": list(jails)}),
    )


def _jail(jail: Jail) -> dict[str, Any]:
    return {
        "name": jail.name,
        "failed": jail.currently_failed,
        "failed_total": jail.total_failed,
        "banned": jail.currently_banned,
        "banned_total": jail.total_banned,
        "bantime": jail.bantime,
        "findtime": jail.findtime,
        "maxretry": jail.maxretry,
        "addresses": [_address(ban) for ban in jail.bans[:LISTED]],
    }


def _address(ban: Ban) -> dict[str, Any]:
    return {"address": ban.address, "until": iso(ban.until) if ban.until else None}


def _endless(jail: Jail) -> Finding:
    return Finding(
        id="fail2ban.jail.ban_without_end",
        level=NOTICE,
        subject=f"fail2ban jail {jail.name}",
        summary=f"bans in jail {jail.name} have no end (bantime {jail.bantime}), and {jail.currently_banned} "
        f"addresses are banned: they change hands, and nobody will remember why they are shut out",
        evidence={"bantime": jail.bantime, "banned": jail.currently_banned},
    )


def _stopped(server: Server) -> Finding:
    return Finding(
        id="fail2ban.server.stopped",
        level=WARNING,
        subject="fail2ban server",
        summary=f"fail2ban {server.version} is installed and its server does not answer: nobody is banned, "
        f"whatever they try",
        evidence={"version": server.version},
    )
