# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import signal
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    Access,
    Failed,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import (
    FirebreakError,
    IdentityChanged,
    Unreachable,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.restore import (
    exchange,
    observe,
    swap,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.restore.model import (
    Database,
    Snapshot,
)

from .conftest import SHA, make_copy, make_live, make_session, make_snapshot

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
IDENTITY = {
    "database": "shop",
    "oid": 10,
    "side": "shop_restore_20261122T050000Z",
    "sha256": SHA,
    "application_is_superuser": False,
    "application_user": "web",
}


class Place:
    """A server whose looks come one after the other, the last one for ever; keeps what is done to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *looks: Snapshot) -> None:
        self._looks = list(looks)
        self.done: list[str] = []
        self.failing: dict[str, FirebreakError] = {}
        monkeypatch.setattr(observe, "observe", self._observe)
        monkeypatch.setattr(observe, "beside", lambda *_given: self)
        monkeypatch.setattr(swap, "terminate", self._terminate)
        monkeypatch.setattr(exchange, "put_in_place", lambda *given: self._act("put in place", given))
        monkeypatch.setattr(exchange, "put_back", lambda *given: self._act("put back", given))
        monkeypatch.setattr(swap, "EMPTY_SECONDS", 0.05)
        monkeypatch.setattr(swap, "PAUSE", 0.001)
        self.given: tuple[Any, ...] = ()

    def swaps(self) -> swap.Swaps:
        return swap.Swaps(lambda _identity: self._looks[0].server, lambda: NOW)

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def execute(self, statement: str) -> None:
        self._act("opened" if "true" in statement else "closed", ())

    def _observe(self, *_given: Any) -> Snapshot:
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]

    def _terminate(self, _connection: object, identity: dict[str, Any]) -> None:
        self._act(f"ended {identity['pid']}", ())

    def _act(self, what: str, given: tuple[Any, ...]) -> None:
        if what in self.failing:
            raise self.failing[what]
        self.done.append(what)
        self.given = given


def ready(**live: Any) -> Snapshot:
    return make_snapshot(live=make_live(**live), others=(make_copy(),))


def test_sessions_end_before_the_names_change(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = ready(sessions=(make_session(), make_session(pid=5, backend_type="autovacuum worker")))
    place = Place(monkeypatch, busy, busy, ready())
    place.swaps().swap(IDENTITY)
    assert place.done == ["closed", "ended 77", "put in place"]
    _connection, old, new, kept_as, mark = place.given
    assert (old.oid, new.oid, kept_as) == (10, 20, "shop_before_20261122T060000Z")
    assert (mark.replaced, mark.swapped) == (10, "2026-11-22T06:00:00.000Z")


@pytest.mark.parametrize("error", [FirebreakError("x", "y", "z"), Failed(Access(), "in use", "55006")])
def test_what_fails_lets_everybody_in_again(monkeypatch: pytest.MonkeyPatch, error: FirebreakError) -> None:
    place = Place(monkeypatch, ready())
    place.failing["put in place"] = error
    with pytest.raises(type(error)):
        place.swaps().swap(IDENTITY)
    assert place.done == ["closed", "opened"]


def test_a_database_that_stays_closed_is_said_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(monkeypatch, ready())
    place.failing = {"put in place": FirebreakError("x", "y", "z"), "opened": Unreachable("s", "gone", "")}
    with pytest.raises(FirebreakError, match=r'NOBODY CAN CONNECT.*ALTER DATABASE "shop" ALLOW_CONNECTIONS'):
        place.swaps().swap(IDENTITY)


def test_who_comes_in_meanwhile_and_must_not_be_ended_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(monkeypatch, ready(), ready(sessions=(make_session(application="pg_dump"),)))
    with pytest.raises(IdentityChanged, match="it is pg_dump"):
        place.swaps().swap(IDENTITY)
    assert place.done == ["closed", "opened"]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_lost_connection_lets_everybody_in_again(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    place, before = Place(monkeypatch, ready()), signal.getsignal(number)
    monkeypatch.setattr(exchange, "put_in_place", lambda *_given: os.kill(os.getpid(), number))
    with pytest.raises(FirebreakError, match="signal"):
        place.swaps().swap(IDENTITY)
    assert place.done == ["closed", "opened"] and signal.getsignal(number) == before


def test_a_session_that_does_not_go_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(monkeypatch, ready(sessions=(make_session(),)))
    with pytest.raises(FirebreakError, match="do not end: pid 77"):
        place.swaps().swap(IDENTITY)
    assert place.done[0] == "closed" and place.done[-1] == "opened"


@pytest.mark.parametrize(
    "look",
    [
        make_snapshot(live=None, others=(make_copy(),)),
        make_snapshot(live=make_live(database=Database(11, "shop")), others=(make_copy(),)),
        make_snapshot(others=()),
        make_snapshot(others=(make_copy(checked=False),)),
        make_snapshot(others=(make_copy(sha256="other"),)),
        ready(slots=("cdc",)),
        ready(sessions=(make_session(superuser=True),)),
    ],
)
def test_what_has_changed_since_the_plan_is_not_touched(
    monkeypatch: pytest.MonkeyPatch, look: Snapshot
) -> None:
    place = Place(monkeypatch, look)
    with pytest.raises(IdentityChanged):
        place.swaps().swap(IDENTITY)
    assert place.done == []


def swapped(**given: Any) -> Snapshot:
    mark = make_copy(swapped="2026-11-22T05:40:00.000Z", replaced=10, **given).mark
    current = Database(20, "shop", mark=mark)
    return make_snapshot(live=make_live(database=current), others=(Database(10, "shop_before_x"),))


def test_the_old_database_comes_back_by_its_oid(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(monkeypatch, swapped())
    place.swaps().swap_back(IDENTITY)
    assert place.done == ["closed", "put back"]
    _connection, current, copy_name, old = place.given
    assert (current.oid, copy_name, old.oid) == (20, "shop_restore_20261122T050000Z", 10)


def test_what_is_back_already_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(monkeypatch, ready())
    place.swaps().swap_back(IDENTITY)
    assert place.done == []


def test_a_swap_that_was_cut_off_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = ready(database=Database(10, "shop", connectable=False))
    place = Place(monkeypatch, closed)
    place.swaps().swap_back(IDENTITY)
    assert place.done == ["opened"]


@pytest.mark.parametrize(
    "look",
    [
        replace(swapped(), others=()),
        swapped(sha256="other"),
        make_snapshot(live=make_live(database=Database(30, "shop")), others=(Database(10, "x"),)),
    ],
)
def test_nothing_else_is_put_back(monkeypatch: pytest.MonkeyPatch, look: Snapshot) -> None:
    place = Place(monkeypatch, look)
    with pytest.raises(IdentityChanged):
        place.swaps().swap_back(IDENTITY)
    assert place.done == []
