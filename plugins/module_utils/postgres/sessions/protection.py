# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sessions are never ended, whoever asks."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..server import Server
from .session import Session

CLIENT = "client backend"
OURSELVES = "firebreak"
TOOLS = re.compile(
    r"(pg_dump|pg_dumpall|pg_restore|pg_basebackup|pg_receivewal|pg_recvlogical|pgbackrest|barman|wal-g"
    r"|patroni|repmgr|pg_repack)",
    re.IGNORECASE,
)
# The query is on one line by now, so where a comment of -- ends is not known.
LISTENS = re.compile(r"(?:^|;|\*/|--.*)\s*listen\b", re.IGNORECASE)


@dataclass(frozen=True)
class Protection:
    """`application_is_superuser` gives up the sessions of one superuser only: the role that the application
    logs in as."""

    application_is_superuser: bool = False
    application_user: str | None = None

    @classmethod
    def of(cls, server: Server) -> Protection:
        application = server.application.user if server.application else None
        return cls(server.application_is_superuser, application)

    def why_not(self, session: Session) -> str | None:
        """Why it must not be ended, or None."""
        name = (session.application or "").strip()
        if name == OURSELVES:
            return "it is Firebreak's own"
        if session.backend_type != CLIENT or session.leader_pid is not None:
            return f"it is a {session.backend_type or 'process that is not shown to us'}, no client's session"
        if TOOLS.match(name):
            return f"it is {name}"
        if session.user is None or session.superuser is None or session.replication is None:
            return "its role is not known"
        if session.replication and not session.superuser:
            return f"role {session.user} replicates"
        if session.superuser:
            because = self._why_not_of_superuser(session.user, name)
            if because:
                return because
        return "it listens for notifications" if LISTENS.search(session.query) else None

    def _why_not_of_superuser(self, user: str, application: str) -> str | None:
        if user != self.application_user:
            return f"role {user} is a superuser"
        if not self.application_is_superuser:
            return f"role {user} is a superuser, and application_is_superuser is not set"
        return f"role {user} is a superuser, and this is its psql" if application == "psql" else None
