# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what `pg_restore_info` and `pg_restore` need for what they were asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping

from ...clients.pipes import Sink, Source
from ...clients.postgres_programs import Ran, run_program
from ...clients.postgres_session import Access
from ...errors import BadInput
from ...finding import Finding
from ...lifecycle import Job
from ...moments import iso, utc_now
from ...quantities import parse_duration
from ..backup.catalogue import CUSTOM, CUSTOM_GZ, GLOBALS, Backup, by_age, found, looked_at
from ..backup.findings import latest, passed_over
from ..backup.observe import NEWEST, Examined, Proofs, examined, reader
from ..backup.verify import Verification, verify
from ..corruption.observe import read_through
from ..entry import SPEC as ENTRY_SPEC
from ..entry import enter, identity_of, reach, server_for
from ..server import Server
from ..sessions.protection import Protection
from . import observe
from .act import performers
from .decide import Request, decide, inform
from .model import Choice, Report, Snapshot
from .script import Both, Rows

LATEST = "latest"
SPEC: Mapping[str, Any] = {
    **ENTRY_SPEC,
    "database": {"type": "str"},
    "backup": {"type": "str", "default": LATEST},
    "directory": {"type": "path"},
    "timeout": {"type": "str", "default": "1h"},
}
CHANGE_SPEC: Mapping[str, Any] = {**SPEC, "swap": {"type": "bool", "default": False}}
INFO_SPEC: Mapping[str, Any] = {
    **SPEC,
    "deep": {"type": "bool", "default": False},
    "deep_timeout": {"type": "str", "default": "1m"},
}
# For one table or index.
EACH_SECONDS = 15.0


def job(params: Mapping[str, Any]) -> Job[Snapshot]:
    if params["swap"] and not params["database"]:
        raise BadInput("swap", "it puts a copy in the place of a database", "Name it in database.")
    server, seconds = reach(params), _seconds(params, "timeout")
    name = _name(params, server)
    report = Report()
    choosing = _Choosing(params, server, name, seconds)

    def look() -> Snapshot:
        choice = choosing.choice()
        if not report.rows:
            report.rows, report.counted = dict(choice.rows), choice.counted
        return replace(observe.observe(server, name, iso(utc_now())), choice=choice)

    request = Request(
        swap=bool(params["swap"]),
        began=iso(utc_now()),
        protection=Protection.of(server),
        way_in=identity_of(server),
    )
    return Job(
        observe=look,
        decide=lambda seen: decide(seen, request, report),
        perform=performers(lambda identity: server_for(identity, params), report, seconds),
    )


def information(params: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[Finding, ...]]:
    server, seconds = reach(params), _seconds(params, "timeout")
    name = _name(params, server)
    choosing = _Choosing(params, server, name, seconds)
    seen = observe.observe(server, name, iso(utc_now()))
    seen = replace(seen, choice=choosing.choice(), wal=observe.wal_bytes(server, name))
    reading = None
    if params["deep"] and seen.live and seen.live.database.connectable:
        deep = _seconds(params, "deep_timeout")
        with enter(server, deep, name) as session:
            reading = read_through(session, deep, EACH_SECONDS)
    request = Request(protection=Protection.of(server))
    data, judged = inform(seen, request, choosing.listed(), reading)
    return data, tuple(judged)


class _Choosing:
    """The backup that is meant, read to its end once; a second look at the server does not read it again."""

    def __init__(self, params: Mapping[str, Any], server: Server, name: str, seconds: float) -> None:
        self._wanted, self._directory, self._name = params["backup"], params["directory"], name
        if self._wanted == LATEST and not self._directory:
            raise BadInput(
                "directory", "where the backups are is not known", "Give it, or the path of a backup."
            )
        if self._wanted != LATEST and not self._wanted.startswith("/"):
            raise BadInput(
                f"backup {self._wanted!r}", "it is neither latest nor a path", "Give the path of a dump."
            )
        self._proofs = Proofs(reader(server), seconds, self._verified)
        self._rows: dict[str, Rows] = {}
        self._examined: tuple[Examined, ...] = ()
        self._choice: Choice | None = None

    def choice(self) -> Choice:
        if self._choice is None:
            self._examined = examined(self._candidates(), self._proofs, NEWEST)
            self._choice = self._chosen()
        return self._choice

    def listed(self) -> list[dict[str, Any]]:
        self.choice()
        return [
            {
                **one.backup.as_dict(),
                "verified": one.verified,
                "reason": one.reason or None,
                "tables": one.tables,
                "rows": one.rows,
            }
            for one in self._examined
        ]

    def _candidates(self) -> tuple[Backup, ...]:
        if self._wanted == LATEST:
            listed = by_age(found(self._directory, self._name), utc_now().timestamp())
            # One that does not say what it is a dump of is taken only where there is no other.
            return tuple(one for one in listed if one.database is not None) or listed
        try:
            backup = looked_at(self._wanted)
        except OSError as error:
            raise BadInput(
                f"backup {self._wanted}", str(error.strerror), "Give the path of a dump."
            ) from error
        if backup is None or backup.kind == GLOBALS:
            raise BadInput(
                f"backup {self._wanted}", "it is no dump", "See pg_restore_info for those there are."
            )
        if _says_so(backup) and backup.database not in (None, self._name):
            raise BadInput(
                f"backup {self._wanted}",
                f"it is one of {backup.database}, not of {self._name}",
                "Name that database, or load it by hand into another one.",
            )
        return (backup,)

    def _chosen(self) -> Choice:
        over = tuple((one.backup, one.reason) for one in passed_over(self._examined) if one.reason)
        good = latest(self._examined)
        if good is None or not good.verified:
            return Choice(passed_over=over)
        rows = self._rows.get(good.backup.path, Rows())
        return Choice(
            backup=good.backup,
            sha256=self._proofs.of(good.backup).sha256,
            text=rows.size,
            rows=rows.of,
            counted=rows.complete and good.backup.path in self._rows,
            passed_over=over,
        )

    def _verified(self, backup: Backup, access: Access, seconds: float) -> Verification:
        """What pg_restore makes of an archive is counted as it goes by."""
        rows = Rows()

        def run(
            access: Access,
            program: str,
            arguments: list[str],
            seconds: float,
            source: Source | None = None,
            sink: Sink | None = None,
        ) -> Ran:
            self._rows[backup.path] = rows
            return run_program(
                access, program, arguments, seconds, source, Both(rows, *([sink] if sink else []))
            )

        return verify(backup, access, seconds, run)


def _says_so(backup: Backup) -> bool:
    """Whether what it is a dump of is recorded, and no guess from its name."""
    return backup.kind in (CUSTOM, CUSTOM_GZ) or "database" in (backup.manifest or {})


def _name(params: Mapping[str, Any], server: Server) -> str:
    return str(params["database"] or server.administrator.database)


def _seconds(params: Mapping[str, Any], option: str) -> float:
    seconds = float(parse_duration(params[option]))
    if seconds < 1:
        raise BadInput(option, "that needs time", "Give 1 second or more.")
    return seconds
