# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to fall back on, and whether there is room for more."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Sequence

from ...clients import docker
from ...clients.postgres_programs import path_of
from ...clients.postgres_session import Access, Refused
from ...clients.procfs import Space, space
from ...deadlines import Deadline
from ...errors import BadInput, FirebreakError, Unreachable
from ...services import parse_services
from ..entry import SECONDS, access_to, enter, reach
from ..look import Look, ask
from ..server import Server, describe, parse_server
from .catalogue import CLOCK_SECONDS, Backup
from .verify import Verification, verify

NONE, NEWEST, ALL = "none", "newest", "all"
DEPTHS = (NONE, NEWEST, ALL)

# The size of a database that one may not connect to is nobody's business.
CLUSTER = Look(
    {
        "version": "current_setting('server_version_num')::int",
        "version_text": "current_setting('server_version')",
        "superuser": "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)",
        "data_directory": "(SELECT setting FROM pg_settings WHERE name = 'data_directory')",
        "standby": "pg_is_in_recovery()",
        "behind_seconds": "extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8",
        "databases": """(SELECT json_object_agg(datname,
      CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) END)
    FROM pg_database WHERE datallowconn AND NOT datistemplate)""",
    }
)


@dataclass(frozen=True)
class Cluster:
    """A server that answers. `databases` are their sizes in bytes, None where that is not told."""

    version: int
    version_text: str
    superuser: bool
    data_directory: str | None
    standby: bool
    behind_seconds: float | None
    databases: Mapping[str, int | None]


@dataclass(frozen=True)
class Room:
    """Of the filesystem that a directory is on, or will be. `holds_data`: the server's data are there too."""

    directory: str
    exists: bool
    space: Space
    holds_data: bool


@dataclass(frozen=True)
class Examined:
    """A backup and whether it can be read to its end: None when that was not tried, or failed for a `reason`
    that is not its own. `tables` and `rows` are those read."""

    backup: Backup
    verified: bool | None = None
    reason: str = ""
    tables: int | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Snapshot:
    """`examined` are the backups of each wanted database, newest first. No `cluster`: `unseen` says why.

    `now` is in seconds since the epoch. `unfinished` are files with their bytes.
    """

    subject: str
    now: float
    databases: tuple[str, ...]
    examined: Mapping[str, tuple[Examined, ...]]
    room: Room
    cluster: Cluster | None
    unseen: str = ""
    globals: tuple[Backup, ...] = ()
    unfinished: tuple[tuple[str, int], ...] = ()

    def in_future(self, backup: Backup) -> bool:
        return backup.created > self.now + CLOCK_SECONDS


class Proofs:
    """Verifications, each done once as long as the file stays the same."""

    def __init__(
        self,
        access: Access,
        seconds: float,
        check: Callable[[Backup, Access, float], Verification] = verify,
    ) -> None:
        self._access, self._seconds, self._check = access, seconds, check
        self._known: dict[tuple[str, int, int, int], Verification] = {}

    def of(self, backup: Backup) -> Verification:
        """Raises `Unreachable` when it cannot be told."""
        if backup.identity not in self._known:
            self._known[backup.identity] = self._check(backup, self._access, self._seconds)
        return self._known[backup.identity]

    def keep(self, backup: Backup, verification: Verification) -> None:
        """It was just verified."""
        self._known[backup.identity] = verification

    def examine(self, backup: Backup) -> Examined:
        try:
            found = self.of(backup)
        except FirebreakError as error:
            return Examined(backup, None, str(error))
        return Examined(backup, found.ok, found.reason, found.tables, found.rows)


def examined(
    backups: Iterable[Backup], proofs: Proofs, depth: str, since: float = 0, recorded: bool = False
) -> tuple[Examined, ...]:
    """`newest` tries them until one is good, and none begun before `since`.

    `recorded` takes those it does not try for as good as their manifests say.
    """
    result: list[Examined] = []
    wanted = depth != NONE
    for backup in backups:
        if wanted and backup.created >= since:
            result.append(proofs.examine(backup))
            wanted = depth == ALL or not result[-1].verified
        elif recorded:
            result.append(Examined(backup, True) if backup.proved else proofs.examine(backup))
        else:
            result.append(Examined(backup))
    return tuple(result)


def way_in(params: Mapping[str, Any]) -> tuple[Server, str]:
    """The server, and why its container could not be found: files can be read without it."""
    try:
        return reach(params), ""
    except Refused as error:
        server = parse_server(params["postgres"], parse_services(params["services"]))
        if server is None:
            raise
        return server, str(error)


def reader(server: Server) -> Access:
    """Where pg_restore is started to read a dump: in the container, or here where that has none."""
    access = access_to(server)
    if server.service and access.container is None and path_of("pg_restore") is None:
        return Access(user=access.user, database=access.database, container=server.service.target)
    return access


def cluster_of(server: Server) -> Cluster:
    """Raises `Refused`."""
    with enter(server, SECONDS) as session:
        row = ask(session, CLUSTER)
    return Cluster(
        version=row["version"],
        version_text=row["version_text"],
        superuser=bool(row["superuser"]),
        data_directory=row["data_directory"],
        standby=row["standby"],
        behind_seconds=row["behind_seconds"],
        databases=row["databases"] or {},
    )


def wanted(
    names: Sequence[str], every: bool, configured: str, cluster: Cluster | None, server: Server
) -> tuple[str, ...]:
    """The databases that are meant. Raises `BadInput` for one that the server does not have."""
    if cluster is None:
        if every:
            raise Unreachable(
                describe(server), "which databases it has cannot be asked", "Start it, or name them."
            )
        return tuple(names) or (configured,)
    chosen = tuple(cluster.databases) if every else tuple(dict.fromkeys(names)) or (configured,)
    for name in chosen:
        if name not in cluster.databases:
            raise BadInput(
                describe(server),
                f"it has no database {name!r} that can be connected to",
                f"There are: {', '.join(sorted(cluster.databases))}.",
            )
    return chosen


def room_of(
    directory: str,
    server: Server,
    cluster: Cluster | None,
    statvfs: Callable[[str], Space] = space,
) -> Room:
    """Raises `Unreachable`."""
    place, data = _existing(Path(directory)), _data_directory(server, cluster)
    try:
        shared = data is not None and Path(data).stat().st_dev == place.stat().st_dev
    except OSError:
        # A data directory that cannot be looked at says nothing about the other one.
        shared = False
    return Room(directory, Path(directory).is_dir(), statvfs(str(place)), shared)


def _existing(directory: Path) -> Path:
    """The directory, or what it would be made in. Raises `BadInput`."""
    for place in (directory, *directory.parents):
        if place.is_dir():
            return place
        if os.path.lexists(str(place)):
            break
    raise BadInput(f"directory {directory}", "it is no directory", "Give the full path of one.")


def _data_directory(server: Server, cluster: Cluster | None) -> str | None:
    """On this host; None when it is not here or nobody tells."""
    inside, access = cluster and cluster.data_directory, server.administrator
    if not inside:
        return None
    if access.container is None:
        return inside if access.over_socket or access.host in ("localhost", "127.0.0.1", "::1") else None
    engine = docker.socket_path()
    if engine is None:
        return None
    try:
        return docker.host_path(engine, access.container, inside, Deadline(SECONDS).remaining)
    except Unreachable:
        return None


def now() -> float:
    return time.time()
