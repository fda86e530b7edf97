# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore is about: the database in use, the ones beside it, the backup, the room."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Iterable, Mapping

from ...errors import IdentityChanged
from ..backup.catalogue import Backup
from ..maintenance.room import Room
from ..server import Server
from ..sessions.session import Session
from .script import Table

# A setting of the database itself: it goes with it whatever it is renamed to, and ends with it.
MARK = "firebreak.restore"
LONGEST_NAME = 63
STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Mark:
    """What a database that was made by a restore says of itself. Times are UTC, ISO 8601.

    `of` is the name of the database that it is a copy of, `swapped` is when it took that name, and
    `replaced` the oid of the one that had it before.
    """

    of: str
    sha256: str
    backup: str
    made: str
    checked: bool = False
    swapped: str | None = None
    replaced: int | None = None

    @classmethod
    def parse(cls, text: str | None) -> Mark | None:
        """None for what is no mark."""
        try:
            given = json.loads(text or "")
            return cls(**given)
        except (ValueError, TypeError):
            return None

    def __str__(self) -> str:
        return json.dumps(self.__dict__, sort_keys=True)


@dataclass(frozen=True)
class Database:
    """One database of the server. `bytes` is None where its size was not asked for."""

    oid: int
    name: str
    bytes: int | None = None
    connectable: bool = True
    mark: Mark | None = None


@dataclass(frozen=True)
class Live:
    """The database that is in use. `locale` is what a new one is to be made with, as pg_database has it.

    `read_only` says that it is set so for all its sessions.
    """

    database: Database
    owner: str
    tablespace: str
    locale: Mapping[str, Any]
    sessions: tuple[Session, ...] = ()
    slots: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()
    prepared: tuple[str, ...] = ()
    read_only: bool = False
    checksum_failures: int = 0
    last_checksum_failure: str | None = None


@dataclass(frozen=True)
class Choice:
    """The backup that would be restored, with what was read in it; and the newer ones, with why not.

    `rows` are by table; `counted` is False when some are not known. `text` is its size as SQL, in bytes.
    """

    backup: Backup | None = None
    sha256: str = ""
    text: int = 0
    rows: Mapping[Table, int] = field(default_factory=dict)
    counted: bool = False
    passed_over: tuple[tuple[Backup, str], ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """`others` are all other databases of the server; without `live` there is none of that name.

    `data` is the data directory as the server sees it, `wal` the bytes of pg_wal in it, `location` where the
    tablespace of the database is, empty for the data directory. `wal_kept` are the bytes of pg_wal that
    loading adds at most, None when it keeps them all.
    """

    server: Server
    name: str
    now: str
    version: int
    in_recovery: bool
    superuser: bool
    checksums: bool
    live: Live | None
    others: tuple[Database, ...]
    room: Room
    data: str | None = None
    wal: int | None = None
    location: str = ""
    wal_kept: int | None = 0
    choice: Choice = Choice()

    def sides(self) -> list[Database]:
        """The copies that restores of this database have left, the newest first."""
        copies = [one for one in self.others if one.mark and one.mark.of == self.name]
        return sorted(copies, key=lambda one: one.mark.made if one.mark else "", reverse=True)

    def unmarked(self) -> list[Database]:
        """Copies that were cut off between being made and being marked: nothing was ever loaded into them."""
        ours = re.compile(
            re.escape(side_name(self.name, 0, ())).replace("19700101T000000", r"\d{8}T\d{6}") + "(_\\d+)?"
        )
        return [one for one in self.others if one.mark is None and ours.fullmatch(one.name)]

    @property
    def free(self) -> int | None:
        """Bytes that are free where the database lies."""
        volume = self.room.at(self.location)
        return volume.free if volume else None

    def kept(self) -> list[Database]:
        """Those that were in use before a restore took their place."""
        replaced = {one.mark.replaced for one in self._all() if one.mark}
        return [one for one in self.others if one.oid in replaced]

    def _all(self) -> list[Database]:
        return [*self.others, *([self.live.database] if self.live else [])]


@dataclass(frozen=True)
class Difference:
    """The rows of one table: in the backup, in its copy, in the database in use. None: not counted."""

    table: str
    backup: int | None
    restored: int | None
    live: int | None

    def as_dict(self) -> dict[str, Any]:
        return dict(self.__dict__)


@dataclass
class Report:
    """What is known of the backup's rows, and what came of the check; filled in while it goes on."""

    rows: dict[Table, int] = field(default_factory=dict)
    counted: bool = False
    differences: list[Difference] = field(default_factory=list)
    indexes_read: int | None = None


def side_name(database: str, created: float, taken: Iterable[str]) -> str:
    """The name of the copy that a backup of that age is restored into; the same for the same backup."""
    stamp = datetime.fromtimestamp(created, timezone.utc).strftime(STAMP)
    return _free(database, f"_restore_{stamp}", taken)


def before_name(database: str, now: datetime, taken: Iterable[str]) -> str:
    """The name under which the database that was in use is kept."""
    return _free(database, f"_before_{now.astimezone(timezone.utc).strftime(STAMP)}", taken)


def _free(database: str, ending: str, taken: Iterable[str]) -> str:
    used, number, last = set(taken), 1, ending
    while True:
        # PostgreSQL cuts names off after so many bytes, in silence.
        start = database.encode()[: LONGEST_NAME - len(last)].decode("utf-8", "ignore")
        if start + last not in used:
            return start + last
        number += 1
        last = f"{ending}_{number}"


def checked(mark: Mark) -> Mark:
    return replace(mark, checked=True)


def belongs(database: Database, identity: Mapping[str, Any]) -> Mark:
    """The mark of a copy that was made for what `identity` names. Raises `IdentityChanged`."""
    mark = database.mark
    if mark is None or (mark.of, mark.sha256) != (identity["database"], identity["sha256"]):
        raise changed(database.name, "it was not made from this backup")
    return mark


def changed(name: str, problem: str, cure: str = "Look again and decide anew.") -> IdentityChanged:
    """Of a database, or of the file at a path."""
    return IdentityChanged(name if name.startswith("/") else f"database {name}", problem, cure)
