# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that are not needed any more, because enough newer ones can be restored."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, Mapping, Sequence

from ...clients.postgres_session import Access
from ...errors import FirebreakError, Unreachable
from ...information import Context
from ...lifecycle import Performer
from ...postgres.backup.act import Setting, performers
from ...postgres.backup.catalogue import CLOCK_SECONDS, GLOBALS, Backup, everything, manifest_of
from ...postgres.backup.observe import Cluster, Proofs, reader, way_in
from ...postgres.server import Server
from .model import Spare

VERIFY_SECONDS = 3600.0


class Backups:
    """The directory `backup` names, and what reads its files."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self.directory = str(params["backup"]["directory"])
        self.keep = keep_of(params)
        self._server: Server | None = None
        self._proofs: Proofs | None = None

    def spares(self) -> Sequence[Spare]:
        """What may go. Raises `Unreachable`.

        One of which nobody says of what it is stays, and so does one of the future: when it was begun is not
        known.
        """
        latest = time.time() + CLOCK_SECONDS
        groups: dict[tuple[bool, str | None], list[Backup]] = {}
        for backup in everything(self.directory):
            if backup.created <= latest and (backup.database or backup.kind == GLOBALS):
                groups.setdefault((backup.kind == GLOBALS, backup.database), []).append(backup)
        spares: list[Spare] = []
        for backups in groups.values():
            good = 0
            for backup in backups:
                if good >= self.keep:
                    spares.append(_spare(backup, self.directory))
                elif backup.proved or self._proved().of(backup).ok:
                    good += 1
        return [spare for spare in spares if _alone(spare.backup)]

    def delete(self, identity: Mapping[str, Any]) -> None:
        """As pg_backup does: counted anew, by what can be restored then."""
        setting = Setting(
            server=self._way(),
            cluster=_no_cluster,
            proofs=self._proved(),
            context=Context.from_params(self._params),
            seconds=VERIFY_SECONDS,
            lock_seconds=0,
        )
        perform: Mapping[str, Performer] = performers(setting)
        perform["postgres.backup.delete"](identity)

    def _way(self) -> Server:
        if self._server is None:
            try:
                self._server = way_in(self._params)[0]
            except FirebreakError:
                # Without a server the programs of this host read the dumps.
                self._server = Server(Access())
        return self._server

    def _proved(self) -> Proofs:
        if self._proofs is None:
            self._proofs = Proofs(reader(self._way()), VERIFY_SECONDS)
        return self._proofs


def keep_of(params: Mapping[str, Any]) -> int:
    return int(params["backup"]["keep"] if params["keep"] is None else params["keep"])


def _spare(backup: Backup, directory: str) -> Spare:
    taken = 0
    for path in (backup.path, manifest_of(backup.path)):
        with contextlib.suppress(OSError):
            taken += Path(path).lstat().st_blocks * 512
    return Spare(backup, Path(directory).stat().st_dev, taken)


def _alone(backup: Backup) -> bool:
    """With another name somewhere, nothing would be freed."""
    try:
        return Path(backup.path).lstat().st_nlink == 1
    except OSError:
        return False


def _no_cluster() -> Cluster:
    raise Unreachable("postgresql", "it was not asked", "See pg_backup_info.")
