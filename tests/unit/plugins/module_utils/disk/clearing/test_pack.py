# SPDX-License-Identifier: GPL-3.0-or-later
"""A log becomes its compressed self and nothing else, whoever else may write beside it."""

from __future__ import annotations

import errno
import gzip
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import beneath
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing import pack
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.model import File
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.pack import Left, Packer
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, Unreachable

LINES = b"".join(b"line %d of the log\n" % number for number in range(20000))


def _file(path: Path, data: bytes = LINES) -> Path:
    path.write_bytes(data)
    return path


def found(path: Path) -> File:
    return File.of(str(path), path.lstat())


def unwritten(facts: Mapping[str, Any]) -> None:
    pass


def in_time() -> bool:
    return False


def packed(
    path: Path, packer: Packer | None = None, over: Callable[[], bool] = in_time, file: File | None = None
) -> int:
    with beneath.directory(str(path.parent)) as folder:
        return (packer or Packer([], unwritten)).pack(file or found(path), folder, over)


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A directory on another filesystem."""
    directory = Path("/dev/shm") / f"firebreak-test-{os.getpid()}"
    yield directory
    for each in directory.glob("*"):
        each.unlink()
    if directory.exists():
        directory.rmdir()


@pytest.fixture
def no_room_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Packer, "_beside", _no_room)


def _no_room(*_any: Any) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_what_is_put_where_the_result_is_made_gets_no_other_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = _file(tmp_path / "secret", b"secret")
    path = _file(tmp_path / "a.log.1")
    before = pack._Dress.put_on

    def in_between(dress: Any, target: Any) -> None:
        before(dress, target)
        (tmp_path / "a.log.1.gz.firebreak").unlink()
        (tmp_path / "a.log.1.gz.firebreak").symlink_to(secret)

    monkeypatch.setattr(pack._Dress, "put_on", in_between)
    with pytest.raises(Left):
        packed(path)
    assert secret.stat().st_nlink == 1
    assert path.read_bytes() == LINES
    assert not os.path.lexists(tmp_path / "a.log.1.gz")


def test_the_time_of_access_is_that_of_who_read_it_last(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.log.1")
    os.utime(path, ns=(1_000_000_000, 1_700_000_000_000_000_000))
    packed(path)
    assert (tmp_path / "a.log.1.gz").stat().st_atime_ns == 1_000_000_000


def test_the_result_runs_with_nobody_s_rights(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.log.1")
    path.chmod(0o6755)
    packed(path)
    assert (tmp_path / "a.log.1.gz").stat().st_mode & 0o7777 == 0o755


def test_a_file_that_got_another_name_meanwhile_stays(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.log.1")
    file = found(path)
    os.link(path, tmp_path / "other")
    with pytest.raises(Left, match="another name"):
        packed(path, file=file)


def test_a_file_with_holes_is_not_read_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "a.log.1"
    with path.open("wb") as stream:
        stream.truncate(1 << 42)
    asked = iter([False, False, True])
    with pytest.raises(Left, match="no time"):
        packed(path, over=lambda: next(asked))
    assert [each.name for each in tmp_path.iterdir()] == ["a.log.1"]


@pytest.mark.usefixtures("no_room_beside")
def test_without_room_beside_it_the_result_is_put_together_elsewhere(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _file(tmp_path / "a.log.1")
    with pytest.raises(Left, match="no room"):
        packed(path, Packer([str(tmp_path / "stage")], unwritten))
    assert path.read_bytes() == LINES
    noted: list[Mapping[str, Any]] = []
    packer = Packer([str(elsewhere)], noted.append)
    packed(path, packer)
    assert gzip.decompress((tmp_path / "a.log.1.gz").read_bytes()) == LINES
    assert not path.exists()
    assert not elsewhere.exists()
    assert Path(noted[0]["staged"]).parent == elsewhere

    again = _file(tmp_path / "b.log.1")
    monkeypatch.setattr(pack, "_copy", _no_room)
    with pytest.raises(FirebreakError, match="its lines are in"):
        packed(again, packer)
    (staged,) = elsewhere.iterdir()
    assert gzip.decompress(staged.read_bytes()) == LINES


@pytest.mark.usefixtures("no_room_beside")
def test_what_a_run_left_that_was_ended_is_not_in_the_way(tmp_path: Path, elsewhere: Path) -> None:
    path = _file(tmp_path / "a.log.1")
    file = found(path)
    elsewhere.mkdir()
    _file(elsewhere / f"{file.device}-{file.inode}-{file.mtime_ns}.gz", b"the beginning")
    packed(path, Packer([str(elsewhere)], unwritten))
    assert gzip.decompress((tmp_path / "a.log.1.gz").read_bytes()) == LINES


@pytest.mark.usefixtures("no_room_beside")
def test_a_log_stays_when_nobody_could_tell_where_its_lines_are(tmp_path: Path, elsewhere: Path) -> None:
    path = _file(tmp_path / "a.log.1")

    def full(facts: Mapping[str, Any]) -> None:
        raise Unreachable("manifest", "no room", "Make some.")

    with pytest.raises(Left, match="written down"):
        packed(path, Packer([str(elsewhere)], full))
    with pytest.raises(Left, match="no time"):
        packed(path, Packer([str(elsewhere)], unwritten), over=lambda: True)
    assert path.read_bytes() == LINES
    assert not elsewhere.exists()
