# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres import identifier
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    DATABASE,
    FULL,
    LOST,
    OTHER,
    PASSWORD,
    PEER,
    ROLE,
    RULE,
    SILENT,
    STARTING,
    STOPPED,
    Access,
    Session,
    checked,
    refusal,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable

ACCESS = Access(user="web", database="shop", host="127.0.0.1", password="never shown")


class Recorded(Session):
    """Answers every statement with the same lines."""

    def __init__(self, *lines: str) -> None:
        super().__init__(ACCESS, lambda: 5.0)
        self.lines, self.statements = list(lines), list[str]()

    def close(self) -> None:
        pass

    def _lines(
        self, statement: str, params: Mapping[str, Any], timeout: float, lock_timeout: float
    ) -> list[str]:
        self.statements.append(statement)
        return self.lines


@pytest.mark.parametrize(
    ("said", "reason", "problem"),
    [
        (
            'psql: error: connection to server at "127.0.0.1", port 5432 failed: FATAL:  password '
            'authentication failed for user "web"\nconnection to server at "127.0.0.1", port 5432 failed: '
            'FATAL:  password authentication failed for user "web"\n',
            PASSWORD,
            'password authentication failed for user "web"',
        ),
        (
            'connection to server at "::1", port 5432 failed: fe_sendauth: no password supplied\n',
            PASSWORD,
            "fe_sendauth: no password supplied",
        ),
        ('FATAL:  database "nope" does not exist\n', DATABASE, 'database "nope" does not exist'),
        ('psql: error: FATAL:  role "nope" does not exist', ROLE, 'role "nope" does not exist'),
        ('FATAL:  role "web" is not permitted to log in', ROLE, 'role "web" is not permitted to log in'),
        (
            'connection to server on socket "/var/run/postgresql/.s.PGSQL.5432" failed: FATAL:  Peer '
            'authentication failed for user "postgres"',
            PEER,
            'Peer authentication failed for user "postgres"',
        ),
        (
            'FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "web", database "shop", no encryption',
            RULE,
            'no pg_hba.conf entry for host "10.0.0.9", user "web", database "shop", no encryption',
        ),
        ("FATAL:  sorry, too many clients already", FULL, "sorry, too many clients already"),
        (
            "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
            FULL,
            "remaining connection slots are reserved for roles with the SUPERUSER attribute",
        ),
        ('FATAL:  too many connections for role "web"', FULL, 'too many connections for role "web"'),
        ("FATAL:  the database system is starting up", STARTING, "the database system is starting up"),
        (
            'psql: error: connection to server on socket "/run/pg/.s.PGSQL.5432" failed: No such file '
            "or directory\n\tIs the server running locally and accepting connections on that socket?",
            STOPPED,
            "No such file or directory",
        ),
        (
            "psql: error: could not connect to server: Connection refused\n\tIs the server running?",
            STOPPED,
            "Connection refused",
        ),
        ('connection to server at "10.9.9.9", port 5432 failed: timeout expired', SILENT, "timeout expired"),
        (
            "server closed the connection unexpectedly\n\tThis probably means the server terminated",
            LOST,
            "server closed the connection unexpectedly",
        ),
        (
            "FATAL:  Passwort-Authentifizierung fehlgeschlagen",
            OTHER,
            "Passwort-Authentifizierung fehlgeschlagen",
        ),
        ("", OTHER, "it said nothing"),
    ],
)
def test_what_libpq_says_is_translated(said: str, reason: str, problem: str) -> None:
    refused = refusal(ACCESS, said)
    assert (refused.reason, refused.problem) == (reason, problem)
    assert str(refused).startswith("postgresql shop as web on 127.0.0.1:5432: ")


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("FATAL:  sorry, too many clients already", "pkill -o -f '^postgres: .* idle'"),
        ("FATAL:  remaining connection slots are reserved for x", "A superuser still gets in"),
        ('FATAL:  too many connections for database "shop"', "raise its CONNECTION LIMIT"),
    ],
)
def test_who_may_still_get_in_is_part_of_the_cure(said: str, cure: str) -> None:
    assert cure in refusal(Access(), said).cure


def test_a_password_is_in_no_text() -> None:
    assert "never shown" not in f"{ACCESS} {ACCESS!r} {refusal(ACCESS, 'x')}"


def test_names_are_quoted_and_survive_the_formatting_of_parameters() -> None:
    assert identifier("public", 'we"ird') == '"public"."we""ird"'
    assert identifier("100%s") % {} == '"100%s"'


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        identifier(name)


@pytest.mark.parametrize("value", ["a\0b", "\ud800", b"x", ("a",), math.nan, math.inf, {"a": 1}, [["a"]]])
def test_parameters_that_would_not_mean_the_same_both_ways_are_refused(value: Any) -> None:
    with pytest.raises(BadInput, match="parameter p"):
        checked({"p": value})


def test_parameters_of_every_other_kind_are_taken() -> None:
    given = {
        "a": None,
        "b": True,
        "c": -1,
        "d": 1.5,
        "e": "x",
        "f": datetime.now(UTC),
        "g": ["x", None],
    }
    assert checked(given) == given


def test_rows_come_as_the_server_typed_them() -> None:
    session = Recorded('{"n": 9007199254740993, "t": "\u2028", "a": [1,   2], "nothing": null}')
    assert session.rows("SELECT 1") == [{"n": 9007199254740993, "t": "\u2028", "a": [1, 2], "nothing": None}]


def test_more_rows_than_asked_for_are_no_answer() -> None:
    with pytest.raises(Unreachable, match="more than 1 rows"):
        Recorded("{}", "{}").rows("SELECT 1", limit=1)


def test_the_version_is_asked_for_once() -> None:
    session = Recorded('{"v": 150020}')
    assert (session.version, session.version, len(session.statements)) == (150020, 150020, 1)
