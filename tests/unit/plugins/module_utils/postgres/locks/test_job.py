# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import Access
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.ledger import Ledger
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import run_change
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks import job as subject
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.locks.snapshot import Snapshot
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server

from .conftest import person

Make = Callable[..., Snapshot]
PARAMS: dict[str, Any] = {
    "postgres": None,
    "services": {},
    "min_waiting": "5s",
    "method": "auto",
    "gids": [],
    "resolve": None,
    "application_is_superuser": False,
    "max_risk": "disruptive",
    "max_actions": 10,
}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """`seen` are the snapshots, the last one again and again; `ended` the pids."""
    world: dict[str, Any] = {"seen": [], "ended": [], "now": 0.0}

    def observe(*_given: Any) -> Snapshot:
        seen = world["seen"]
        found: Snapshot = seen.pop(0) if len(seen) > 1 else seen[0]
        return found

    def performers(*_given: Any) -> dict[str, Any]:
        return {"postgres.terminate": lambda identity: world["ended"].append(identity["pid"])}

    monkeypatch.setattr(subject, "reach", lambda params: Server(Access(database="shop")))
    monkeypatch.setattr(subject, "connect", lambda access, remaining: None)
    monkeypatch.setattr(subject, "observe", observe)
    monkeypatch.setattr(subject, "performers", performers)
    monkeypatch.setattr(time, "monotonic", lambda: world["now"])
    monkeypatch.setattr(time, "sleep", lambda n: world.update(now=world["now"] + n))
    return world


def change(tmp_path: Any, check_mode: bool = False, **given: Any) -> dict[str, Any]:
    params = {**PARAMS, **given}
    return run_change(params, check_mode, subject.job(params), Ledger([str(tmp_path)]))


def test_the_root_ends_and_those_that_waited_have_time_to_get_on(
    world: dict[str, Any], make: Make, tmp_path: Any
) -> None:
    world["seen"] = [make(), make(), make(), make(waits=(), waiting=0)]
    result = change(tmp_path)
    assert world["ended"] == [100]
    assert (result["verdict"], result["after"]["waiting"]) == ("resolved", 0)
    assert result["findings"] == []


def test_it_is_not_waited_for_longer_than_three_seconds(
    world: dict[str, Any], make: Make, tmp_path: Any
) -> None:
    rest = make(waits=make().waits[:1], waiting=1, root=person(100, superuser=True))
    world["seen"] = [make(), rest]
    result = change(tmp_path)
    assert result["verdict"] == "improved"
    assert 3.0 <= world["now"] < 3.5
    assert [finding["id"] for finding in result["findings"]] == ["postgres.sessions.blocked"]


def test_in_check_mode_nothing_is_done(world: dict[str, Any], make: Make, tmp_path: Any) -> None:
    world["seen"] = [make()]
    result = change(tmp_path, check_mode=True)
    assert (result["verdict"], result["actions"][0]["status"], world["ended"]) == ("planned", "planned", [])


def test_without_anybody_waiting_it_is_not_needed(world: dict[str, Any], make: Make, tmp_path: Any) -> None:
    world["seen"] = [make(waits=(), waiting=0)]
    result = change(tmp_path)
    assert (result["verdict"], result["changed"], world["now"]) == ("not_needed", False, 0.0)


def test_resolving_nothing_by_name_is_bad_input(world: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="no transaction is named"):
        subject.job({**PARAMS, "resolve": "commit"})
