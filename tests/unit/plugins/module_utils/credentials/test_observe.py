# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.credentials.act import Case, Proof
from ansible_collections.firebreak.incident.plugins.module_utils.credentials.model import Credential
from ansible_collections.firebreak.incident.plugins.module_utils.credentials.observe import Held, observe
from ansible_collections.firebreak.incident.plugins.module_utils.ledger import Entry
from ansible_collections.firebreak.incident.plugins.module_utils.plan import Act

from .conftest import FakeHolder

CREDENTIAL = Credential("vault_x", "redis", "app", old="old-secret", new="new-secret")


def entry(status: str, time: str = "2026-11-22T02:00:00.000Z", user: str = "app", **given: Any) -> Entry:
    act = Act(
        "credentials.rotate",
        f"redis {user}",
        {"name": "vault_before", "kind": "redis", "user": user},
        "disruptive",
        "asked",
    )
    return Entry.of(act.became(status), **{"time": time, "run": "run-1", **given})


def look(*entries: Entry, holder: FakeHolder | None = None, incident: str | None = "INC-1") -> Held:
    case = Case(CREDENTIAL, holder or FakeHolder(), Proof())
    return observe([case], lambda: entries, incident).held[0]


def test_the_ledger_says_when_it_was_last_rotated_whatever_it_was_called_then() -> None:
    held = look(entry("done", "2026-11-01T00:00:00.000Z"), entry("done", "2026-11-02T00:00:00.000Z"))
    assert (held.rotated, held.here, held.cut_off) == ("2026-11-02T00:00:00.000Z", False, None)


def test_what_this_incident_rotated_is_known() -> None:
    assert look(entry("done", incident="INC-1")).here
    assert not look(entry("done", incident="INC-2")).here
    assert not look(entry("failed", incident="INC-1")).here
    assert not look(entry("done", incident="INC-1", user="other")).here


def test_without_an_incident_nothing_was_rotated_by_it() -> None:
    assert not look(entry("done"), incident=None).here


def test_a_rotation_without_an_end_is_noticed() -> None:
    assert look(entry("done"), entry("planned")).cut_off
    assert not look(entry("planned"), entry("failed")).cut_off


def test_a_server_that_cannot_be_asked_costs_only_itself() -> None:
    held = look(holder=FakeHolder(breaks={"look"}))
    assert held.unseen == "server: look broke"


def test_a_snapshot_holds_no_secret() -> None:
    assert "secret" not in repr(look().credential)
    assert look().credential.new is None
