# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.probe import can_write


def test_the_probe_leaves_nothing_and_says_what_failed(tmp_path: Path) -> None:
    assert can_write(str(tmp_path)) is None
    assert not list(tmp_path.iterdir())
    assert can_write(str(tmp_path / "gone")) is not None
    assert can_write("/proc") is not None
