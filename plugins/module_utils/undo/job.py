# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what the module `undo` needs: the performers of every domain, and what guards a block."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ..accounts.act import PERFORM as ACCOUNTS
from ..addresses import Protected
from ..clients.network import protected_by
from ..enhanced_logging.act import PERFORM as LOGGING
from ..fail2ban.act import PERFORM as FAIL2BAN
from ..firewall.act import performers
from ..guard import Guard, protect
from ..information import Context
from ..isolation.act import PERFORM as ISOLATION
from ..ledger import Entry, Ledger
from ..lifecycle import Job
from ..plan import Act
from ..postgres.entry import SPEC as ENTRY
from ..postgres.entry import server_for
from ..postgres.restore.act import performers as restore
from ..postgres.server import Server
from ..postgres.write_access.act import performers as write_access
from ..redis.entry import SPEC as REDIS
from ..redis.entry import server_for as redis_for
from ..redis.memory.act import Levers
from ..redis.memory.act import performers as redis_memory
from .decide import decide

SPEC: Mapping[str, Any] = {**ENTRY, **REDIS, "id": {"type": "str", "required": True}}

# These let an address in. Taking back anything else that names an address shuts it out again.
LETTING_IN = frozenset({"firewall.unblock", "fail2ban.unban"})


def job(params: Mapping[str, Any], ledger: Ledger) -> Job[Sequence[Entry]]:
    protected = protected_by(Context.from_params(params).protected)

    def way_in(identity: Mapping[str, Any]) -> Server:
        return server_for(identity, params)

    return Job(
        observe=ledger.entries,
        decide=lambda entries: decide(entries, params["id"]),
        perform={
            **performers(protected),
            **FAIL2BAN,
            **ISOLATION,
            **ACCOUNTS,
            **LOGGING,
            **restore(way_in),
            **write_access(way_in),
            **redis_memory(Levers(lambda identity: redis_for(identity, params))),
        },
        guards=(_unless_letting_in(protected),),
    )


def _unless_letting_in(protected: Protected) -> Guard:
    guard = protect(protected)

    def unless(act: Act) -> str | None:
        return None if act.action in LETTING_IN else guard(act)

    return unless
