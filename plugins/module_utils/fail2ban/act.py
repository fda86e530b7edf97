# SPDX-License-Identifier: GPL-3.0-or-later
"""Bans and lets go; both may be done twice."""

from __future__ import annotations

from typing import Any, Mapping

from ..clients import fail2ban
from ..lifecycle import Performer


def _ban(identity: Mapping[str, Any]) -> None:
    address = identity["address"]
    held = fail2ban.banned_in(address)
    for jail in identity["jails"]:
        if jail not in held:
            fail2ban.ban(address, jail)


def _unban(identity: Mapping[str, Any]) -> None:
    """In the jails named, or in every jail when none is."""
    for jail in identity.get("jails", [None]):
        fail2ban.unban(identity["address"], jail)


PERFORM: Mapping[str, Performer] = {"fail2ban.ban": _ban, "fail2ban.unban": _unban}
