# SPDX-License-Identifier: GPL-3.0-or-later
"""The setting, its time and the sessions: in this order, and only on the database that was meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres import Access
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, IdentityChanged
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.write_access import (
    act as write_access,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.write_access.observe import (
    MARK,
    NAME,
)

from .conftest import EARLY, LATE, SINCE, FakeServer

IDENTITY: Mapping[str, Any] = {
    "server": {},
    "system": "7710868432813102296",
    "name": 'We"b; %s',
    "oid": 16384,
    "open": None,
    "application_user": "web",
    "application_is_superuser": False,
}
CLOSE, OPEN, END = "postgres.write_access.read_only", "postgres.write_access.read_write", "postgres.terminate"
SESSION = {"server": {}, "pid": 7, "backend_start": EARLY}
ALTER = 'ALTER DATABASE "We""b; %%s"'


def _row(pid: int, began: str, **given: Any) -> dict[str, Any]:
    row = {"pid": pid, "backend_start": began, "began": began, "user": "web", "application": "shop"}
    return {**row, "backend_type": "client backend", "superuser": False, "replication": False, **given}


@pytest.fixture(autouse=True)
def ended(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The pids of those who were ended; pid 99 does not go."""
    pids: list[int] = []

    def terminate(_connection: object, identity: Mapping[str, Any]) -> None:
        assert set(identity) == {"pid", "backend_start"}
        if identity["pid"] == 99:
            raise FirebreakError("pid 99", "it is still there", "")
        pids.append(identity["pid"])

    monkeypatch.setattr(write_access, "terminate", terminate)
    return pids


def _perform(server: FakeServer, action: str, identity: Mapping[str, Any] | None = None) -> None:
    write_access.performers(lambda _identity: Server(Access()), server.connect)[action](identity or IDENTITY)


def test_its_time_is_written_beside_the_setting_and_after_it() -> None:
    server = FakeServer()
    _perform(server, CLOSE)
    assert server.told == [
        f"{ALTER} SET {NAME} = %(value)s <- on",
        f"{ALTER} SET {MARK} = %(value)s <- {SINCE}",
    ]


def test_closing_what_is_closed_sets_nothing() -> None:
    server = FakeServer(settings={NAME: "on", MARK: SINCE})
    _perform(server, CLOSE)
    assert server.told == []


def test_closing_is_refused_when_somebody_has_set_something_since() -> None:
    with pytest.raises(IdentityChanged, match="off for it by now"):
        _perform(FakeServer(settings={NAME: "off"}), CLOSE)


@pytest.mark.parametrize("action", [CLOSE, OPEN])
def test_another_database_of_the_same_name_is_left_alone(action: str) -> None:
    server = FakeServer(settings={NAME: "on", MARK: SINCE}, oid=20000)
    with pytest.raises(IdentityChanged, match="another database"):
        _perform(server, action)
    assert server.told == []


def test_no_session_is_ended_when_the_setting_failed(ended: list[int]) -> None:
    server = FakeServer(fails=NAME)
    act = write_access.performers(lambda _identity: Server(Access()), server.connect)
    with pytest.raises(FirebreakError):
        act[CLOSE](IDENTITY)
    with pytest.raises(IdentityChanged, match="could not be set read-only"):
        act[END](SESSION)
    assert ended == []


def test_a_session_is_ended_by_pid_and_start(ended: list[int]) -> None:
    server = FakeServer()
    _perform(server, END, SESSION)
    assert ended == [7]


@pytest.mark.parametrize(
    ("before", "statement"),
    [(None, f"{ALTER} RESET {NAME}"), ("off", f"{ALTER} SET {NAME} = %(value)s <- off")],
)
def test_opening_puts_back_what_was_set_before(before: str | None, statement: str) -> None:
    server = FakeServer(settings={NAME: "on", MARK: SINCE})
    _perform(server, OPEN, {**IDENTITY, "open": before})
    assert server.told == [statement, f"{ALTER} RESET {MARK}"]


def test_opening_ends_those_that_began_read_only_and_no_others(ended: list[int]) -> None:
    sessions = [
        _row(1, EARLY),
        _row(2, LATE),
        _row(3, LATE, application="pg_dump"),
        _row(4, LATE, user="postgres", superuser=True),
        _row(5, "2026-11-22T10:30:00.000000Z"),
    ]
    server = FakeServer({NAME: "on", MARK: SINCE}, sessions, now="2026-11-22T10:20:00.000000Z")
    _perform(server, OPEN)
    assert ended == [2]


def test_opening_what_was_set_by_somebody_before_ends_nobody(ended: list[int]) -> None:
    server = FakeServer({NAME: "on", MARK: SINCE}, [_row(2, LATE)], now="2026-11-22T10:20:00.000000Z")
    _perform(server, OPEN, {**IDENTITY, "open": "on"})
    assert (server.settings, ended) == ({NAME: "on"}, [])


@pytest.mark.parametrize("settings", [{}, {NAME: "off"}])
def test_opening_what_is_open_does_nothing(settings: dict[str, str], ended: list[int]) -> None:
    server = FakeServer(dict(settings), [_row(2, LATE)])
    _perform(server, OPEN)
    assert (server.told, ended) == ([], [])


def test_who_began_read_only_is_ended_though_it_was_set_back_by_hand(ended: list[int]) -> None:
    sessions = [_row(1, EARLY), _row(2, LATE)]
    server = FakeServer({MARK: SINCE}, sessions, now="2026-11-22T10:20:00.000000Z")
    _perform(server, OPEN)
    assert (server.told, ended) == ([f"{ALTER} RESET {MARK}"], [2])


def test_a_time_that_was_left_behind_does_not_vouch_for_the_next_closing() -> None:
    server = FakeServer({MARK: SINCE}, fails=f" SET {MARK}")
    with pytest.raises(FirebreakError):
        _perform(server, CLOSE)
    assert server.settings == {NAME: "on"}


def test_one_that_was_renamed_is_left_and_named() -> None:
    server = FakeServer({NAME: "on", MARK: SINCE}, name="shop_old", oid=None)
    with pytest.raises(IdentityChanged, match="called shop_old by now"):
        _perform(server, OPEN)
    assert server.told == []


@pytest.mark.parametrize("old", ["shop_before_20261122", None])
def test_one_that_was_restored_in_its_place_is_opened_instead(old: str | None) -> None:
    server = FakeServer({NAME: "on", MARK: SINCE}, name=old, oid=20000)
    _perform(server, OPEN)
    assert server.told == [f"{ALTER} RESET {NAME}", f"{ALTER} RESET {MARK}"]


def test_a_new_one_that_somebody_else_made_read_only_stays_so() -> None:
    server = FakeServer({NAME: "on"}, name=None, oid=20000)
    _perform(server, OPEN)
    assert server.told == []


def test_with_one_that_was_dropped_its_setting_has_gone_too(ended: list[int]) -> None:
    server = FakeServer(name=None, oid=20000, refuses="shop")
    way_in = Server(Access(database="shop"))
    write_access.performers(lambda _identity: way_in, server.connect)[OPEN](IDENTITY)
    assert (set(server.entered), server.told, ended) == ({"shop", "postgres"}, [], [])


def test_who_stays_read_only_is_named(ended: list[int]) -> None:
    sessions = [_row(1, LATE, query="LISTEN jobs"), _row(99, LATE), _row(3, LATE)]
    server = FakeServer({NAME: "on", MARK: SINCE}, sessions, now="2026-11-22T10:20:00.000000Z")
    with pytest.raises(FirebreakError, match=r"pid 1 of web \(it listens.*pid 99 of web \(it is") as caught:
        _perform(server, OPEN)
    assert "pid 3" not in str(caught.value)
    assert server.settings == {}
    assert ended == [3]
