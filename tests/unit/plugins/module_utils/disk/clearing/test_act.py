# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are touched only as what they were when they were planned for; no line is lost."""

from __future__ import annotations

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
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing import act
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.act import Workshop
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.manifest import Manifest
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.model import Batch, File
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.pack import Packer
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
    monkeypatch.setattr(holders, "uses", lambda procfs, over: nothing)


@pytest.fixture
def workshop(tmp_path: Path, idle: None) -> Workshop:
    procfs = Procfs()
    manifest = Manifest("run", [str(tmp_path / "state")], lambda path: ROOM)
    return Workshop(
        procfs, manifest, Packer([str(tmp_path / "stage")], manifest.note), Reopener(procfs), never
    )


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


def turn_over(workshop: Workshop, path: Path) -> None:
    batch = Batch(str(path.parent), (found(path),))
    workshop.batches[batch.digest] = batch
    workshop.turn_over({"batch": batch.digest, "pid": os.getpid(), "started": 1, "name": "nginx"})


def _led_elsewhere(path: Path, secret: Path) -> None:
    path.unlink()
    path.symlink_to(secret)


def _turned_by_another(path: Path, secret: Path) -> None:
    path.rename(path.with_name("a.log.1"))
    path.write_bytes(b"a line of the next one")


@pytest.mark.parametrize("change", [_led_elsewhere, _turned_by_another])
@pytest.mark.parametrize("moment", ["opened", "name_it"])
def test_a_name_that_leads_elsewhere_right_then_is_neither_linked_nor_replaced(
    workshop: Workshop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path, Path], None],
    moment: str,
) -> None:
    path = _file(tmp_path / "a.log")
    secret = _file(tmp_path / "secret", b"secret")
    before = getattr(beneath, moment)
    waits = [True]

    def in_between(*words: Any) -> Any:
        if waits.pop() if waits else False:
            change(path, secret)
        return before(*words)

    monkeypatch.setattr(beneath, moment, in_between)
    with pytest.raises(FirebreakError):
        turn_over(workshop, path)
    assert secret.stat().st_nlink == 1
    assert not [each.name for each in tmp_path.iterdir() if each.name.startswith("a.log-")]
    if change is _turned_by_another:
        assert path.read_bytes() == b"a line of the next one"
    else:
        assert path.is_symlink()


def test_what_a_program_is_asked_to_let_go_of_is_written_down(workshop: Workshop, tmp_path: Path) -> None:
    gone = found(_file(tmp_path / "auth.log"))
    with pytest.raises(IdentityChanged):
        workshop.reopen(
            {"pid": os.getpid(), "started": 1, "name": "rsyslogd", "bytes": 1, "files": [gone.as_dict()]}
        )
    (line,) = (tmp_path / "state/manifests/run.jsonl").read_text().splitlines()
    assert json.loads(line)["files"][0]["inode"] == gone.inode


def test_evidence_that_cannot_be_read_to_its_end_stays(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless, other = tmp_path / "auth.log.1", _file(tmp_path / "app.log.1")
    with endless.open("wb") as stream:
        stream.truncate(1 << 42)
    monkeypatch.setattr(act, "DIGEST_SECONDS", 0.0)
    delete(workshop, found(endless), found(other))
    assert (endless.exists(), other.exists()) == (True, False)
    assert workshop.work[0]["left"] == 1
