# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a security incident is open, as far as the record of incidents and this host can tell."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Callable, Sequence

from ...clients import nftables
from ...clients.command import find
from ...errors import FirebreakError
from ...isolation.name import FAMILY, TABLE
from ...ledger import Entry, carried_out
from ...moments import iso
from ...undo.decide import outstanding
from .model import Incident

AUTO, OPEN, CLOSED = "auto", "open", "closed"
CHOICES = (AUTO, OPEN, CLOSED)
DAYS = 7
PLAYBOOKS = frozenset({"contain_security", "collect_evidence", "network_isolation", "rotate_credentials"})
ACTIONS = frozenset({"network.isolate", "accounts.lock", "credentials.rotate"})


def incident(
    said: str,
    recorded: str | None,
    entries: Sequence[Entry],
    now: datetime,
    isolated: Callable[[], bool] | None = None,
) -> Incident | None:
    """`said` is what the caller says; with `auto` it is what is `recorded`, the firewall and the ledger."""
    if said == CLOSED:
        return None
    if said == OPEN:
        return Incident("the caller says that a security incident is open")
    if recorded:
        return Incident(recorded)
    if (isolated or _isolated)():
        return Incident("this host is isolated")
    since = iso(now - timedelta(days=DAYS))
    done = carried_out(entries)
    concerned = [entry for entry in done if entry.time >= since and _concerns_security(entry)]
    for run in sorted({entry.run for entry in concerned}):
        standing, _superseded = outstanding(done, run)
        for entry in standing:
            if entry.time >= since and _concerns_security(entry):
                return Incident(
                    f"{entry.action} of {entry.playbook or 'a run by hand'} at {entry.time} stands "
                    f"({entry.incident or entry.run})"
                )
    return None


def _concerns_security(entry: Entry) -> bool:
    return entry.playbook in PLAYBOOKS or entry.action in ACTIONS


def _isolated() -> bool:
    if find("nft") is None:
        return False
    try:
        return nftables.table(FAMILY, TABLE) is not None
    except FirebreakError:
        # What cannot be told is taken to be so: what is kept can be deleted later.
        return True
