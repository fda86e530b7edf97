# SPDX-License-Identifier: GPL-3.0-or-later
"""One statement made of parts, so that everything in its row was true at the same moment.

Each part of what is asked of a server is a `Look` that lives with those who judge it. Who needs several asks
them together: one program started, one snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from ..clients.postgres_session import STATEMENT_SECONDS, Session


@dataclass(frozen=True)
class Look:
    """`tables` are those of WITH, each after what it reads; `columns` are scalar expressions by name.

    Tables of the same name in several looks must be the same. Lists come as json_agg. Columns that only some
    releases have are taken out of the row as JSON; functions that fail on a standby or on a primary stand
    behind CASE.
    """

    columns: Mapping[str, str]
    tables: Mapping[str, str] = field(default_factory=dict)


def statement(*looks: Look) -> str:
    tables: dict[str, str] = {}
    columns: dict[str, str] = {}
    for look in looks:
        tables.update(look.tables)
        columns.update(look.columns)
    listed = ",\n".join(f"{name} AS {query}" for name, query in tables.items())
    asked = ",\n".join(f"{expression} AS {name}" for name, expression in columns.items())
    return f"WITH RECURSIVE {listed}\nSELECT {asked}" if tables else f"SELECT {asked}"


def ask(session: Session, *looks: Look, timeout: float = STATEMENT_SECONDS) -> Mapping[str, Any]:
    """The row of all looks together, by the names of their columns."""
    return session.row(statement(*looks), timeout=timeout)
