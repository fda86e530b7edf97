# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of a database, and what a new session of it meets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres import (
    Access,
    Refused,
    Session,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.write_access.observe import (
    MARK,
    NAME,
    observe,
    prove,
)

from .conftest import SINCE, FakeServer

SERVER = Server(Access(), Access(user="web", password="x", host="127.0.0.1"))


def test_a_write_is_tried_by_the_application_in_that_database() -> None:
    server, asked = FakeServer({NAME: "on"}), []

    def connect(access: Access, remaining: Callable[[], float]) -> Session:
        asked.append((access.user, access.database, access.writes))
        return server.connect(access, remaining)

    proof = prove(SERVER, "shop", connect)
    assert (proof.user, proof.application, proof.read_only, proof.refused) == ("web", True, True, True)
    assert asked == [("web", "shop", False)]


def test_a_write_that_meets_missing_privileges_was_not_refused_as_read_only() -> None:
    proof = prove(SERVER, "shop", FakeServer().connect)
    assert (proof.read_only, proof.refused) == (False, False)


def test_the_administrator_tries_when_the_application_does_not_get_in() -> None:
    server = FakeServer({NAME: "on"})

    def connect(access: Access, remaining: Callable[[], float]) -> Session:
        if access.user == "web":
            raise Refused(access, "too many clients already", "End idle sessions.")
        return server.connect(access, remaining)

    proof = prove(SERVER, "shop", connect)
    assert (proof.user, proof.application, proof.refused) == ("postgres", False, True)
    assert proof.problem and "too many clients" in proof.problem


def test_without_the_application_s_password_nothing_is_claimed_for_it() -> None:
    proof = prove(Server(Access(), Access(user="web")), "shop", FakeServer().connect)
    assert (proof.user, proof.application) == ("postgres", False)
    assert proof.problem and "password" in proof.problem


def test_a_database_that_is_not_there_is_bad_input() -> None:
    with pytest.raises(BadInput, match="There are: postgres, shop"):
        observe(SERVER, "shpo", FakeServer(oid=None).connect)


def test_less_than_a_superuser_is_not_enough() -> None:
    with pytest.raises(Unreachable, match="superuser"):
        observe(SERVER, "shop", FakeServer(superuser=False).connect)


@pytest.mark.parametrize(
    ("mark", "read"),
    [
        (SINCE, SINCE),
        ("yesterday", None),
        ("", None),
        ("2026-11-22T10:00:00Z", None),
        (f"{SINCE} x", None),
        ("2026-99-22T10:00:00.000000Z", None),
    ],
)
def test_a_mark_that_is_no_time_is_none(mark: Any, read: str | None) -> None:
    assert observe(SERVER, "shop", FakeServer({NAME: "on", MARK: mark}).connect).mark == read
