# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the events of incidents lie: one append-only table, in SQLite or PostgreSQL.

The row of an incident is locked while an event is added to it, so that the events of any number of processes
come one after the other. SQLite has no lock of a row: there the whole file is taken at the beginning.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable

from .event import BEGINNING, CLOSED, OPENED, REOPENED, Draft, Event, canonical
from .tables import HAS_SQLALCHEMY

if HAS_SQLALCHEMY:
    from sqlalchemy import Connection, Engine, Row, create_engine, event, insert, select, update
    from sqlalchemy.engine import URL, make_url
    from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError

    from .tables import EVENTS, INCIDENTS, METADATA

# How long to wait for others who write, and for a server to answer.
BUSY_SECONDS = 30
CONNECT_SECONDS = 5
SQLITE, POSTGRESQL = "sqlite", "postgresql"
# Who only reads waits for nobody.
READS = "firebreak_reads"
_EXAMPLES = "Write sqlite:////var/lib/firebreak/incidents.db or postgresql://user@host/database."

Result = TypeVar("Result")


class Closed(BadInput):
    """The incident is over, and what is to be recorded happened after it."""


class Store:
    """Use it in a `with`. Whatever keeps it from being written or read raises `Unreachable`."""

    def __init__(self, url: str) -> None:
        if not HAS_SQLALCHEMY:
            raise Unreachable("incident record", "SQLAlchemy is not installed here", "pip install sqlalchemy")
        self._engine = _engine(url)
        self.subject = f"incident record {self._engine.url.render_as_string(hide_password=True)}"
        try:
            self._in_transaction(METADATA.create_all)
        except Unreachable:
            # Two that begin at the same moment both make the tables.
            self._in_transaction(METADATA.create_all)

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
            first = Event.following(draft, incident, 1, BEGINNING)
            _write(connection, incident, [first], None)
            return first

        return self._in_transaction(write)

    def append(self, incident: str, drafts: Sequence[Draft]) -> list[Event]:
        """Record what is not recorded yet, all of it or nothing, and return what was.

        Raises `BadInput` for an incident that is not there and is not opened by the first of them, `Closed`
        for what happened after its end.
        """
        head_of = select(INCIDENTS).where(INCIDENTS.c.incident == incident).with_for_update()

        def write(connection: Connection) -> list[Event]:
            head = connection.execute(head_of).one_or_none()
            if head is None:
                if not drafts or drafts[0].kind != OPENED:
                    raise BadInput(
                        f"incident {incident}", "there is none of that id", "Open it, or mend the id."
                    )
                _begin(connection, incident)
                head = connection.execute(head_of).one()
            number, digest, closed = int(head.events), str(head.digest), head.closed
            written: list[Event] = []
            for draft in _new(connection, incident, drafts):
                if closed is not None and draft.time > closed and not _may_follow(draft.kind):
                    raise Closed(
                        f"incident {incident}", f"it was closed at {closed}", "Reopen it, or open a new one."
                    )
                event = Event.following(draft, incident, number + 1, digest)
                number, digest = event.number, event.digest
                closed = {CLOSED: draft.time, REOPENED: None}.get(draft.kind, closed)
                written.append(event)
            _write(connection, incident, written, closed)
            return written

        return self._in_transaction(write)

    def events(self, incident: str) -> list[Event]:
        """All of them, in order. Raises `BadInput` for an incident that is not there."""

        def look(connection: Connection) -> list[Event]:
            rows = connection.execute(
                select(EVENTS).where(EVENTS.c.incident == incident).order_by(EVENTS.c.number)
            ).all()
            return [_event(row) for row in rows]

        found = self._in_transaction(look, reads=True)
        if not found:
            raise BadInput(f"incident {incident}", "there is none of that id", "Mend the id.")
        return found

    def head(self, incident: str) -> tuple[int, str]:
        """How many events there must be, and the hash of the last one."""

        def look(connection: Connection) -> tuple[int, str]:
            row = connection.execute(select(INCIDENTS).where(INCIDENTS.c.incident == incident)).one()
            return int(row.events), str(row.digest)

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
        try:
            with self._engine.execution_options(**{READS: reads}).begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            said = str(error.orig if isinstance(error, DBAPIError) else error).strip().splitlines()
            raise Unreachable(
                self.subject,
                said[0] if said else type(error).__name__,
                "What is to be recorded waits on this machine until the record can be written.",
            ) from error


def _engine(url: str) -> Engine:
    """Raises `BadInput` for what is no URL of a database that is supported."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise BadInput("incident record", "its URL cannot be read", _EXAMPLES) from error
    kind = parsed.get_backend_name()
    if kind == SQLITE and parsed.database:
        return _sqlite(parsed)
    if parsed.drivername in (POSTGRESQL, f"{POSTGRESQL}+psycopg2"):
        options = {"connect_timeout": CONNECT_SECONDS, "options": f"-c lock_timeout={BUSY_SECONDS}s"}
        return create_engine(parsed.set(drivername=f"{POSTGRESQL}+psycopg2"), connect_args=options)
    raise BadInput("incident record", f"{parsed.drivername}: is no record that is supported", _EXAMPLES)


def _sqlite(url: URL) -> Engine:
    path = Path(str(url.database)).expanduser()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unreachable(f"directory {path.parent}", str(error.strerror), "Name another place.") from error
    engine = create_engine(url.set(database=str(path)), connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # The library begins transactions where it thinks fit; ours begin with the lock.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _lock(connection: Connection) -> None:
        reads = connection.get_execution_options().get(READS)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _may_follow(kind: str) -> bool:
    """Whether it may come after the end: the last messages do, that something ran, and what leads back."""
    return kind.startswith((REOPENED, "message.", "run."))


def _begin(connection: Connection, incident: str) -> None:
    head = {"incident": incident, "events": 0, "digest": BEGINNING, "closed": None}
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
    return Event(**{**row._mapping, "data": json.loads(row.data)})
