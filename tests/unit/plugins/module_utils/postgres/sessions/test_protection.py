# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import Access
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.protection import (
    Protection,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.sessions.session import Session

Make = Callable[..., Session]


def test_an_ordinary_session_is_not_protected(session: Make) -> None:
    for state in ("idle", "idle in transaction", "active"):
        assert Protection().why_not(session(state=state)) is None


@pytest.mark.parametrize(
    ("given", "because"),
    [
        ({"application": "firebreak"}, "Firebreak's own"),
        ({"backend_type": "walsender", "state": "active"}, "walsender"),
        ({"backend_type": "autovacuum worker"}, "autovacuum worker"),
        ({"backend_type": "parallel worker", "leader_pid": 7}, "parallel worker"),
        ({"backend_type": "logical replication worker"}, "logical replication worker"),
        ({"backend_type": None}, "not shown to us"),
        ({"superuser": True}, "role web is a superuser"),
        ({"replication": True}, "role web replicates"),
        ({"superuser": None, "replication": None}, "its role is not known"),
        ({"user": None}, "its role is not known"),
        ({"application": "PG_DUMP"}, "it is PG_DUMP"),
        ({"application": "pg_dumpall"}, "pg_dumpall"),
        ({"application": "pg_restore"}, "pg_restore"),
        ({"application": "pg_basebackup"}, "pg_basebackup"),
        ({"application": "pgBackRest [backup]"}, "pgBackRest"),
        ({"application": "barman_streaming_backup"}, "barman"),
        ({"application": "wal-g"}, "wal-g"),
        ({"application": "Patroni heartbeat"}, "Patroni"),
        ({"application": "repmgrd"}, "repmgrd"),
        ({"application": "pg_repack"}, "pg_repack"),
        ({"query": "LISTEN jobs"}, "listens"),
        ({"query": ' listen "Jobs"'}, "listens"),
        ({"query": "/* worker */ LISTEN jobs"}, "listens"),
        ({"query": "-- worker LISTEN jobs"}, "listens"),
        ({"query": "SELECT 1; LISTEN jobs"}, "listens"),
    ],
)
def test_what_is_never_ended(session: Make, given: dict[str, Any], because: str) -> None:
    assert because in str(Protection(True, "someone").why_not(session(**given)))


@pytest.mark.parametrize(
    "given",
    [
        {"application": "my pg_dump viewer"},
        {"query": "SELECT * FROM listen"},
        {"query": "UPDATE listeners SET n = 1"},
        {"query": "SELECT 'x' AS listen"},
        {"query": ""},
    ],
)
def test_what_only_looks_like_it_is_not_protected(session: Make, given: dict[str, Any]) -> None:
    assert Protection().why_not(session(**given)) is None


@pytest.mark.parametrize(
    ("include", "application_user", "given", "ended"),
    [
        (True, "web", {}, True),
        (False, "web", {}, False),
        (True, "other", {}, False),
        (True, None, {}, False),
        (True, "web", {"application": "psql"}, False),
        (True, "web", {"application": "pg_dump"}, False),
        (True, "web", {"query": "LISTEN x"}, False),
        (True, "web", {"replication": True}, True),
    ],
)
def test_an_applications_superuser_may_be_given_up(
    session: Make, include: bool, application_user: str | None, given: dict[str, Any], ended: bool
) -> None:
    why = Protection(include, application_user).why_not(session(superuser=True, **given))
    assert (why is None) == ended, why


def test_the_application_is_the_one_that_is_configured() -> None:
    server = Server(Access(), application=Access(user="shop"), application_is_superuser=True)
    assert Protection.of(server) == Protection(True, "shop")
    assert Protection.of(Server(Access())) == Protection(False, None)
