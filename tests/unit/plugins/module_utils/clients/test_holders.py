# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import holders
from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Mount, Procfs


def test_open_files_are_found_with_how_they_were_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with path.open("ab") as appending, path.open("rb"):
        appending.write(b"x")
        appending.flush()
        key = (path.stat().st_dev, path.stat().st_ino)
        path.unlink()
        own = [use for use in holders.uses(Procfs(), lambda: False).of[key] if use.pid == os.getpid()]
        assert sorted((use.deleted, holders.writes(use), holders.appends(use)) for use in own) == [
            (True, False, False),
            (True, True, True),
        ]
        assert own[0].path == str(path)


def test_nothing_is_asked_of_a_file_whose_server_may_be_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Mount(str(tmp_path), "nfs4", "server:/x", "0:99", frozenset(), frozenset())
    monkeypatch.setattr(Procfs, "mounts", lambda procfs: (away,))
    with (tmp_path / "a.log").open("ab") as stream:
        status = os.fstat(stream.fileno())
        assert (status.st_dev, status.st_ino) not in holders.uses(Procfs(), lambda: False).of
