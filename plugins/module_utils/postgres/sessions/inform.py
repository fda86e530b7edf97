# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sessions of a server mean to a reader. Pure."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ...finding import WARNING, Finding
from ...quantities import speak_duration
from .findings import budget, judge_sessions, name_of
from .observe import GROUPS, Snapshot

Facts = Mapping[str, Any]

# So many transactions ago: nothing that died since is removed by VACUUM, and tables and indexes swell.
HELD_TRANSACTIONS = 50_000_000


def connections(facts: Facts) -> Mapping[str, Any]:
    """The budget of ordinary roles, from a row of the look BUDGET."""
    return {
        "max": facts["max_connections"],
        "reserved": facts["reserved"],
        "budget": budget(facts),
        "used": facts["used"],
        "free": max(0, budget(facts) - facts["used"]),
        "by_state": facts["by_state"],
        "limits": facts["limits"],
    }


def inform(snapshot: Snapshot) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    facts, why_not = snapshot.facts, snapshot.protection.why_not
    data = {
        "server": snapshot.subject,
        "version": facts["version"],
        "in_recovery": facts["in_recovery"],
        "connections": connections(facts),
        **{f"by_{group}": facts[f"by_{group}"] for group in GROUPS},
        "idle_in_transaction": facts["idle_transactions"],
        "transactions": facts["transactions"],
        "xmin": facts["xmin"],
        "sessions": [{**one.as_dict(), "protected": why_not(one)} for one in snapshot.sessions],
        "more": snapshot.more,
    }
    return data, [*judge_sessions(facts, snapshot.subject), *_held(facts, snapshot.subject)]


def _held(facts: Facts, subject: str) -> Iterator[Finding]:
    oldest = facts["xmin"][0] if facts["xmin"] else None
    if oldest is None or oldest["transactions"] <= HELD_TRANSACTIONS:
        return
    yield Finding(
        id="postgres.xmin.held",
        level=WARNING,
        subject=subject,
        summary=f"{_holder(oldest)} holds back the clearing of dead rows by "
        f"{oldest['transactions'] / 1e6:.0f} million transactions: VACUUM removes nothing that died since, "
        f"and tables and indexes grow",
        evidence=oldest,
    )


def _holder(one: Mapping[str, Any]) -> str:
    since = f" for {speak_duration(one['seconds'])}" if one["seconds"] is not None else ""
    if one["kind"] == "prepared":
        return f"the prepared transaction {one['name']} of {one['user']}, open{since},"
    if one["kind"] == "slot":
        return f"the {one['state']} replication slot {one['name']}"
    if one["kind"] == "standby":
        return f"the standby {one['application'] or one['user']} (pid {one['name']}, hot_standby_feedback)"
    whose = one["user"] or "the server"
    return f"pid {one['name']} of {name_of({**one, 'backend_type': whose})} ({one['state']}{since})"
