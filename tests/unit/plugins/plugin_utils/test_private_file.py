# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.private_file import write_privately


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = write_privately(tmp_path / "report.md", "text")
    assert path.read_text() == "text"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_leaves_the_old_file_whole_and_nothing_beside_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = write_privately(tmp_path / "report.md", "old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_privately(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
