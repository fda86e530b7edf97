# SPDX-License-Identifier: GPL-3.0-or-later
"""The password of a PostgreSQL role: one for each role, so the old one ends as the new one begins."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import time
from dataclasses import replace
from typing import Any, Callable, Mapping, Sequence

from ..clients.postgres import Access, Refused, Session, connect, identifier
from ..clients.postgres_session import DATABASE, PASSWORD
from ..deadlines import Deadline
from ..errors import FirebreakError, IdentityChanged, Unreachable
from ..postgres.entry import access_to
from ..postgres.server import Server, detect, locate, parse_server
from ..services import Service
from .model import Account, Holder

SECONDS = 10.0
ITERATIONS = 4096
ENDED_WITHIN, PAUSE = 5.0, 0.1

_ROLE = """
    SELECT r.oid::bigint AS oid, r.rolcanlogin, r.rolpassword,
           (SELECT count(*) FROM pg_stat_activity a
             WHERE a.usesysid = r.oid AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
           ) AS sessions
      FROM pg_authid r WHERE r.rolname = %(user)s"""
_OLDER = """
    FROM pg_stat_activity
   WHERE usename = %(user)s AND backend_type = 'client backend' AND pid <> pg_backend_pid()
     AND backend_start < %(since)s::timestamptz"""
# The backend is gone a moment after it was told to go.
_TERMINATE = f"SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) AS ended {_OLDER}"
_LEFT = f"SELECT count(*) AS alive {_OLDER}"


class PostgresHolder(Holder):
    def __init__(
        self,
        given: Mapping[str, Any] | None,
        services: Sequence[Service],
        user: str,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._given, self._services, self._user, self._pause = given, services, user, pause
        self._server: Server | None = None
        self._before: str | None = None
        self._verifier: str | None = None
        self._new: str | None = None
        self._changed = ""

    def look(self) -> Account:
        with self._session() as session:
            role = self._role(session)
        if role is None:
            return Account(problem="there is no such role")
        problem = None
        if not role["rolcanlogin"]:
            problem = "the role may not log in"
        elif role["rolpassword"] is None:
            problem = "the role has no password; whoever logs in as it is let in by another rule"
        passwords = int(role["rolpassword"] is not None)
        return Account(str(role["oid"]), passwords, role["sessions"], problem)

    def begin(self, identity: str) -> None:
        with self._session() as session:
            role = self._role(session)
        if role is None or str(role["oid"]) != identity or role["rolpassword"] is None:
            raise IdentityChanged(f"role {self._user}", "it is no longer the same role", "Look again.")
        self._before = role["rolpassword"]

    def add(self, new: str) -> None:
        self._verifier = scram_verifier(new, os.urandom(16))
        self._set(self._verifier)
        self._new = new
        with self._session() as session:
            # Whoever connected before has shown the old secret, or none.
            self._changed = str(session.row("SELECT clock_timestamp() AS now")["now"])

    def accepts(self, secret: str) -> bool | None:
        access = replace(self._application(), password=secret)
        try:
            with connect(access, Deadline(SECONDS).remaining) as session:
                session.row("SELECT 1 AS one")
        except Refused as error:
            if error.reason == PASSWORD:
                return False
            # The password is asked for first, the database afterwards.
            if error.reason == DATABASE:
                return True
            raise
        return True

    def take_back(self) -> None:
        if self._before is not None and self._verifier is not None:
            self._new = None
            self._set(self._before)

    def drop_old(self) -> None:
        with self._session() as session:
            role = self._role(session)
        if role is None or role["rolpassword"] != self._verifier:
            raise FirebreakError(
                f"role {self._user}",
                "somebody else has changed its password meanwhile",
                "Find out who, then repeat.",
            )

    def persist(self) -> str | None:
        return None

    def end_sessions(self) -> int | None:
        params = {"user": self._user, "since": self._changed}
        end = time.monotonic() + ENDED_WITHIN
        with self._session() as session:
            ended = int(session.row(_TERMINATE, params)["ended"])
            while True:
                alive = int(session.row(_LEFT, params)["alive"])
                if not alive or time.monotonic() > end:
                    break
                self._pause(PAUSE)
        if alive:
            raise FirebreakError(
                f"role {self._user}",
                f"{alive} sessions from before the change live on",
                "End them by hand: pg_terminate_backend.",
            )
        return ended

    def _role(self, session: Session) -> Mapping[str, Any] | None:
        found = session.rows(_ROLE, {"user": self._user})
        return found[0] if found else None

    def _set(self, verifier: str) -> None:
        with self._session() as session:
            session.execute(
                f"ALTER ROLE {identifier(self._user)} PASSWORD %(verifier)s", {"verifier": verifier}
            )

    def _session(self) -> Session:
        access = access_to(self._located())
        if access.password is not None and access.user == self._user and self._new is not None:
            access = replace(access, password=self._new)
        return connect(access, Deadline(SECONDS).remaining)

    def _application(self) -> Access:
        application = self._located().application
        if application is None:
            raise Unreachable(
                f"role {self._user}",
                "there is no way to log in over TCP",
                "Name host or service in firebreak_postgres.",
            )
        return application

    def _located(self) -> Server:
        if self._server is None:
            remaining = Deadline(SECONDS).remaining
            found = detect(remaining) if not self._given else None
            given = self._given or _as_given(found)
            # As an application would come in: over TCP, where a password is asked for.
            role = {"application_user": self._user, "application_password": "-"}
            server = parse_server({**given, **role}, self._services)
            if server is None:
                raise Unreachable(
                    "postgresql", "no server is configured or found", "Give firebreak_postgres."
                )
            self._server = locate(server, remaining)
        return self._server


def _as_given(found: Server | None) -> Mapping[str, Any]:
    """A server that was found, as the inventory would name it."""
    if found is None or found.administrator.container:
        raise Unreachable("postgresql", "no server is configured", "Give firebreak_postgres.")
    access = found.administrator
    return {("socket" if access.over_socket else "host"): access.host, "port": access.port}


def scram_verifier(secret: str, salt: bytes) -> str:
    """What PostgreSQL stores for a password of plain ASCII; so the password itself need not be sent."""
    salted = hashlib.pbkdf2_hmac("sha256", secret.encode("ascii"), salt, ITERATIONS)
    client_key = hmac.new(salted, b"Client Key", "sha256").digest()
    server_key = hmac.new(salted, b"Server Key", "sha256").digest()
    stored_key = hashlib.sha256(client_key).digest()
    parts = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${ITERATIONS}:{parts[0]}${parts[1]}:{parts[2]}"
