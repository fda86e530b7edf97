# SPDX-License-Identifier: GPL-3.0-or-later
"""What a responder must know before and after a restore."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Iterator, Mapping, Sequence

from ...clients.postgres_session import identifier
from ...finding import CRITICAL, NOTICE, WARNING, Finding, Remedy
from ...quantities import speak_list, speak_size
from ..corruption.decide import judge_damage, judge_unchecked
from ..corruption.observe import Reading
from ..server import describe
from .model import MARK, Database, Difference, Snapshot

LISTED = 3
EVIDENCE = 100


def of_restore(
    seen: Snapshot, differences: Sequence[Difference], ready: Database | None, repeated: bool
) -> tuple[Finding, ...]:
    """`ready` is the checked copy that is not in use yet; `repeated`: the backup is in use already."""
    return (
        *_closed(seen),
        *_damage(seen, None),
        *_passed_over(seen),
        *_differs(seen, differences),
        *(_ready(seen, ready) if ready else ()),
        *(_repeated(seen) if repeated else ()),
        *_read_only(seen),
        *_left_over(seen, ready),
    )


def of_information(seen: Snapshot, reading: Reading | None) -> tuple[Finding, ...]:
    return (
        *_closed(seen),
        *_damage(seen, reading),
        *_passed_over(seen),
        *(judge_unchecked(seen.name, _subject(seen), seen.checksums, reading) if seen.live else ()),
        *_left_over(seen, None),
    )


def data_copy(seen: Snapshot) -> Mapping[str, Any]:
    """How the damaged files themselves are kept, before anything is restored."""
    server, needed = seen.server, None
    if seen.live and seen.live.database.bytes is not None:
        needed = seen.live.database.bytes + (seen.wal or 0)
    volume = seen.room.data
    container = server.administrator.container
    copied = f"cp -a {seen.data or 'the data directory'} <another disk>"
    stop = f"systemctl stop {server.unit or '<its unit>'}"
    if container:
        stop, copied = f"docker stop {container}", f"docker cp -a {container}:{seen.data} <another disk>"
    return {
        "directory": seen.data,
        "bytes": needed,
        "free_bytes": volume.free if volume else None,
        "command": f"{stop} && {copied}",
    }


def _subject(seen: Snapshot) -> str:
    administrator = replace(seen.server.administrator, database=seen.name)
    return describe(replace(seen.server, administrator=administrator))


def _damage(seen: Snapshot, reading: Reading | None) -> Iterator[Finding]:
    live = seen.live
    if live:
        failures, last = live.checksum_failures, live.last_checksum_failure
        yield from judge_damage(seen.name, _subject(seen), failures, last, reading)


def _closed(seen: Snapshot) -> Iterator[Finding]:
    if seen.live and not seen.live.database.connectable:
        name = identifier(seen.name).replace("%%", "%")
        yield Finding(
            id="postgres.database.closed",
            level=CRITICAL,
            subject=_subject(seen),
            summary=f"nobody can connect to {seen.name}, as when a swap was cut off: undo, or "
            f"ALTER DATABASE {name} ALLOW_CONNECTIONS true",
            evidence={"oid": seen.live.database.oid},
        )


def _passed_over(seen: Snapshot) -> Iterator[Finding]:
    choice = seen.choice
    if not choice.passed_over:
        return
    first, why = choice.passed_over[0]
    instead = f"{choice.backup.path} is the newest that can be" if choice.backup else "no other one can be"
    yield Finding(
        id="postgres.restore.passed_over",
        level=WARNING,
        subject=_subject(seen),
        summary=f"the newest backup, {first.path}, cannot be restored: {why}; {instead}",
        evidence={
            "passed_over": [{"path": one.path, "reason": reason} for one, reason in choice.passed_over],
            "latest": choice.backup.path if choice.backup else None,
        },
        remedy=Remedy("backup_database"),
    )


def _differs(seen: Snapshot, differences: Sequence[Difference]) -> Iterator[Finding]:
    other = [one for one in differences if one.live is not None and one.live != one.restored]
    if other:
        said = [
            f"{one.table} {'not there' if one.restored is None else one.restored} ({one.live} before)"
            for one in other
        ]
        strange = not any(one.live and one.restored is not None for one in differences)
        yield Finding(
            id="postgres.restore.differs",
            level=WARNING if strange and any(one.live for one in other) else NOTICE,
            subject=_subject(seen),
            summary="no table with rows in use is in it, as if it were of another database; " * strange
            + f"rows in the copy and in what was in use, where they differ: {speak_list(said, LISTED)}",
            evidence={"tables": [one.as_dict() for one in other[:EVIDENCE]]},
        )


def _ready(seen: Snapshot, ready: Database) -> Iterator[Finding]:
    yield Finding(
        id="postgres.restore.ready",
        level=NOTICE,
        subject=_subject(seen),
        summary=f"{ready.name} is a checked copy of its backup; swap: true and max_risk: destructive put "
        f"it in the place of {seen.name}, and undo drops it",
        evidence={"name": ready.name, "oid": ready.oid, "size_bytes": ready.bytes},
    )


def _read_only(seen: Snapshot) -> Iterator[Finding]:
    live = seen.live
    mark = live.database.mark if live else None
    if live and live.read_only and mark and mark.swapped:
        name = identifier(seen.name).replace("%%", "%")
        yield Finding(
            id="postgres.restore.read_only",
            level=WARNING,
            subject=_subject(seen),
            summary=f"{seen.name} was restored and still begins its sessions read-only, as the one before "
            f"did, and undoing that is for the one before. When users may write: pg_write_access with state: "
            f"read_write, or PGOPTIONS='-c default_transaction_read_only=off' psql and ALTER DATABASE {name} "
            f"RESET default_transaction_read_only",
            evidence={"in_use_since": mark.swapped},
        )


def _repeated(seen: Snapshot) -> Iterator[Finding]:
    mark = seen.live.database.mark if seen.live else None
    if mark:
        again = f"ALTER DATABASE {identifier(seen.name)} RESET {MARK}".replace("%%", "%")
        yield Finding(
            id="postgres.restore.repeated",
            level=NOTICE,
            subject=_subject(seen),
            summary=f"{mark.backup} is in use since {mark.swapped}, and is not restored a second time within "
            f"the hour; to do it all the same: {again}",
            evidence={"in_use_since": mark.swapped, "sha256": mark.sha256},
        )


def _left_over(seen: Snapshot, but: Database | None) -> Iterator[Finding]:
    kept = {one.oid: one for one in seen.kept()}
    copies = [one for one in seen.sides() if one is not but and one.oid not in kept]
    unmarked = seen.unmarked()
    left = [*kept.values(), *copies, *unmarked]
    if left:
        said = [f"{one.name} was in use before" for one in kept.values()]
        said += [f"{one.name} is a copy{_condition(one)}" for one in copies]
        said += [f"{one.name} was begun and nothing was loaded into it" for one in unmarked]
        size = sum(one.bytes or 0 for one in left)
        yield Finding(
            id="postgres.restore.left_over",
            level=NOTICE,
            subject=_subject(seen),
            summary=f"{speak_list(said, LISTED)} ({speak_size(size)}): DROP DATABASE when nobody needs what "
            f"is in there",
            evidence={
                "databases": [
                    {"name": one.name, "oid": one.oid, "size_bytes": one.bytes, "was_in_use": one.oid in kept}
                    for one in left
                ]
            },
        )


def _condition(copy: Database) -> str:
    mark = copy.mark
    if mark and mark.swapped:
        return f" that was in use from {mark.swapped} on"
    return "" if mark and mark.checked else " that is not checked"
