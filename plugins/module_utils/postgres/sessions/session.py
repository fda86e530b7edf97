# SPDX-License-Identifier: GPL-3.0-or-later
"""One session of a server, as pg_stat_activity shows it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Mapping

from ...quantities import speak_duration
from .findings import name_of

ACTIVE, IDLE = "active", "idle"
IN_TRANSACTION, ABORTED = "idle in transaction", "idle in transaction (aborted)"
# What PostgreSQL knows; `starting` from 18.
STATES = (ACTIVE, IDLE, IN_TRANSACTION, ABORTED, "fastpath function call", "disabled", "starting")


@dataclass(frozen=True)
class Session:
    """`backend_start` and `state_change` are the server's own text, fit to be given back to it.

    Seconds count from the change of the state, from the start of the query and from the start of the
    transaction. `superuser` and `replication` are attributes of its role, None when that is not known.
    """

    pid: int
    backend_start: str
    user: str | None = None
    database: str | None = None
    application: str | None = None
    client: str | None = None
    backend_type: str | None = None
    state: str | None = None
    state_change: str | None = None
    state_seconds: float | None = None
    query_seconds: float | None = None
    transaction_seconds: float | None = None
    wait_event_type: str | None = None
    wait_event: str | None = None
    leader_pid: int | None = None
    superuser: bool | None = None
    replication: bool | None = None
    query: str = ""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Session:
        """From a row with at least SESSION of sessions/look.py; what else is in it is left out."""
        return cls(**{name: row[name] for name in _NAMES if row.get(name) is not None})

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _NAMES}

    @property
    def target(self) -> str:
        """Which one it is, for the target of an act."""
        return f"pid {self.pid} (started {self.backend_start})"

    @property
    def age(self) -> float:
        """Seconds in its state; of one that works, since its query began."""
        seconds = self.query_seconds if self.state == ACTIVE else self.state_seconds
        return seconds or 0.0

    def describe(self) -> str:
        """Whose it is and what it does."""
        return f"{name_of(self.as_dict())}, {self.state or 'no state'} for {speak_duration(self.age)}"

    def identity(self, in_this_state: bool) -> dict[str, Any]:
        """What an act needs to find this session and no other one; with `in_this_state`, only while it is
        in this state since the same moment."""
        who = {"pid": self.pid, "backend_start": self.backend_start}
        return {**who, "state": self.state, "state_change": self.state_change} if in_this_state else who


_NAMES = tuple(field.name for field in fields(Session))
