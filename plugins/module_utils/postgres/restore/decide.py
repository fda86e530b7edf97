# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backup would be restored, into what, and whether it may be put in the place of what is in use."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any, Mapping, Sequence

from ...finding import Finding
from ...lifecycle import Decision
from ...moments import iso, iso_at
from ...plan import DESTRUCTIVE, REVERSIBLE, Act, Plan, Undo
from ...quantities import speak_count, speak_duration, speak_size
from ..backup.catalogue import Backup
from ..corruption.observe import Reading
from ..sessions.protection import Protection
from . import findings, obstacles
from .model import Database, Report, Snapshot, side_name

# So long, the same backup is not put in place a second time: what is in use is that backup.
DONE_SECONDS = 3600


@dataclass(frozen=True)
class Request:
    """`way_in` is what `identity_of` says of the server: it goes into the identity of every act.

    `began` is when it was asked for, UTC, ISO 8601.
    """

    swap: bool = False
    began: str = ""
    protection: Protection = field(default_factory=Protection)
    way_in: Mapping[str, Any] = field(default_factory=dict)


def decide(seen: Snapshot, request: Request, report: Report) -> Decision:
    """The symptom counts what is missing: 1 for a checked copy of the backup, 1 for its being in use."""
    copy = _ready(seen)
    done = in_place(seen)
    missing = 0 if done else int(copy is None) + int(request.swap)
    mark = seen.live.database.mark if seen.live else None
    repeated = done and request.swap and str(mark and mark.swapped) < request.began
    plan = Plan() if not missing else _plan(seen, request, copy)
    return Decision(
        symptom=missing,
        state=_state(seen, copy, report),
        findings=findings.of_restore(seen, report.differences, copy, repeated),
        plan=plan,
    )


def in_place(seen: Snapshot) -> bool:
    """Whether what is in use was restored from this backup a short time ago."""
    mark = seen.live.database.mark if seen.live else None
    if mark is None or mark.swapped is None or mark.sha256 != seen.choice.sha256:
        return False
    return mark.swapped >= iso(_moment(seen.now) - timedelta(seconds=DONE_SECONDS))


def inform(
    seen: Snapshot, request: Request, backups: Sequence[Mapping[str, Any]], reading: Reading | None
) -> tuple[Mapping[str, Any], Sequence[Finding]]:
    live = seen.live
    data = {
        "database": seen.name,
        "backups": list(backups),
        "latest": seen.choice.backup.path if seen.choice.backup else None,
        "passed_over": [{"path": one.path, "reason": why} for one, why in seen.choice.passed_over],
        "size_bytes": live.database.bytes if live else None,
        "sessions": len(live.sessions) if live else None,
        "copy_bytes": obstacles.needs(seen),
        "free_bytes": seen.free,
        "obstacles": {
            "copy": obstacles.of_copy(seen),
            "swap": obstacles.in_the_way(seen, request.protection),
        },
        "side_databases": [_listed(one) for one in seen.sides()],
        "kept_databases": [_listed(one) for one in seen.kept()],
        "checksums": seen.checksums,
        "checksum_failures": live.checksum_failures if live else None,
        "last_checksum_failure": live.last_checksum_failure if live else None,
        "reading": reading.as_dict() if reading else None,
        "data_copy": findings.data_copy(seen),
    }
    return data, findings.of_information(seen, reading)


def _plan(seen: Snapshot, request: Request, copy: Database | None) -> Plan:
    backup, live = seen.choice.backup, seen.live
    oid = live.database.oid if live else None
    made = [] if copy else obstacles.of_copy(seen)
    side = copy.name if copy else side_name(seen.name, backup.created if backup else 0, _names(seen))
    acts = [] if copy else _making(seen, request, side, oid)
    if request.swap:
        acts.append(_swapping(seen, request, side, oid))
    swapped = obstacles.in_the_way(seen, request.protection) if request.swap else []
    because = next(iter([*made, *_unusable(seen), *swapped]), None)
    if because is None:
        return Plan(tuple(acts))
    if seen.live is None or seen.choice.backup is None:
        # There is not even a name for a copy.
        acts = [replace(acts[0], target=f"database {seen.name}")]
    return Plan((), tuple(act.refused(because) for act in acts))


def _unusable(seen: Snapshot) -> list[str]:
    if seen.choice.backup:
        return []
    said = "; ".join(f"{one.path}: {why}" for one, why in seen.choice.passed_over[:3])
    problem = f"no backup of {seen.name} can be read to its end"
    return [f"{problem}: {said}" if said else f"{problem}, for there is none"]


def _making(seen: Snapshot, request: Request, side: str, oid: int | None) -> list[Act]:
    choice = seen.choice
    path = choice.backup.path if choice.backup else ""
    target = f"database {side}"
    identity = {
        **request.way_in,
        "database": seen.name,
        "side": side,
        "backup": path,
        "sha256": choice.sha256,
    }
    undo = Undo(
        "postgres.restore.drop",
        {**request.way_in, "database": seen.name, "side": side, "sha256": choice.sha256},
    )
    return [
        Act(
            "postgres.restore.create",
            target,
            {**identity, "oid": oid},
            REVERSIBLE,
            f"a copy of {seen.name}, empty, of the same owner and locale, closed to all but superusers",
            undo,
        ),
        Act("postgres.restore.load", target, identity, REVERSIBLE, _described(seen), undo),
        Act(
            "postgres.restore.check",
            target,
            identity,
            REVERSIBLE,
            "the rows of every table are counted and held against the backup, indexes read with amcheck",
            undo,
        ),
    ]


def _swapping(seen: Snapshot, request: Request, side: str, oid: int | None) -> Act:
    protection = request.protection
    identity = {
        **request.way_in,
        "database": seen.name,
        "oid": oid,
        "side": side,
        "sha256": seen.choice.sha256,
        "application_is_superuser": protection.application_is_superuser,
        "application_user": protection.application_user,
    }
    sessions = len(seen.live.sessions) if seen.live else 0
    return Act(
        "postgres.restore.swap",
        f"database {seen.name}",
        identity,
        DESTRUCTIVE,
        f"{side} takes its name; what was written since the backup is then in the old one only, kept as "
        f"{seen.name}_before_<time>; {speak_count(sessions, 'session')} to be ended",
        Undo("postgres.restore.swap_back", identity),
    )


def _described(seen: Snapshot) -> str:
    backup = seen.choice.backup
    if backup is None:
        return "there is no backup"
    age = _moment(seen.now).timestamp() - backup.created
    newest = "" if not seen.choice.passed_over else ", the newest that can be read to its end"
    return f"{backup.path} ({speak_size(backup.size)}, {speak_duration(age)} old{newest})"


def _ready(seen: Snapshot) -> Database | None:
    """A checked copy of this backup that was never in use."""
    for one in seen.sides():
        if one.mark and one.mark.checked and not one.mark.swapped and one.mark.sha256 == seen.choice.sha256:
            return one
    return None


def _state(seen: Snapshot, copy: Database | None, report: Report) -> dict[str, Any]:
    backup = seen.choice.backup
    mark = seen.live.database.mark if seen.live else None
    return {
        "database": seen.name,
        "backup": _backup(backup, seen) if backup else None,
        "side_database": copy.name if copy else None,
        "in_use_since": mark.swapped if mark and in_place(seen) else None,
        "kept_databases": [one.name for one in seen.kept()],
        "copy_bytes": obstacles.needs(seen),
        "free_bytes": seen.free,
        "indexes_read": report.indexes_read,
        "tables": [one.as_dict() for one in report.differences],
    }


def _backup(backup: Backup, seen: Snapshot) -> dict[str, Any]:
    return {
        "path": backup.path,
        "created": iso_at(backup.created),
        "sha256": seen.choice.sha256,
        "rows": {".".join(table): rows for table, rows in sorted(seen.choice.rows.items())},
    }


def _listed(database: Database) -> dict[str, Any]:
    mark = database.mark
    return {
        "name": database.name,
        "oid": database.oid,
        "size_bytes": database.bytes,
        "backup": mark.backup if mark else None,
        "made": mark.made if mark else None,
        "checked": mark.checked if mark else None,
        "in_use_since": mark.swapped if mark else None,
    }


def _names(seen: Snapshot) -> list[str]:
    return [one.name for one in seen.others]


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
