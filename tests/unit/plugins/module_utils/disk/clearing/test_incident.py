# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.incident import incident
from ansible_collections.firebreak.incident.plugins.module_utils.ledger import Entry


def entry(
    action: str, playbook: str, time: str, identity: Any = None, undo: Any = None, run: str = "r"
) -> Entry:
    facts: dict[str, Any] = {
        "incident": None,
        "actor": None,
        "target": "t",
        "risk": "disruptive",
        "reason": "",
        "status": "done",
    }
    return Entry(
        time=time, run=run, playbook=playbook, action=action, identity=identity or {}, undo=undo, **facts
    )


def test_an_incident_is_open_while_an_act_against_an_intruder_stands() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    lock = entry(
        "accounts.lock",
        "contain_security",
        "2026-11-20T00:00:00.000Z",
        {"user": "x"},
        {"action": "accounts.unlock", "identity": {"user": "x"}},
    )
    unlock = entry("accounts.unlock", "undo", "2026-11-21T00:00:00.000Z", {"user": "x"}, run="u")
    old = entry("firewall.block", "contain_security", "2026-11-01T00:00:00.000Z")
    other = entry("postgres.terminate", "fix_database_locks", "2026-11-21T00:00:00.000Z")
    for said, recorded, entries, isolated, is_open in (
        ("auto", None, [lock], False, True),
        ("auto", None, [lock, unlock], False, False),
        ("auto", None, [old, other], False, False),
        ("auto", None, [], True, True),
        ("auto", "inc-1 is about security and open", [], False, True),
        ("open", None, [], False, True),
        ("closed", "inc-1 is about security and open", [lock], True, False),
    ):
        found_open = incident(said, recorded, entries, now, partial(bool, isolated))
        assert bool(found_open) == is_open, (said, entries)
