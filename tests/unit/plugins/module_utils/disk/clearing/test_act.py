# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are touched only as what they were when they were planned for; no line is lost."""

from __future__ import annotations

import errno
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import beneath, holders
from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Procfs, Space
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing import pack
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.act import Workshop
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.manifest import Manifest
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.model import Batch, File
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.pack import Left, Packer
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.reopening import Reopener
from ansible_collections.firebreak.incident.plugins.module_utils.errors import (
    FirebreakError,
    IdentityChanged,
    Unreachable,
)

ROOM = Space(1 << 40, 1 << 40, 1 << 40, 1000, 1000)
FULL = Space(1 << 40, 0, 0, 1000, 0)
LINES = b"".join(b"line %d of the log\n" % number for number in range(20000))


def found(path: Path) -> File:
    return File.of(str(path), path.lstat())


def never(identity: Any) -> None:
    raise AssertionError(identity)


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has anything open."""
    nothing = holders.Uses(MappingProxyType({}), True)
    monkeypatch.setattr(holders, "uses", lambda procfs, over, remote=(): nothing)


@pytest.fixture
def workshop(tmp_path: Path, idle: None) -> Workshop:
    procfs = Procfs()
    manifest = Manifest("run", [str(tmp_path / "state")], lambda path: ROOM)
    return Workshop(procfs, manifest, Packer([str(tmp_path / "stage")]), Reopener(procfs), never)


def delete(workshop: Workshop, *files: File) -> None:
    batch = Batch(files[0].directory, files)
    workshop.batches[batch.digest] = batch
    workshop.delete(batch.identity())


def test_what_is_deleted_was_written_down_before(workshop: Workshop, tmp_path: Path) -> None:
    names = ["a.log.1", "auth.log.1", "new\nline.log.1", os.fsdecode(b"\xff.log.1")]
    for name in names:
        (tmp_path / name).write_bytes(name.encode(errors="surrogateescape"))
    delete(workshop, *(found(tmp_path / name) for name in names))
    assert not [name for name in names if (tmp_path / name).exists()]
    lines = [json.loads(line) for line in (tmp_path / "state/manifests/run.jsonl").read_text().splitlines()]
    assert [Path(line["path"]).name for line in lines] == [
        "a.log.1",
        "auth.log.1",
        "new\\nline.log.1",
        "\\xff.log.1",
    ]
    assert [bool(line.get("sha256")) for line in lines] == [False, True, False, False]
    assert {"size", "mtime", "inode", "device"} <= set(lines[0])
    assert workshop.work[0]["files"] == 4


def _replaced(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"another")


def _linked(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def _named_twice(path: Path) -> None:
    os.link(path, path.with_name("other"))


def _written(path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(b"more")


@pytest.mark.parametrize("change", [_replaced, _linked, _named_twice, _written, Path.unlink])
def test_what_has_changed_since_stays(
    workshop: Workshop, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    changed, other = tmp_path / "a.log.1", tmp_path / "b.log.1"
    for path in (changed, other):
        path.write_bytes(b"old")
    files = [found(changed), found(other)]
    change(changed)
    before = changed.lstat().st_ino if os.path.lexists(changed) else None
    delete(workshop, *files)
    assert not other.exists()
    assert before is None or changed.lstat().st_ino == before
    assert workshop.work[0]["left"] == 1
    with pytest.raises(IdentityChanged):
        delete(workshop, files[0])


def test_a_directory_replaced_by_a_link_leads_nowhere(workshop: Workshop, tmp_path: Path) -> None:
    inside, elsewhere = tmp_path / "logs/app", tmp_path / "elsewhere/app"
    for directory in (inside, elsewhere):
        directory.mkdir(parents=True)
    os.link(_file(elsewhere / "a.log.1"), inside / "a.log.1")
    file = found(inside / "a.log.1")
    (inside / "a.log.1").unlink()
    inside.rmdir()
    inside.parent.rmdir()
    inside.parent.symlink_to(elsewhere.parent)
    with pytest.raises(IdentityChanged, match="logs"):
        delete(workshop, file)
    assert (elsewhere / "a.log.1").exists()


def _file(path: Path, data: bytes = LINES) -> Path:
    path.write_bytes(data)
    return path


def test_a_directory_that_became_a_server_s_is_left_alone(workshop: Workshop, tmp_path: Path) -> None:
    file = found(_file(tmp_path / "a.log.1"))
    (tmp_path / "PG_VERSION").write_text("15")
    with pytest.raises(IdentityChanged, match="PG_VERSION"):
        delete(workshop, file)


def test_nothing_is_deleted_that_cannot_be_written_down(workshop: Workshop, tmp_path: Path) -> None:
    workshop.manifest = Manifest("run", [str(tmp_path / "one"), str(tmp_path / "two")], lambda path: FULL)
    path = _file(tmp_path / "a.log.1")
    with pytest.raises(Unreachable):
        delete(workshop, found(path))
    assert path.exists()


def test_the_manifest_moves_to_disk_when_there_is_room(tmp_path: Path) -> None:
    disk, memory = tmp_path / "disk", tmp_path / "memory"
    full = [True]
    manifest = Manifest(
        "a/run",
        [str(disk), str(memory)],
        lambda path: FULL if full[0] and path.startswith(str(disk)) else ROOM,
    )
    manifest.record("x", [found(_file(tmp_path / "a.log"))], {})
    assert (memory / "manifests/a_run.jsonl").exists()
    full[0] = False
    manifest.settle()
    assert (disk / "manifests/a_run.jsonl").exists()
    assert not (memory / "manifests/a_run.jsonl").exists()


def compress(workshop: Workshop, *files: File) -> None:
    batch = Batch(files[0].directory, files)
    workshop.batches[batch.digest] = batch
    workshop.compress(batch.identity())


def test_a_compressed_log_keeps_every_line_and_its_rights(workshop: Workshop, tmp_path: Path) -> None:
    path = _file(tmp_path / "a.log.1")
    path.chmod(0o640)
    os.utime(path, ns=(1_000_000_000, 1_700_000_000_123_456_789))
    compress(workshop, found(path))
    packed = tmp_path / "a.log.1.gz"
    assert gzip.decompress(packed.read_bytes()) == LINES
    assert (packed.stat().st_mode & 0o7777, packed.stat().st_mtime_ns) == (0o640, 1_700_000_000_123_456_789)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.log.1.gz"]


def _no_room(*_any: Any) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.usefixtures("idle")
def test_without_room_beside_it_the_result_is_put_together_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Packer, "_beside", _no_room)
    path = _file(tmp_path / "a.log.1")
    file = found(path)
    with beneath.directory(str(tmp_path)) as folder:
        with pytest.raises(Left, match="no room"):
            Packer([str(tmp_path / "stage")]).pack(file, folder)
        assert path.read_bytes() == LINES
        elsewhere = Path("/dev/shm") / f"firebreak-test-{os.getpid()}"
        try:
            Packer([str(elsewhere)]).pack(file, folder)
            assert gzip.decompress((tmp_path / "a.log.1.gz").read_bytes()) == LINES
            assert not path.exists()
            assert not elsewhere.exists()

            again = found(_file(tmp_path / "b.log.1"))
            monkeypatch.setattr(pack, "_copy", _no_room)
            with pytest.raises(FirebreakError, match="its lines are in"):
                Packer([str(elsewhere)]).pack(again, folder)
            (staged,) = elsewhere.iterdir()
            assert gzip.decompress(staged.read_bytes()) == LINES
        finally:
            for each in elsewhere.glob("*"):
                each.unlink()
            elsewhere.rmdir()


def test_a_log_whose_compressed_name_is_taken_stays(workshop: Workshop, tmp_path: Path) -> None:
    path = _file(tmp_path / "a.log.1")
    _file(tmp_path / "a.log.1.gz", b"somebody's")
    with pytest.raises(IdentityChanged, match="already"):
        compress(workshop, found(path))
    assert (path.read_bytes(), (tmp_path / "a.log.1.gz").read_bytes()) == (LINES, b"somebody's")


def test_a_log_turned_over_gets_its_name_back_when_the_writer_keeps_it(
    workshop: Workshop, tmp_path: Path
) -> None:
    path = _file(tmp_path / "a.log")
    file = found(path)
    batch = Batch(str(tmp_path), (file,))
    workshop.batches[batch.digest] = batch
    identity = {"batch": batch.digest, "pid": os.getpid(), "started": 1, "name": "nginx"}
    with pytest.raises(IdentityChanged):
        workshop.turn_over(identity)
    assert found(path).key == file.key
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.log"]
