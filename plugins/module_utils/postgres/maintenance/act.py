# SPDX-License-Identifier: GPL-3.0-or-later
"""Vacuum, analyze, rebuild, drop what a rebuild left: one object at a time, nobody locked out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

from ...clients.postgres import Failed, Session, identifier
from ...errors import FirebreakError, IdentityChanged
from ...lifecycle import Performer
from ...quantities import speak_list
from ..entry import enter
from ..look import ask
from ..server import Server
from . import look
from .decide import Policy, keep, shortage
from .due import who, work
from .observe import LEFTOVER, Enter, Index, Table, Worker, read_index, read_indexes, read_table
from .room import Room
from .room import look as look_for_room

# Beside the statement itself: for looking before and after it, and for taking away what it left.
ASIDE_SECONDS = 60.0
POLL_SECONDS = 0.25
# Until the statistics show what was done; before 15 they are a file that is written twice a second.
STATISTICS_SECONDS = 3.0
# Until the server has noticed its own statement_timeout, when the client has given up.
END_SECONDS = 10.0
NAMED = 3
LOCK_TIMEOUT, TIMEOUT = "55P03", "57014"

# The locks on a table that keep out SHARE, which waits for writers.
_WRITING = {
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
}
# Those that keep out SHARE UPDATE EXCLUSIVE, which vacuum, analyze and rebuild take.
_EXCLUDING = (_WRITING - {"RowExclusiveLock"}) | {"ShareLock"}


@dataclass
class Workshop:
    """Carries out acts, each in a session of its own; `log` is what there is to say of them afterwards."""

    server: Server
    policy: Policy
    log: list[dict[str, Any]] = field(default_factory=list)
    enter: Enter = enter
    look_for_room: Callable[..., Room] = look_for_room
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def performers(self) -> Mapping[str, Performer]:
        return {
            "postgres.vacuum": self.vacuum,
            "postgres.analyze": self.analyze,
            "postgres.reindex": self.reindex,
            "postgres.index.drop": self.drop,
        }

    def vacuum(self, identity: Mapping[str, Any]) -> None:
        # Cutting off the empty end of a table takes ACCESS EXCLUSIVE, on a standby too.
        words = ["TRUNCATE FALSE"]
        words += ["INDEX_CLEANUP FALSE"] if identity["skip_indexes"] else []
        words += ["ANALYZE"] if identity["analyze"] else []
        self._on_table(identity, f"VACUUM ({', '.join(words)})", lambda table: table.vacuumed_seconds)

    def analyze(self, identity: Mapping[str, Any]) -> None:
        self._on_table(identity, "ANALYZE", lambda table: table.analyzed_seconds)

    def reindex(self, identity: Mapping[str, Any]) -> None:
        with self._enter(identity, self.policy.timeout) as session:
            index = _same_index(session, identity)
            subject = f"index {index}"
            facts = ask(session, look.SERVER, look.RUNNING)
            _check_idle(facts["running"], index.table_oid, identity, subject)
            room = self.look_for_room(
                self.server, facts["settings"], facts["started"], [index.location or ""]
            )
            short = shortage(index, room, self.policy.assume_space)
            if short:
                raise FirebreakError(subject, short, "Make room first.")
            before = {one.oid for one in _invalid_of(session, index.table_oid)}
            self._wait_for_others(session, index.table_oid, subject)
            started = self.clock()
            failure = None
            try:
                self._execute(session, f"REINDEX INDEX CONCURRENTLY {identifier(index.schema, index.name)}")
            except FirebreakError as error:
                failure = error
        if failure is not None:
            self._clear_away(index, identity, before, failure)
        with self._enter(identity) as session:
            rebuilt = _rebuilt(session, index)
        if rebuilt is None:
            raise FirebreakError(subject, "it is not rebuilt, or invalid", "See the server's log.")
        self._note(
            str(index), "reindex", started, {"bytes_before": index.bytes, "bytes_after": rebuilt.bytes}
        )

    def drop(self, identity: Mapping[str, Any]) -> None:
        started = self.clock()
        with self._enter(identity) as session:
            index = _same_index(session, identity)
            subject = f"index {index}"
            because = keep(index)
            if because:
                raise IdentityChanged(subject, because, "Look again.")
            running = ask(session, look.RUNNING)["running"]
            _check_idle(running, index.table_oid, identity, subject)
            because = self._dropped(session, index)
        if because:
            raise FirebreakError(subject, because, "Repeat when that has ended.")
        self._note(str(index), "drop", started, {"bytes_before": index.bytes, "bytes_after": 0})

    def _enter(self, identity: Mapping[str, Any], seconds: float = 0.0) -> Session:
        return self.enter(self.server, seconds + ASIDE_SECONDS, identity["database"])

    def _execute(self, session: Session, statement: str) -> None:
        session.execute(statement, timeout=self.policy.timeout, lock_timeout=self.policy.lock_timeout)

    def _on_table(
        self, identity: Mapping[str, Any], command: str, seconds_ago: Callable[[Table], float | None]
    ) -> None:
        with self._enter(identity, self.policy.timeout) as session:
            table = read_table(session, identity["oid"])
            subject = f"table {identity['schema']}.{identity['name']}"
            if table is None or not _same(table, identity):
                raise IdentityChanged(subject, "it is gone or another one by now", "Look again.")
            facts = ask(session, look.SERVER, look.RUNNING)
            _check_idle(facts["running"], table.oid, identity, subject)
            started = self.clock()
            try:
                self._execute(session, f"{command} {identifier(table.schema, table.name)}")
            except Failed as error:
                others = self._others(session, table.oid) if error.code == LOCK_TIMEOUT else []
                said = _named([one for one in others if _EXCLUDING & set(one["modes"])])
                raise FirebreakError(subject, f"{error.problem}{said}", error.cure) from error
            except FirebreakError as error:
                raise FirebreakError(
                    subject, f"{error.problem}{self._ended(identity, table.oid)}", error.cure
                ) from error
            took = self.clock() - started
            after: Table | None = table
            # The server passes over a table that is not ours with a warning and no error.
            while facts["settings"].get("track_counts") == "on" and _kept(table, facts["version"]):
                after = read_table(session, table.oid)
                ago = seconds_ago(after) if after else None
                if ago is not None and ago <= self.clock() - started:
                    break
                if self.clock() - started > took + STATISTICS_SECONDS:
                    raise FirebreakError(
                        subject,
                        f"the server says nothing and its statistics show no {command.split()[0]}",
                        "See that the administrator owns the table or is a superuser.",
                    )
                self.sleep(POLL_SECONDS)
        rows = {"dead_before": table.dead, "dead_after": after.dead if after else None}
        self._note(str(table), command.split()[0].lower(), started, rows, took)

    def _wait_for_others(self, session: Session, table: int, subject: str) -> None:
        """For those whom the rebuild would wait for before and after everything else, and leave an invalid
        index behind that cannot be dropped either: writers, and who sits in a transaction."""
        waited_for: set[str] | None = None
        end = self.clock() + self.policy.lock_timeout
        while True:
            others = [one for one in self._others(session, table) if _in_the_way(one)]
            if waited_for is None:
                waited_for = {one["transaction"] for one in others}
            others = [one for one in others if one["transaction"] in waited_for]
            if not others:
                return
            if self.clock() >= end:
                raise FirebreakError(
                    subject,
                    f"its rebuild would wait longer than {self.policy.lock_timeout:g} s{_named(others)}; "
                    f"nothing was started",
                    "End that or wait for it, then repeat.",
                )
            self.sleep(POLL_SECONDS)

    def _clear_away(
        self, index: Index, identity: Mapping[str, Any], before: set[int], failure: FirebreakError
    ) -> None:
        """Drop what a rebuild that failed has left. Raises, unless the index is rebuilt all the same."""
        said, cure = failure.problem, failure.cure
        if not isinstance(failure, Failed):
            said += self._ended(identity, index.table_oid)
        left: list[str] = []
        dropped: list[str] = []
        try:
            with self._enter(identity) as session:
                if isinstance(failure, Failed) and failure.code in (LOCK_TIMEOUT, TIMEOUT):
                    said += _named(self._long(session, index.table_oid))
                for one in _invalid_of(session, index.table_oid):
                    # The old one is renamed when the new one takes its place.
                    new = one.oid not in before or one.oid == index.oid
                    if new and LEFTOVER.search(one.name):
                        because = keep(one) or self._dropped(session, one)
                        (left if because else dropped).append(f"{one} ({because})" if because else str(one))
                if _rebuilt(session, index) and not left:
                    return
        except FirebreakError as error:
            left.append(f"what it left is not known ({error.problem})")
        said += f"; what it left was dropped: {', '.join(dropped)}" if dropped else ""
        if left:
            said += f"; still there: {', '.join(left)}"
            cure += " Then run the operation clean_up."
        raise FirebreakError(f"index {index}", said, cure) from failure

    def _dropped(self, session: Session, index: Index) -> str | None:
        """Why an index could not be dropped; None when it is."""
        try:
            self._execute(session, f"DROP INDEX CONCURRENTLY {identifier(index.schema, index.name)}")
        except Failed as error:
            locked = error.code == LOCK_TIMEOUT
            others = [one for one in self._long(session, index.table_oid) if one["modes"]] if locked else []
            return f"it cannot be dropped: {error.problem}{_named(others)}"
        return None if read_index(session, index.oid) is None else "it is still there"

    def _others(self, session: Session, table: int) -> Sequence[Mapping[str, Any]]:
        return session.rows(look.OTHERS, {"table": table})

    def _long(self, session: Session, table: int) -> Sequence[Mapping[str, Any]]:
        """Those who were there for longer than is waited for anybody; a prepared transaction has no time."""
        return [
            one
            for one in self._others(session, table)
            if one["transaction_seconds"] is None or one["transaction_seconds"] >= self.policy.lock_timeout
        ]

    def _ended(self, identity: Mapping[str, Any], table: int) -> str:
        """Whether the statement that we no longer hear of has ended on the server."""
        end = self.clock() + END_SECONDS
        try:
            with self._enter(identity) as session:
                while True:
                    running = ask(session, look.RUNNING)["running"]
                    ours = [one for one in _on(running, table, identity) if one.application == "firebreak"]
                    if not ours:
                        return "; it has ended on the server"
                    if self.clock() >= end:
                        return f"; pid {ours[0].pid} still works on it, until its statement_timeout"
                    self.sleep(POLL_SECONDS)
        except FirebreakError as error:
            return f"; whether it has ended on the server is not known ({error.problem})"

    def _note(
        self, name: str, what: str, started: float, more: Mapping[str, Any], took: float | None = None
    ) -> None:
        seconds = self.clock() - started if took is None else took
        self.log.append({"object": name, "operation": what, "seconds": round(seconds, 3), **more})


def _same(thing: Table | Index, identity: Mapping[str, Any]) -> bool:
    return (thing.schema, thing.name, thing.filenode) == (
        identity["schema"],
        identity["name"],
        identity["filenode"],
    )


def _same_index(session: Session, identity: Mapping[str, Any]) -> Index:
    index = read_index(session, identity["oid"])
    if index is None or not _same(index, identity):
        raise IdentityChanged(
            f"index {identity['schema']}.{identity['name']}",
            "it is gone or another one by now",
            "Look again.",
        )
    return index


def _invalid_of(session: Session, table: int) -> list[Index]:
    return read_indexes(session, "NOT i.indisvalid AND i.indrelid = %(table)s::oid", {"table": table})


def _rebuilt(session: Session, index: Index) -> Index | None:
    """The valid index that has taken its name: it has another oid."""
    where = "n.nspname = %(schema)s AND c.relname = %(name)s"
    found = read_indexes(session, where, {"schema": index.schema, "name": index.name})
    return next((one for one in found if one.valid and one.oid != index.oid), None)


def _on(rows: Sequence[Mapping[str, Any]], table: int, identity: Mapping[str, Any]) -> list[Worker]:
    workers = (Worker(**row) for row in rows)
    return [one for one in workers if one.table_oid == table and one.database == identity["database"]]


def _check_idle(
    rows: Sequence[Mapping[str, Any]], table: int, identity: Mapping[str, Any], subject: str
) -> None:
    busy = _on(rows, table, identity)
    if busy:
        raise IdentityChanged(subject, f"somebody works on it by now: {work(busy[0])}", "Wait for it.")


def _in_the_way(one: Mapping[str, Any]) -> bool:
    modes = set(one["modes"])
    idle = one["pid"] is None or str(one["state"]).startswith("idle in transaction")
    return bool(modes & _WRITING or (modes and idle))


def _kept(table: Table, version: int) -> bool:
    """Whether the server keeps statistics of the whole of it."""
    return table.kind != "p" or version >= 140000


def _named(others: Sequence[Mapping[str, Any]]) -> str:
    if not others:
        return ""
    names = [
        who(one) if one["pid"] is not None else f"prepared transaction {one['prepared']}" for one in others
    ]
    return f", for {speak_list(names, NAMED)}"
