# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the events of incidents lie: one append-only table, in SQLite or PostgreSQL.

The row of an incident is locked while an event is added to it, so that the events of any number of processes
come one after the other. SQLite has no lock of a row: there the whole file is taken at the beginning.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from datetime import datetime
from difflib import get_close_matches
from threading import Thread
from typing import Any, Self, TypeVar

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable

from ..run import parse_id
from .event import BEGINNING, CLOSED, OPENED, REOPENED, UNREADABLE, Draft, Event, canonical, storable
from .tables import HAS_SQLALCHEMY

if HAS_SQLALCHEMY:
    from sqlalchemy import Connection, Row, func, insert, inspect, select, update
    from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

    from .engine import POSTGRESQL, READS, engine_of
    from .tables import EVENTS, INCIDENTS, METADATA

# What one transaction may take. A server whose disk hangs keeps its connections and says nothing.
ANSWER_SECONDS = 60
# How many incidents are named where one is not there.
NAMED = 3
# Any number that nothing else is likely to lock.
_MAKES_TABLES = 0x4669726562726B

Result = TypeVar("Result")


class Closed(BadInput):
    """The incident is over, and what is to be recorded happened after it."""


class Altered(BadInput):
    """Rows that are no events: somebody wrote into the database by hand."""


class Store:
    """Use it in a `with`. Whatever keeps it from being written or read raises `Unreachable`."""

    def __init__(self, url: str) -> None:
        if not HAS_SQLALCHEMY:
            raise Unreachable("incident record", "SQLAlchemy is not installed here", "pip install sqlalchemy")
        self._engine = engine_of(url)
        # Of what follows its `?`, too, some may be secret.
        self.subject = (
            f"incident record {self._engine.url.set(query={}).render_as_string(hide_password=True)}"
        )
        if not self._in_transaction(_has_tables, reads=True):
            self._in_transaction(_make_tables)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._engine.dispose()

    def open(self, incident: str, draft: Draft) -> Event:
        """Begin an incident with its first event. Raises `BadInput` when there is one of that id."""

        def write(connection: Connection) -> Event:
            try:
                _begin(connection, incident)
            except IntegrityError:
                raise BadInput(
                    f"incident {incident}", "it is open already, or was once", "Name another one."
                ) from None
            first = Event.following(storable(draft), incident, 1, BEGINNING)
            _write(connection, incident, [first], None)
            return first

        return self._in_transaction(write)

    def append(self, incident: str, drafts: Sequence[Draft]) -> list[Event]:
        """Record what is not recorded yet, all of it or nothing, and return what was.

        Raises `BadInput` for an incident that is not there and is not opened by the first of them, `Closed`
        for what happened after its end.
        """

        def write(connection: Connection) -> list[Event]:
            written, late = _append(connection, incident, drafts)
            if late is not None:
                raise late
            return written

        return self._in_transaction(write)

    def take(self, incident: str, drafts: Sequence[Draft]) -> BadInput | None:
        """Record what waited, as far as it is not too late for it; returns what keeps the rest waiting."""

        def write(connection: Connection) -> BadInput | None:
            # The opening may have come after what else was said while the record was away.
            ordered = sorted(drafts, key=lambda draft: draft.kind != OPENED)
            return _append(connection, incident, ordered)[1]

        try:
            return self._in_transaction(write)
        except BadInput as error:
            return error

    def events(self, incident: str) -> list[Event]:
        """All of them, in order. Raises `BadInput` for an incident that is not there, `Altered`."""
        found, _count, _digest = self.recorded(incident)
        broken = [str(event.number) for event in found if event.kind == UNREADABLE]
        if broken:
            raise Altered(
                f"incident {incident}",
                f"event {', '.join(broken[:5])} of its record is no event any more: it was altered by hand",
                "Put these rows of firebreak_events back from a backup.",
            )
        return found

    def recorded(self, incident: str) -> tuple[list[Event], int, str]:
        """All of them as they lie there, how many there must be, and the hash that the last must have.

        What cannot be read is an event of the kind `UNREADABLE`. Raises `BadInput` for an incident that is
        not there.
        """

        def look(connection: Connection) -> tuple[list[Event], int, str]:
            head = connection.execute(select(INCIDENTS).where(INCIDENTS.c.incident == incident)).one_or_none()
            rows = connection.execute(
                select(EVENTS).where(EVENTS.c.incident == incident).order_by(EVENTS.c.number)
            ).all()
            if head is None and not rows:
                raise _unknown(connection, incident)
            count, digest = (0, BEGINNING) if head is None else (int(head.events), str(head.digest))
            return [_event(row) for row in rows], count, digest

        return self._in_transaction(look, reads=True)

    def incidents(self, still_open: bool = True) -> list[str]:
        """The ids of those that are open, or of all."""

        def look(connection: Connection) -> list[str]:
            query = select(INCIDENTS.c.incident).order_by(INCIDENTS.c.incident)
            return list(
                connection.scalars(query.where(INCIDENTS.c.closed.is_(None)) if still_open else query)
            )

        return self._in_transaction(look, reads=True)

    def _in_transaction(self, work: Callable[[Connection], Result], reads: bool = False) -> Result:
        future: Future[Result] = Future()

        def run() -> None:
            try:
                future.set_result(self._transaction(work, reads))
            except BaseException as error:
                future.set_exception(error)

        Thread(target=run, daemon=True).start()
        try:
            return future.result(ANSWER_SECONDS)
        except TimeoutError:
            raise self._away(f"it has not answered for {ANSWER_SECONDS} s") from None
        except (SQLAlchemyError, sqlite3.Error) as error:
            said = str(error.orig if isinstance(error, DBAPIError) else error).strip().splitlines()
            raise self._away(said[0] if said else type(error).__name__) from error

    def _transaction(self, work: Callable[[Connection], Result], reads: bool) -> Result:
        options: dict[str, Any] = {READS: reads}
        if reads and self._engine.dialect.name == POSTGRESQL:
            # An event that is added between two queries must not look like one too many.
            options["isolation_level"] = "REPEATABLE READ"
        with self._engine.execution_options(**options).begin() as connection:
            return work(connection)

    def _away(self, why: str) -> Unreachable:
        waits = "What is to be recorded waits on this machine until the record can be written."
        return Unreachable(self.subject, why, waits)


def _has_tables(connection: Connection) -> bool:
    inspector = inspect(connection)
    return all(inspector.has_table(table.name) for table in (INCIDENTS, EVENTS))


def _make_tables(connection: Connection) -> None:
    """Of two that begin at the same moment the second finds them made."""
    if connection.dialect.name == POSTGRESQL:
        connection.execute(select(func.pg_advisory_xact_lock(_MAKES_TABLES)))
    METADATA.create_all(connection)


def _unknown(connection: Connection, incident: str) -> BadInput:
    """Nobody knows an id by heart."""
    query = select(INCIDENTS.c.incident).order_by(INCIDENTS.c.incident.desc())
    near = get_close_matches(incident, connection.scalars(query), NAMED)
    still_open = list(connection.scalars(query.where(INCIDENTS.c.closed.is_(None)).limit(NAMED)))
    cure = "Open it, or mend the id."
    if near or still_open:
        cure = f"Near to it is {', '.join(near)}." if near else f"Open are {', '.join(still_open)}."
    return BadInput(f"incident {incident}", "there is none of that id", cure)


def _append(
    connection: Connection, incident: str, drafts: Sequence[Draft]
) -> tuple[list[Event], Closed | None]:
    """What was recorded, and why something was not. Raises `BadInput`."""
    head_of = select(INCIDENTS).where(INCIDENTS.c.incident == incident).with_for_update()
    head = connection.execute(head_of).one_or_none()
    if head is None:
        if not drafts or drafts[0].kind != OPENED:
            raise _unknown(connection, incident)
        _begin(connection, incident)
        head = connection.execute(head_of).one()
    number, digest, closed = int(head.events), str(head.digest), head.closed
    written: list[Event] = []
    late = None
    for draft in _new(connection, incident, [storable(draft) for draft in drafts]):
        if closed is not None and draft.time > closed and not _may_follow(draft.kind):
            late = Closed(
                f"incident {incident}", f"it was closed at {closed}", "Reopen it, or open a new one."
            )
            continue
        event = Event.following(draft, incident, number + 1, digest)
        number, digest = event.number, event.digest
        closed = {CLOSED: draft.time, REOPENED: None}.get(draft.kind, closed)
        written.append(event)
    _write(connection, incident, written, closed)
    return written, late


def _may_follow(kind: str) -> bool:
    """Whether it may come after the end: the last messages do, that something ran, and what leads back."""
    return kind.startswith((REOPENED, "message.", "run."))


def _begin(connection: Connection, incident: str) -> None:
    head = {"incident": parse_id(incident), "events": 0, "digest": BEGINNING, "closed": None}
    connection.execute(insert(INCIDENTS).values(head))


def _new(connection: Connection, incident: str, drafts: Sequence[Draft]) -> Iterator[Draft]:
    """Those whose key is not recorded; of several with one key the first."""
    keys = {draft.key for draft in drafts}
    known = set(
        connection.scalars(select(EVENTS.c.key).where(EVENTS.c.incident == incident, EVENTS.c.key.in_(keys)))
    )
    for draft in drafts:
        if draft.key not in known:
            known.add(draft.key)
            yield draft


def _write(connection: Connection, incident: str, events: Sequence[Event], closed: str | None) -> None:
    if not events:
        return
    connection.execute(insert(EVENTS), [{**vars(each), "data": canonical(each.data)} for each in events])
    connection.execute(
        update(INCIDENTS)
        .where(INCIDENTS.c.incident == incident)
        .values(events=events[-1].number, digest=events[-1].digest, closed=closed)
    )


def _event(row: Row[Any]) -> Event:
    told = dict(row._mapping)
    texts = [told[name] for name in ("key", "time", "kind", "actor", "previous", "digest")]
    try:
        data = json.loads(row.data, parse_constant=_no_json)
        datetime.fromisoformat(row.time)
    except (ValueError, TypeError, RecursionError):
        data = None
    if isinstance(data, dict) and all(isinstance(text, str) for text in (*texts, row.host or "")):
        return Event(**{**told, "data": data})
    seen = {name: str(value) for name, value in told.items() if name != "number"}
    return Event(**{**told, **seen, "kind": UNREADABLE, "data": {}})


def _no_json(word: str) -> Any:
    raise ValueError(word)
