# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.open_files import deleted_files
from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Procfs

HERE = Procfs()
SIZE = 128 * 1024


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A file of this very process that has no name any more."""
    path = tmp_path / "app.log"
    with path.open("wb") as stream:
        stream.write(bytes(range(256)) * (SIZE // 256))
        stream.flush()
        os.fsync(stream.fileno())
        path.unlink()
        yield path


def only_here(monkeypatch: pytest.MonkeyPatch, *pids: int) -> None:
    monkeypatch.setattr(Procfs, "pids", lambda _self: list(pids or [os.getpid()]))


def test_a_deleted_file_that_is_open_is_found_with_who_holds_it(
    held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_here(monkeypatch)
    found = deleted_files(HERE, lambda: False)
    file = next(file for file in found.files if file.path == str(held))
    assert (file.pid, file.holders) == (os.getpid(), 1)
    assert file.bytes >= SIZE
    assert found.complete


def test_a_file_with_a_name_is_not_deleted_whatever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_here(monkeypatch)
    path = tmp_path / "app.log (deleted)"
    with path.open("wb") as stream:
        stream.write(b"x" * SIZE)
        stream.flush()
        assert str(path) not in [
            f"{file.path} (deleted)" for file in deleted_files(HERE, lambda: False).files
        ]


def test_what_lies_on_another_host_is_not_asked_for(held: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_here(monkeypatch)
    found = deleted_files(HERE, lambda: False, [str(held.parent)])
    assert str(held) not in [file.path for file in found.files]


def test_a_file_held_twice_counts_once(held: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_here(monkeypatch)
    extra = next(
        os.dup(int(entry.name))
        for entry in Path("/proc/self/fd").iterdir()
        if entry.is_symlink() and str(entry.readlink()) == f"{held} (deleted)"
    )
    try:
        found = [file for file in deleted_files(HERE, lambda: False).files if file.path == str(held)]
    finally:
        os.close(extra)
    assert [file.holders for file in found] == [1]


def test_when_the_time_is_over_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    only_here(monkeypatch)
    assert deleted_files(HERE, lambda: True).complete is False


def test_a_process_that_has_ended_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    only_here(monkeypatch, 2**22 + 1)
    found = deleted_files(HERE, lambda: False)
    assert (found.files, found.complete) == ((), True)
