# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may write to a database, by its settings, its sessions and what was tried."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.postgres.write_access.observe import (
    Setting,
    Snapshot,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.write_access.view import is_on, view

from .conftest import EARLY, LATE, present


@pytest.mark.parametrize("value", ["on", "ON", "true", "t", "tr", "yes", "y", "1"])
def test_what_the_server_takes_for_on(value: str) -> None:
    assert is_on(value)


@pytest.mark.parametrize("value", [None, "", "off", "o", "false", "no", "0", "trust", "11"])
def test_what_it_does_not(value: str | None) -> None:
    assert not is_on(value)


def test_sessions_from_before_the_setting_may_write_and_later_ones_not(closed: Snapshot) -> None:
    seen = view(replace(closed, present=(present(1, EARLY), present(2, LATE))), "web")
    assert [each.pid for each in seen.writing] == [1]
    assert [each.pid for each in seen.reading] == [2]


def test_without_a_time_every_session_may_be_either(closed: Snapshot) -> None:
    seen = view(replace(closed, mark=None), "web")
    assert seen.since is None
    assert seen.writing == seen.reading == seen.fenced


def test_who_began_read_only_is_seen_after_it_was_set_back_by_hand(closed: Snapshot) -> None:
    seen = view(replace(closed, settings=()), "web")
    assert (seen.closed, seen.since, len(seen.writing), len(seen.reading)) == (False, None, 2, 2)
    seen = view(replace(closed, settings=(), present=(present(1),)), "web")
    assert seen.reading == ()


def test_what_a_new_session_met_counts_for_more_than_what_is_set(closed: Snapshot) -> None:
    assert closed.proof
    assert view(replace(closed, proof=replace(closed.proof, refused=False)), "web").writable
    assert not view(replace(closed, proof=replace(closed.proof, refused=None)), "web").writable


@pytest.mark.parametrize(
    ("settings", "roles"),
    [
        ([Setting(True, "web", "off", True)], ("web",)),
        ([Setting(False, "web", "off", True)], ("web",)),
        # That for the database counts before that for everywhere.
        ([Setting(False, "web", "off", True), Setting(True, "web", "on", True)], ()),
        ([Setting(True, "web", "off", True), Setting(False, "web", "on", True)], ("web",)),
        ([Setting(True, "guest", "off", False)], ()),
        ([Setting(False, None, "off")], ()),
    ],
)
def test_roles_whose_own_setting_counts_first(
    closed: Snapshot, settings: list[Setting], roles: tuple[str, ...]
) -> None:
    seen = view(replace(closed, settings=(*closed.settings, *settings)), "web")
    assert (seen.closed, seen.overrides) == (True, roles)


def test_what_holds_for_everybody_counts_only_without_the_database_s_own(writable: Snapshot) -> None:
    everybody = Setting(False, None, "on")
    assert view(replace(writable, settings=(everybody,)), None).closed
    assert not view(replace(writable, settings=(everybody, Setting(True, None, "off"))), None).closed
    assert view(replace(writable, default="true"), None).closed


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({}, True),
        ({"application": "pg_dump"}, False),
        ({"application": "firebreak"}, False),
        ({"superuser": True, "user": "postgres"}, False),
        ({"superuser": True}, True),
        ({"superuser": True, "application": "psql"}, False),
        ({"query": "LISTEN jobs"}, True),
    ],
)
def test_whom_the_fence_is_for(writable: Snapshot, given: dict[str, Any], meant: bool) -> None:
    seen = view(replace(writable, present=(present(7, **given),)), "web")
    assert bool(seen.fenced) == meant
    assert bool(seen.superusers) == (bool(given.get("superuser")) and not meant)
