# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what the modules `pg_maintenance` and `pg_maintenance_info` need for what they were asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Mapping

from ...errors import BadInput
from ...ledger import Ledger
from ...lifecycle import Decision, Job
from ...moments import utc_now
from ...quantities import parse_duration
from .. import entry
from ..entry import reach
from .act import Workshop
from .decide import ANALYZE, CLEAN_UP, OPERATIONS, REINDEX, Policy, decide
from .observe import Request, Snapshot, observe, unable

INFO_SPEC: Mapping[str, Any] = {**entry.SPEC, "database": {"type": "str"}}
_LIST: Mapping[str, Any] = {"type": "list", "elements": "str", "default": []}
SPEC: Mapping[str, Any] = {
    **INFO_SPEC,
    "operation": {"type": "str", "choices": list(OPERATIONS), "required": True},
    "tables": _LIST,
    "indexes": _LIST,
    "schemas": _LIST,
    "whole_database": {"type": "bool", "default": False},
    "lock_timeout": {"type": "str", "default": "2s"},
    "timeout": {"type": "str", "default": "30m"},
    "fresh": {"type": "str", "default": "1h"},
    "assume_space": {"type": "bool", "default": False},
}
OF_INDEXES = (REINDEX, CLEAN_UP)


def look(params: Mapping[str, Any]) -> Snapshot:
    """For pg_maintenance_info."""
    return observe(reach(params), Request(params["database"]))


def job(params: Mapping[str, Any], ledger: Ledger | None = None) -> Job[Snapshot]:
    """Raises `BadInput`, and what `reach` raises."""
    policy, request = _policy(params), _request(params)
    started, fresh = utc_now(), timedelta(seconds=parse_duration(params["fresh"]))
    server, book = reach(params), ledger or Ledger()
    workshop = Workshop(server, policy)

    def look_able() -> Snapshot:
        snapshot = observe(server, request, book.entries())
        because = unable(snapshot)
        if because is not None:
            raise because
        return snapshot

    def judge(snapshot: Snapshot) -> Decision:
        now = utc_now()
        # What this run itself has done counts however long ago that is.
        return decide(snapshot, policy, now, min(started, now - fresh), workshop.log)

    return Job(
        observe=look_able,
        decide=judge,
        perform=workshop.performers(),
    )


def _policy(params: Mapping[str, Any]) -> Policy:
    seconds = {name: parse_duration(params[name]) for name in ("lock_timeout", "timeout")}
    for name, given in seconds.items():
        if given < 1:
            raise BadInput(name, "0 would be no limit at all", "Give at least 1s.")
    return Policy(params["operation"], assume_space=params["assume_space"], **seconds)


def _request(params: Mapping[str, Any]) -> Request:
    operation = params["operation"]
    if params["indexes"] and operation not in OF_INDEXES:
        raise BadInput("indexes", f"{operation} is done to tables", "Name tables, schemas or nothing.")
    named = params["tables"] or params["indexes"] or params["schemas"]
    if params["whole_database"] and named:
        raise BadInput("whole_database", "it is given beside names", "Give one or the other.")
    return Request(
        database=params["database"],
        tables=params["tables"],
        indexes=params["indexes"],
        schemas=params["schemas"],
        whole=params["whole_database"],
        reindex=operation in OF_INDEXES,
        leaves=operation != ANALYZE,
    )
