# SPDX-License-Identifier: GPL-3.0-or-later
"""Isolates a host with a dead-man timer armed before, releases it, and confirms that it may stay so."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Callable, Mapping

from ..addresses import Network, parse_network
from ..clients import network, nftables, sockets, systemd
from ..clients.command import require
from ..errors import FirebreakError, Unreachable
from ..lifecycle import Performer
from ..moments import iso, utc_now
from . import observe
from .name import FAMILY, TABLE
from .observe import ISOLATE, RELEASE, UNIT
from .table import definition
from .traffic import sort, tracked

Identity = Mapping[str, Any]
# A connection that was just coming about while the first round looked is ended by the second.
ROUNDS = 2


class Isolation:
    """The performer of one run; `armed` is its timer from when it waits."""

    def __init__(self, run: str, clock: Callable[[], datetime] = utc_now) -> None:
        self._run, self._clock = run, clock
        self.armed: str | None = None

    def isolate(self, identity: Identity) -> None:
        """Nothing is changed before systemd has taken the order to change it back."""
        management = [parse_network(str(text)) for text in identity["management"]]
        port = int(identity["port"])
        stood = observe.table() is not None
        earlier = [each.unit for each in observe.dead_men()]
        unit = self._arm(int(identity["dead_man_seconds"]), earlier)
        try:
            nftables.apply(definition(management, port))
        except FirebreakError:
            # nft may have been cut off after the kernel took it: then the way back must stay.
            if stood or _free():
                systemd.disarm(unit)
            else:
                self.armed = unit
            raise
        self.armed = unit
        for _round in range(ROUNDS):
            _end_foreign(management, port)
        # They would take away the table that now stands for this run.
        for each in earlier:
            systemd.disarm(each)

    def _arm(self, seconds: int, taken: list[str]) -> str:
        nft = require("nft", "nftables")
        names = (f"{UNIT}{self._run}{suffix}" for suffix in ("", "-2", "-3", "-4", "-5"))
        unit = next((name for name in names if name not in taken), None)
        if unit is None:
            raise Unreachable(
                f"timer {UNIT}{self._run}", "five of this run wait already", "Let them run out."
            )
        until = iso(self._clock() + timedelta(seconds=seconds))
        words = f"Firebreak frees this host from isolation at {until} unless that is confirmed"
        systemd.arm(unit, seconds, words, [nft, "delete", "table", FAMILY, TABLE])
        if unit not in (each.unit for each in observe.dead_men()):
            raise Unreachable(
                f"timer {unit}",
                "systemd took it and does not wait for it, so nothing would free this host",
                "See why: systemctl status '" + unit + ".timer'. The host was not isolated.",
            )
        return unit


def release(_identity: Identity) -> None:
    """The table goes first: while it stands, something must be there to take it away."""
    nftables.delete_table(FAMILY, TABLE)
    for each in observe.dead_men():
        systemd.disarm(each.unit)


def confirm(timer: str) -> None:
    """The isolation stays: the timer is stopped, and the table is still there after that."""
    if timer not in (each.unit for each in observe.dead_men()):
        raise Unreachable(
            f"timer {timer}",
            "it does not wait any more: it ran out, or another run took its place",
            "See what holds now with network_isolation_info.",
        )
    systemd.disarm(timer)
    if observe.table() is None:
        raise Unreachable(
            f"timer {timer}", "it ran out while it was confirmed, and the host is free", "Isolate it again."
        )


def _free() -> bool:
    try:
        return observe.table() is None
    except FirebreakError:
        return False


def _end_foreign(management: list[Network], port: int) -> None:
    """What cannot be ended, the next look at the host counts."""
    own = network.own_addresses()
    connected = (each for each in sockets.with_peers(sockets.EVERYBODY).found if each.protocol == "tcp")
    sockets.end(sort(connected, own, management, port, observe.bridged()).foreign)
    # Each flow is given from both sides, its opener first.
    sockets.forget(tracked(list(sockets.flows())[::2], own, management, port))


def _isolate_unconfirmed(_identity: Identity) -> None:
    raise FirebreakError(
        "network isolation",
        "an undo does not isolate again, for nobody would confirm it and the host would free itself",
        "Run network_isolation.",
    )


# For the undo of what a run did.
PERFORM: Mapping[str, Performer] = {ISOLATE: _isolate_unconfirmed, RELEASE: release}
