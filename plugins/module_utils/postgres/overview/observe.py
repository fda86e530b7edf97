# SPDX-License-Identifier: GPL-3.0-or-later
"""One server, asked everything at once; beside it, whether the application's own login is let in."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Sequence

from ...clients.postgres import connect
from ...clients.postgres_session import OTHER, Access, Refused, Session
from ...deadlines import Deadline, gather
from ...errors import FirebreakError
from ..locks.look import WAITS
from ..look import Look, ask
from ..server import Server, detect, locate
from ..sessions.look import BUDGET, SERVER, TRANSACTIONS
from ..storage.look import UPKEEP

FACTS = (SERVER, BUDGET, TRANSACTIONS, WAITS, UPKEEP)
APPLICATION = (Look({"read_only": "current_setting('transaction_read_only') = 'on'"}),)

Connect = Callable[[Access, Callable[[], float]], Session]


@dataclass(frozen=True)
class Answer:
    """What one login saw in `seconds`: `row`, or why it saw nothing: `reason` is a word of the client's."""

    user: str
    seconds: float
    row: Mapping[str, Any] | None = None
    reason: str | None = None
    said: str | None = None


@dataclass(frozen=True)
class Snapshot:
    """`application` is None when no login of it is configured: nothing is claimed about it then."""

    server: Server
    administrator: Answer
    application: Answer | None


def observe(server: Server | None, deadline: Deadline, connect: Connect = connect) -> Snapshot | None:
    """None when nothing is configured and nothing is plainly there."""
    wanted = server or detect(deadline.remaining)
    if wanted is None:
        return None
    try:
        found = locate(wanted, deadline.remaining)
    except Refused as error:
        return Snapshot(wanted, _refused(wanted.administrator, 0.0, error), None)
    tasks: dict[str, Callable[[Deadline], Answer]] = {
        "administrator": lambda inner: _ask(found.administrator, FACTS, inner, connect)
    }
    application = found.application
    if application is not None:
        access = application
        tasks["application"] = lambda inner: _ask(access, APPLICATION, inner, connect)
    outcomes = gather(tasks, deadline.remaining())
    answers = {
        name: outcome.value
        or Answer("", outcome.seconds, reason=OTHER, said=outcome.unseen or "it did not answer")
        for name, outcome in outcomes.items()
    }
    return Snapshot(found, answers["administrator"], answers.get("application"))


def _ask(access: Access, looks: Sequence[Look], deadline: Deadline, connect: Connect) -> Answer:
    started = time.monotonic()
    try:
        with connect(access, deadline.remaining) as session:
            row = ask(session, *looks)
    except FirebreakError as error:
        return _refused(access, time.monotonic() - started, error)
    return Answer(access.user, time.monotonic() - started, row)


def _refused(access: Access, seconds: float, error: FirebreakError) -> Answer:
    reason = error.reason if isinstance(error, Refused) else OTHER
    return Answer(access.user, seconds, reason=reason, said=f"{error.problem.rstrip('.')}. {error.cure}")
