# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres import Access, Refused
from ansible_collections.firebreak.incident.plugins.module_utils.credentials import in_postgres
from ansible_collections.firebreak.incident.plugins.module_utils.credentials.in_postgres import (
    PostgresHolder,
    scram_verifier,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, IdentityChanged

GIVEN = {"socket": "/run/postgresql", "user": "postgres", "database": "shop"}
BEFORE = scram_verifier("old", b"0123456789abcdef")


def test_a_verifier_is_the_one_of_the_standards_example() -> None:
    """RFC 7677, section 3: the server proves that it knows what was derived from `pencil`."""
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    message = (
        "n=user,r=rOprNGfwEbeRWgbNEkqO,"
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )
    head, keys = scram_verifier("pencil", salt).rsplit("$", 1)
    server_key = base64.b64decode(keys.partition(":")[2])
    signature = base64.b64encode(hmac.new(server_key, message.encode(), "sha256").digest()).decode()
    assert signature == "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert head == "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=="


class FakeServer:
    """One role, its sessions, and the only password that is let in."""

    def __init__(self) -> None:
        self.role: dict[str, Any] | None = {
            "oid": 16384,
            "rolcanlogin": True,
            "rolpassword": BEFORE,
            "sessions": 8,
        }
        self.said: list[str] = []
        self.alive = [2, 1, 0]
        self.reason = "password"

    def connect(self, access: Access, remaining: Any) -> FakeSession:
        if access.user == "web" and access.password != "right":
            raise Refused(access, "no", "", self.reason)
        return FakeSession(self)


class FakeSession:
    def __init__(self, server: FakeServer) -> None:
        self.server = server

    def __enter__(self) -> FakeSession:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def rows(self, query: str, params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        return [self.server.role] if self.server.role else []

    def row(self, query: str, params: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        alive = self.server.alive.pop(0) if "alive" in query and len(self.server.alive) > 1 else None
        last = self.server.alive[0]
        return {"now": "2026-11-22", "ended": 2, "one": 1, "alive": last if alive is None else alive}

    def execute(self, statement: str, params: Mapping[str, Any]) -> None:
        self.server.said.append(f"{statement} {params}")
        if self.server.role:
            self.server.role["rolpassword"] = params["verifier"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    server = FakeServer()
    monkeypatch.setattr(in_postgres, "connect", server.connect)
    return server


def holder() -> PostgresHolder:
    return PostgresHolder(GIVEN, (), "web", pause=lambda seconds: None)


def test_the_plain_password_never_reaches_the_server(server: FakeServer) -> None:
    one = holder()
    one.begin("16384")
    one.add("right")
    assert len(server.said) == 1
    assert server.said[0].startswith('ALTER ROLE "web" PASSWORD %(verifier)s')
    assert "right" not in server.said[0]
    assert "SCRAM-SHA-256$4096:" in server.said[0]


def test_the_verifier_from_before_is_put_back_exactly(server: FakeServer) -> None:
    one = holder()
    one.begin("16384")
    one.add("right")
    one.take_back()
    assert server.role is not None
    assert server.role["rolpassword"] == BEFORE


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"rolcanlogin": False}, "the role may not log in"),
        ({"rolpassword": None}, "the role has no password"),
        (None, "there is no such role"),
    ],
)
def test_a_role_without_a_password_cannot_be_rotated(
    server: FakeServer, change: dict[str, Any] | None, problem: str
) -> None:
    server.role = None if change is None or server.role is None else {**server.role, **change}
    assert problem in str(holder().look().problem)


def test_a_role_is_told_from_another_one_by_its_number(server: FakeServer) -> None:
    assert holder().look().identity == "16384"
    with pytest.raises(IdentityChanged):
        holder().begin("99")


def test_logging_in_tells_which_secret_is_right(server: FakeServer) -> None:
    assert holder().accepts("right") is True
    assert holder().accepts("wrong") is False
    server.reason = "database"
    assert holder().accepts("wrong") is True
    server.reason = "stopped"
    with pytest.raises(Refused):
        holder().accepts("wrong")


def test_sessions_are_ended_when_none_is_left(server: FakeServer) -> None:
    assert holder().end_sessions() == 2
    assert server.alive == [0]


def test_sessions_that_live_on_are_no_success(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_postgres, "ENDED_WITHIN", 0.0)
    server.alive = [1]
    with pytest.raises(FirebreakError, match="1 sessions from before"):
        holder().end_sessions()


def test_a_password_that_somebody_else_set_meanwhile_is_noticed(server: FakeServer) -> None:
    one = holder()
    one.begin("16384")
    one.add("right")
    one.drop_old()
    assert server.role is not None
    server.role["rolpassword"] = "SCRAM-SHA-256$4096:other"
    with pytest.raises(FirebreakError, match="somebody else"):
        one.drop_old()
