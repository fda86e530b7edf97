# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables, indexes and the work on them, as the server tells."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping, Sequence

from ...clients.postgres_session import Session
from ...errors import BadInput, FirebreakError, Unreachable
from ...ledger import Entry
from ..entry import enter
from ..look import ask
from ..server import Server, describe
from ..sessions.observe import XMIN
from . import look, names
from .room import Room
from .room import look as look_for_room

SECONDS = 60.0
STATEMENT_SECONDS = 30.0
CATALOGS = ("pg_catalog", "pg_toast", "information_schema")
LEFTOVER = re.compile(r"_cc(new|old)\d*$")

Enter = Callable[..., Session]


def quoted(schema: str, name: str) -> str:
    """As it would be typed: what needs no quotes has none."""
    return ".".join(
        part if re.fullmatch(r"[a-z_][a-z0-9_$]*", part) else '"' + part.replace('"', '""') + '"'
        for part in (schema, name)
    )


@dataclass(frozen=True)
class Table:
    """`dead`, `modified` and `inserted` are rows since the last vacuum or analyze; the ages are numbers.

    `vacuumed_seconds` and `analyzed_seconds` count from the last one, by whomever; None: never, or not known
    since the statistics were lost. `options` are its own storage parameters, as `name=value`.
    """

    oid: int
    schema: str
    name: str
    kind: str
    filenode: int
    toast: int
    tuples: float
    pages: int
    dead: int
    modified: int
    inserted: int
    vacuumed_seconds: float | None
    analyzed_seconds: float | None
    age: int
    multixacts: int
    options: Sequence[str] = ()

    def __str__(self) -> str:
        return quoted(self.schema, self.name)


@dataclass(frozen=True)
class Index:
    """`location` is that of its tablespace, empty in the data directory; `twin` says that another index of
    its table is defined as it is."""

    oid: int
    schema: str
    name: str
    kind: str
    filenode: int
    table_oid: int
    table_schema: str
    table: str
    table_kind: str
    valid: bool
    ready: bool
    exclusion: bool
    unique: bool
    constraint: str | None
    identity: bool
    bytes: int
    location: str | None
    twin: bool

    def __str__(self) -> str:
        return quoted(self.schema, self.name)

    @property
    def of(self) -> str:
        return quoted(self.table_schema, self.table)

    @property
    def leftover(self) -> bool:
        """Of a rebuild that failed: by its name, invalid, and there is the index that it was a copy of."""
        return not self.valid and self.twin and LEFTOVER.search(self.name) is not None


@dataclass(frozen=True)
class Worker:
    """Who works on a table. `progress` is the row of the view of its operation; `table` is None in another
    database, `locker` is whom it waits for."""

    operation: str
    pid: int
    progress: Mapping[str, Any]
    table_oid: int | None = None
    table: str | None = None
    index: str | None = None
    database: str | None = None
    user: str | None = None
    application: str | None = None
    backend_type: str | None = None
    since: str | None = None
    seconds: float | None = None
    locker: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Asked:
    """What is meant: oids of tables and indexes, names of schemas, or the whole database."""

    tables: tuple[int, ...] = ()
    indexes: tuple[int, ...] = ()
    schemas: tuple[str, ...] = ()
    whole: bool = False

    @property
    def nothing(self) -> bool:
        return not (self.tables or self.indexes or self.schemas or self.whole)


@dataclass(frozen=True)
class Snapshot:
    """`tables` and `indexes` are those asked for, or without any those that may be due; `invalid` are all
    invalid indexes, `holders` what keeps dead rows, the oldest first, `ledger` what was done here before."""

    subject: str
    cluster: str
    database: str
    version: int
    in_recovery: bool
    sees_all: bool
    settings: Mapping[str, str]
    running: tuple[Worker, ...] = ()
    holders: tuple[Mapping[str, Any], ...] = ()
    tables: tuple[Table, ...] = ()
    indexes: tuple[Index, ...] = ()
    invalid: tuple[Index, ...] = ()
    room: Room = field(default_factory=Room)
    asked: Asked = field(default_factory=Asked)
    ledger: tuple[Entry, ...] = ()

    def workers(self, table: int) -> tuple[Worker, ...]:
        """Who works on the table of that oid in this database."""
        return tuple(one for one in self.running if one.table_oid == table and one.database == self.database)


@dataclass(frozen=True)
class Request:
    """What a person named, as typed. `reindex` says that the indexes of the tables are meant, `leaves` that
    the partitions are meant in the place of a partitioned table."""

    database: str | None = None
    tables: Sequence[str] = ()
    indexes: Sequence[str] = ()
    schemas: Sequence[str] = ()
    whole: bool = False
    reindex: bool = False
    leaves: bool = True


def observe(server: Server, request: Request, ledger: Iterable[Entry] = (), enter: Enter = enter) -> Snapshot:
    """Raises `BadInput` for a name that is none, `Refused`, `Failed` or `Unreachable`."""
    with enter(server, SECONDS, request.database) as session:
        facts = ask(session, look.SERVER, look.RUNNING, XMIN, timeout=STATEMENT_SECONDS)
        asked = _asked(session, request)
        tables: Sequence[Table] = ()
        indexes: Sequence[Index] = ()
        if request.reindex:
            indexes = () if asked.nothing else read_indexes(session, look.ASKED_INDEXES, _params(asked))
        elif asked.nothing:
            tables = _tables(session, look.TOUCHED, {})
        else:
            tables = _tables(session, look.ASKED_TABLES, {**_params(asked), "leaves": request.leaves})
        invalid = read_indexes(session, look.INVALID, {})
    locations = [index.location or "" for index in (*indexes, *invalid)]
    settings = facts["settings"]
    return Snapshot(
        subject=describe(server).replace(server.administrator.database, facts["database"], 1),
        cluster=facts["cluster"],
        database=facts["database"],
        version=facts["version"],
        in_recovery=facts["in_recovery"],
        sees_all=facts["sees_all"],
        settings=settings,
        running=tuple(Worker(**row) for row in facts["running"]),
        holders=tuple(row for row in facts["xmin"] if row["database"] in (None, facts["database"])),
        tables=tuple(tables),
        indexes=tuple(indexes),
        invalid=tuple(invalid),
        room=look_for_room(server, settings, facts["started"], locations),
        asked=asked,
        ledger=tuple(ledger),
    )


def read_indexes(session: Session, where: str, params: Mapping[str, Any]) -> list[Index]:
    return [Index(**row) for row in session.rows(look.INDEXES + where, params, STATEMENT_SECONDS)]


def read_table(session: Session, oid: int) -> Table | None:
    found = _tables(session, "c.oid = %(oid)s::oid", {"oid": oid})
    return found[0] if found else None


def read_index(session: Session, oid: int) -> Index | None:
    found = read_indexes(session, "c.oid = %(oid)s::oid", {"oid": oid})
    return found[0] if found else None


def _tables(session: Session, where: str, params: Mapping[str, Any]) -> list[Table]:
    return [Table(**row) for row in session.rows(look.TABLES + where, params, STATEMENT_SECONDS)]


def _params(asked: Asked) -> Mapping[str, Any]:
    return {
        "tables": list(asked.tables),
        "indexes": list(asked.indexes),
        "schemas": list(asked.schemas),
        "whole": asked.whole,
    }


def _asked(session: Session, request: Request) -> Asked:
    schemas = list(dict.fromkeys(request.schemas))
    if schemas:
        known = {row["name"] for row in session.rows(look.SCHEMAS, {"names": schemas})}
        for name in schemas:
            if request.reindex and name in CATALOGS:
                raise BadInput(
                    f"schema {name}",
                    "an index of a catalog cannot be rebuilt without locking everybody out",
                    "Name schemas of applications.",
                )
            if name not in known:
                raise BadInput(
                    f"schema {name!r}", "there is none of that name", "Write it just so, without quotes."
                )
    return Asked(
        _oids(session, request.tables, names.TABLES, "table"),
        _oids(session, request.indexes, names.INDEXES, "index"),
        tuple(schemas),
        request.whole,
    )


def _oids(session: Session, texts: Sequence[str], wanted: str, subject: str) -> tuple[int, ...]:
    if not texts:
        return ()
    given = list(dict.fromkeys(texts))
    params = {"texts": given, "rules": [names.readable(text) for text in given]}
    return tuple(dict.fromkeys(names.settle(given, session.rows(look.NAMES, params), wanted, subject)))


def unable(snapshot: Snapshot) -> FirebreakError | None:
    """Why nothing can be done on this server, whatever was asked."""
    if snapshot.in_recovery:
        return BadInput(
            snapshot.subject,
            "it is a standby: it can neither vacuum nor rebuild anything",
            "Do it on its primary; the result comes here by itself.",
        )
    if not snapshot.sees_all:
        return Unreachable(
            snapshot.subject,
            "the administrator is not shown what others work on",
            "GRANT pg_read_all_stats to it, or name a superuser.",
        )
    return None
