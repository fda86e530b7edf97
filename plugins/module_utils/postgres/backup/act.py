# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a backup, has the site's script take one, deletes one.

A dump is written under another name, read to its end and only then given its own: whatever has a dump's name
was good when it got it.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Callable, Mapping, Sequence

from ...clients.postgres_programs import Ran, run_program
from ...clients.postgres_session import Access
from ...clients.procfs import Space, space
from ...errors import IdentityChanged, Unreachable
from ...information import Context
from ...lifecycle import Performer
from ...moments import iso, iso_at, utc_now
from ...quantities import speak_duration
from ..entry import access_to
from ..server import Server
from . import script
from .catalogue import (
    CLOCK_SECONDS,
    GLOBALS,
    Backup,
    everything,
    found,
    globals_name_for,
    looked_at,
    name_for,
)
from .files import Careful, becoming, manifest_of, named, sync, write_manifest
from .observe import Cluster, Proofs
from .verify import Verification

VERSION_SECONDS = 10.0


@dataclass(frozen=True)
class Setting:
    """What all acts of a run share. `seconds` bound each program, `lock_seconds` its waiting for a table.

    `cluster` gives the server as it was last seen.
    """

    server: Server
    cluster: Callable[[], Cluster]
    proofs: Proofs
    context: Context
    seconds: float
    lock_seconds: float
    run: Callable[..., Ran] = run_program
    ask: Callable[[Sequence[str], str | None, float], str] = script.ask
    clock: Callable[[], datetime] = utc_now
    statvfs: Callable[[str], Space] = space

    @property
    def patience(self) -> str:
        return f"--lock-wait-timeout={max(1, round(self.lock_seconds * 1000))}"


def performers(setting: Setting) -> Mapping[str, Performer]:
    return {
        "postgres.backup": lambda identity: _dump(setting, identity),
        "postgres.backup.globals": lambda identity: _dump_globals(setting, identity),
        "postgres.backup.command": lambda identity: _ask_script(setting, identity),
        "postgres.backup.delete": lambda identity: _delete(setting, identity),
    }


def _dump(setting: Setting, identity: Mapping[str, Any]) -> None:
    cluster, database, started = setting.cluster(), str(identity["database"]), setting.clock()
    access = access_to(setting.server, database)
    path = Path(identity["directory"], name_for(database, started))
    # A standby has nothing in the tables that are not logged.
    without = ["--no-unlogged-table-data"] if cluster.standby else []
    with becoming(path) as (part, stream):
        _write(setting, part, stream, access, "pg_dump", ["-Fc", setting.patience, *without])
        finished = setting.clock()
        backup, verification = _proved(setting, part, path.name)
        said = io.BytesIO()
        setting.run(
            access, "pg_dump", ["--version"], VERSION_SECONDS, sink=said, major=cluster.version // 10000
        )
        facts = {
            "started": iso(started),
            "finished": iso(finished),
            "server_version": cluster.version_text,
            "pg_dump_version": said.getvalue().decode("utf-8", "replace").strip(),
        }
        _record(setting, path, backup, verification, {"database": database, **facts})
    # What was verified under its other name need not be again.
    final = looked_at(str(path))
    if final is not None:
        setting.proofs.keep(final, verification)


def _dump_globals(setting: Setting, identity: Mapping[str, Any]) -> None:
    # The hashes of the passwords are in a table that only a superuser reads.
    without = [] if setting.cluster().superuser else ["--no-role-passwords"]
    path = Path(identity["directory"], globals_name_for(setting.clock()))
    arguments = ["--globals-only", setting.patience, *without]
    with becoming(path) as (part, stream):
        _write(setting, part, stream, access_to(setting.server), "pg_dumpall", arguments)
        _proved(setting, part, path.name)


def _write(
    setting: Setting, part: Path, stream: BinaryIO, access: Access, program: str, arguments: Sequence[str]
) -> None:
    major = setting.cluster().version // 10000
    sink = Careful(stream, part.parent, setting.statvfs)
    with named(f"backup {part}"):
        ran = setting.run(access, program, arguments, setting.seconds, sink=sink, major=major)
        sync(stream)
    if not ran.ok:
        raise _failure(setting, access, program, ran)


def _failure(setting: Setting, access: Access, program: str, ran: Ran) -> Unreachable:
    # How it says that it waited longer than --lock-wait-timeout.
    if "statement timeout" in ran.stderr and "LOCK TABLE" in ran.stderr:
        waited = speak_duration(setting.lock_seconds)
        problem = f"{program} waited {waited} for a table that somebody has locked; nothing was kept"
        return Unreachable(str(access), problem, "See who with pg_locks_info, or give more lock_timeout.")
    return Unreachable(str(access), f"{program}: {ran.complaint}", "Nothing was kept of it.")


def _proved(setting: Setting, part: Path, name: str) -> tuple[Backup, Verification]:
    with named(f"backup {part}"):
        backup = looked_at(str(part), name)
    if backup is None:
        raise IdentityChanged(f"backup {part}", "it is no file any more", "See who tidies up there.")
    verification = setting.proofs.of(backup)
    if not verification.ok:
        raise Unreachable(
            f"backup {part}",
            f"it was written and cannot be read back: {verification.reason}",
            "Nothing was kept of it. See the disk: dmesg names the device.",
        )
    return backup, verification


def _ask_script(setting: Setting, identity: Mapping[str, Any]) -> None:
    directory, command = str(identity["directory"]), list(identity["command"])
    wanted = list(identity["databases"])
    before, started = {backup.identity for backup in found(directory)}, setting.clock()
    said = setting.ask(command, identity["user"], setting.seconds)
    new = [backup for backup in found(directory) if backup.identity not in before]
    if not new:
        raise Unreachable(
            f"command {command[0]}",
            f"it ended with 0 and wrote no dump into {directory}; it said: {said}",
            "See where it writes to, and name that directory.",
        )
    for backup in new:
        verification = setting.proofs.of(backup)
        if not verification.ok:
            raise Unreachable(
                f"command {command[0]}",
                f"it ended with 0 and wrote {backup.path}, which cannot be restored: "
                f"{verification.reason}; it said: {said}",
                "Mend the script, or leave it out of firebreak_backup.",
            )
        facts = {
            "database": backup.database or (wanted[0] if len(wanted) == 1 else None),
            "started": iso(started),
            "finished": iso_at(backup.mtime_ns / 1e9),
            "server_version": setting.cluster().version_text,
            "command": command,
        }
        _record(setting, Path(backup.path), backup, verification, facts)


def _record(
    setting: Setting, path: Path, backup: Backup, verification: Verification, facts: Mapping[str, Any]
) -> None:
    manifest = {
        "sha256": verification.sha256,
        "size": backup.size,
        "mtime_ns": backup.mtime_ns,
        "kind": backup.kind,
        "tables": verification.tables,
        "rows": verification.rows,
        "verified_at": iso(setting.clock()),
        "verified_seconds": verification.seconds,
        "incident": setting.context.incident,
        "run": setting.context.run,
        **facts,
    }
    write_manifest(path, manifest)


def _delete(setting: Setting, identity: Mapping[str, Any]) -> None:
    """Only where so many newer ones of the same database can be restored, as of now."""
    path, keep = Path(identity["path"]), int(identity["keep"])
    everyone = everything(str(path.parent))
    backup = next((one for one in everyone if one.path == str(path)), None)
    if backup is None or (backup.inode, backup.mtime_ns) != (identity["inode"], identity["mtime_ns"]):
        raise IdentityChanged(f"backup {path}", "it is gone or another one by now", "Look again.")
    present = setting.clock().timestamp() + CLOCK_SECONDS
    others = [one for one in everyone[: everyone.index(backup)] if one.created <= present]
    newer = [one for one in others if _replaces(setting, one, backup)]
    if len(newer) < keep:
        raise IdentityChanged(
            f"backup {path}",
            f"only {len(newer)} newer ones can be restored, and {keep} are to be kept",
            "See why the backup before it failed.",
        )
    with named(f"backup {path}"):
        path.unlink()
        with contextlib.suppress(FileNotFoundError):
            manifest_of(path).unlink()


def _replaces(setting: Setting, one: Backup, other: Backup) -> bool:
    if (one.kind == GLOBALS) != (other.kind == GLOBALS) or one.database not in (None, other.database):
        return False
    return one.proved or setting.proofs.of(one).ok
