# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL 13 to 18: psycopg2 where it can be imported, else psql; the same rows either way.

with connect(Access(user="postgres", database="shop"), remaining) as session:
    session.rows("SELECT pid, state FROM pg_stat_activity WHERE datname = %(name)s", {"name": "shop"})
    session.execute(f"ALTER ROLE {identifier('web')} PASSWORD %(verifier)s", {"verifier": verifier})
"""

from __future__ import annotations

from .postgres_library import LibrarySession, library
from .postgres_psql import PsqlSession, os_user
from .postgres_session import Access, Failed, Refused, Remaining, Session, identifier

__all__ = ["Access", "Failed", "Refused", "Session", "connect", "identifier"]


def connect(access: Access, remaining: Remaining) -> Session:
    """`remaining` says how many seconds are left for everything. Raises `Refused`.

    Peer authentication needs the right user of the operating system, and a process cannot be two at once:
    there, and inside a container, psql is started instead of taking the library.
    """
    if access.container is None and os_user(access) is None and library() is not None:
        return LibrarySession(access, remaining)
    return PsqlSession(access, remaining)
