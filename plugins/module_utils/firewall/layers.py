# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's layers of defence as they were seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Mapping

from ..clients import fail2ban, hosts_deny, iptables, nftables, nginx, ufw
from .model import Unseen
from .own_table import OwnTable


@dataclass(frozen=True)
class Layers:
    """Every layer that may keep an address out; None or empty for one that this host does not have."""

    nftables: nftables.Ruleset | None = None
    iptables: tuple[iptables.Rules, ...] = ()
    ufw: ufw.Ufw | None = None
    bans: Mapping[str, tuple[fail2ban.Ban, ...]] = field(default_factory=dict)
    hosts_deny: tuple[hosts_deny.Entry, ...] = ()
    nginx: tuple[nginx.Access, ...] = ()


@dataclass(frozen=True)
class Holding:
    """What holds an address back: Firebreak's own table and the other layers.

    `unseen` names what exists and could not be read.
    """

    now: datetime
    own: OwnTable = field(default_factory=OwnTable)
    layers: Layers = field(default_factory=Layers)
    unseen: tuple[Unseen, ...] = ()
