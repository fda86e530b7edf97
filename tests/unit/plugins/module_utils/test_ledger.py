# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import multiprocessing
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.ledger import (
    DIRECTORIES,
    NAME,
    Ledger,
    places,
)
from ansible_collections.firebreak.incident.plugins.module_utils.plan import Act

from .conftest import make_act, make_entry


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return tmp_path / "disk"


@pytest.fixture
def tmpfs(tmp_path: Path) -> Path:
    return tmp_path / "tmpfs"


@pytest.fixture
def ledger(disk: Path, tmpfs: Path) -> Ledger:
    return Ledger([str(disk), str(tmpfs)])


def _path_of(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def test_what_was_appended_is_read_back(ledger: Ledger, act: Act) -> None:
    entry = make_entry(act, incident="INC-1", playbook="contain_security", actor="someone@somewhere")
    ledger.append(entry)
    assert ledger.entries() == [entry]


def test_a_host_without_a_ledger_has_no_entries(ledger: Ledger) -> None:
    assert ledger.entries() == []


def test_only_root_may_read_it(ledger: Ledger, disk: Path, act: Act) -> None:
    ledger.append(make_entry(act))
    assert (disk / NAME).stat().st_mode & 0o777 == 0o600
    assert disk.stat().st_mode & 0o777 == 0o700


@settings(max_examples=60)
@given(cut=st.integers(min_value=2, max_value=200))
def test_a_torn_last_line_is_read_up_to_it(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    disk = tmp_path_factory.mktemp("torn")
    ledger = Ledger([str(disk)])
    first, second, third = (make_entry(make_act(name)) for name in "abc")
    ledger.append(first)
    ledger.append(second)
    path = disk / NAME
    os.truncate(path, path.stat().st_size - cut)
    assert ledger.entries() == [first]
    ledger.append(third)
    assert ledger.entries() == [first, third]


def test_lines_that_are_not_entries_are_passed_over(ledger: Ledger, disk: Path, act: Act) -> None:
    ledger.append(make_entry(act))
    with (disk / NAME).open("ab") as stream:
        stream.write(b'[1]\n{"time": "only"}\n\x00\xff\n"text"\n')
    assert ledger.entries() == [make_entry(act)]


def _append_many(disk: Path, writer: int, count: int) -> None:
    ledger = Ledger([str(disk)])
    for number in range(count):
        ledger.append(make_entry(make_act(f"{writer}-{number}", reason="r" * 3000)))


def test_processes_appending_at_once_lose_nothing(ledger: Ledger, disk: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_append_many, args=(disk, writer, 50)) for writer in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    names = [entry.target for entry in ledger.entries()]
    assert sorted(names) == sorted(f"{writer}-{number}" for writer in range(4) for number in range(50))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_disk_that_takes_nothing_moves_the_ledger_to_tmpfs(
    ledger: Ledger, disk: Path, tmpfs: Path, act: Act, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    before = make_entry(make_act("before"))
    ledger.append(before)
    real_write = os.write

    def write(descriptor: int, data: bytes) -> int:
        if str(disk) in _path_of(descriptor):
            raise OSError(code, os.strerror(code))
        return real_write(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    assert ledger.append(make_entry(act)) == tmpfs / NAME
    assert ledger.entries() == [before, make_entry(act)]


def test_a_line_that_fits_only_in_part_leaves_no_part_behind(
    ledger: Ledger, disk: Path, tmpfs: Path, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.append(make_entry(make_act("before")))
    size = (disk / NAME).stat().st_size
    real_write = os.write

    def write(descriptor: int, data: bytes) -> int:
        partly = data[:10] if str(disk) in _path_of(descriptor) else data
        return real_write(descriptor, partly)

    monkeypatch.setattr(os, "write", write)
    assert ledger.append(make_entry(act)) == tmpfs / NAME
    assert (disk / NAME).stat().st_size == size


def test_no_room_anywhere_is_said_with_both_places(
    ledger: Ledger, disk: Path, tmpfs: Path, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(Unreachable, match=f"{disk}.*No space left.*{tmpfs}.*Free a few kilobytes"):
        ledger.append(make_entry(act))


def test_a_link_in_its_place_is_not_followed(ledger: Ledger, disk: Path, tmp_path: Path, act: Act) -> None:
    disk.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("")
    (disk / NAME).symlink_to(victim)
    with pytest.raises(Unreachable):
        ledger.append(make_entry(act))
    assert victim.read_text() == ""


def test_an_ordinary_user_has_a_ledger_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, act: Act
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    entry = make_entry(act)
    assert Ledger().append(entry) == tmp_path / "firebreak" / NAME
    assert Ledger().entries() == [entry]


def test_root_has_the_ledger_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert places() == DIRECTORIES
