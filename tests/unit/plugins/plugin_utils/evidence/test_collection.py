# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.catalogue import BY_NAME
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.answer import Piece, read_answer
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.collection import (
    Collection,
    check_free,
    check_room,
    place,
    safe,
)

NOW = "2026-11-22T02:00:02.000Z"
Entry = Callable[..., dict[str, Any]]


def piece(entry: dict[str, Any]) -> Piece:
    answer = read_answer(
        {"artefacts": [entry], "not_collected": []}, list(BY_NAME.values()), 1 << 20, 1 << 20
    )
    return answer.pieces[0]


def keep(collection: Collection, entry: dict[str, Any]) -> None:
    found = piece(entry)
    artefact = collection.begin(found, NOW) if found.first else collection.open
    assert artefact is not None
    collection.append(artefact, found, found.data)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/var/log/nginx/access.log", "var_log_nginx_access.log"),
        ("../../../etc/cron.d/x", "etc_cron.d_x"),
        ("..", ""),
        ("/", ""),
        ("-rf", "rf"),
        (".bashrc", "bashrc"),
        ("a\x00b\nc\x1b[2J", "a_b_c_2J"),
        ("x" * 500, "x" * 80),
        ("ünicode\udcff", "nicode"),
    ],
)
def test_no_name_leads_out_of_the_collection(text: str, expected: str) -> None:
    assert safe(text) == expected


def test_the_place_is_named_after_run_and_host(tmp_path: Path) -> None:
    assert place(tmp_path, "20261122-020000-ab12", "zekka1") == tmp_path / "20261122-020000-ab12" / "zekka1"
    assert place(tmp_path, "../..", "../x/y") == tmp_path / "run" / "x_y"


def test_a_hostile_part_ends_up_as_a_plain_file_in_the_collection(
    collection: Collection, entry: Entry
) -> None:
    for part in ("../../../../tmp/evil", "/etc/passwd", "", "\0", "a" * 5000):
        keep(collection, entry("logs", b"x", part=part))
    names = sorted(path.name for path in collection.path.iterdir())
    assert names[:2] == ["001-log-tmp_evil.raw", "002-log-etc_passwd.raw"]
    assert len(names) == 5
    assert all(len(name) < 120 for name in names)


def test_pieces_make_one_artefact_with_the_hash_of_the_whole(collection: Collection, entry: Entry) -> None:
    keep(collection, entry("journal", b"one", last=False))
    keep(collection, entry("journal", b"two", first=False, exit_code=0))
    collection.save()
    manifest = json.loads((collection.path / "manifest.json").read_text())
    artefact = manifest["artefacts"][0]
    assert artefact["path"] == "001-journal.jsonl"
    assert artefact["sha256"] == hashlib.sha256(b"onetwo").hexdigest()
    assert (artefact["bytes"], artefact["whole"], artefact["exit_code"]) == (6, True, 0)
    assert (collection.path / "001-journal.jsonl").read_bytes() == b"onetwo"


def test_sha256sum_agrees(collection: Collection, entry: Entry) -> None:
    keep(collection, entry("clock", b"now"))
    keep(collection, entry("processes", b"init"))
    collection.save()
    collection.save()
    subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=collection.path, check=True, capture_output=True
    )
    said = (collection.path / "SHA256SUMS").read_text()
    assert f"{collection.manifest_sha256}  manifest.json\n" in said


def test_only_the_owner_can_read_it(collection: Collection, entry: Entry) -> None:
    keep(collection, entry("clock", b"now"))
    collection.save()
    for path in (collection.path.parent.parent, collection.path.parent, collection.path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in collection.path.iterdir()} == {0o600}


def test_a_new_directory_keeps_itself_out_of_git_and_an_old_one_is_left_alone(tmp_path: Path) -> None:
    Collection(tmp_path / "new" / "run" / "a", {}).create()
    Collection(tmp_path / "new" / "run" / "b", {}).create()
    assert (tmp_path / "new" / ".gitignore").read_text() == "*\n"
    Collection(tmp_path / "run" / "a", {}).create()
    assert not (tmp_path / ".gitignore").exists()


def test_hosts_that_are_collected_from_at_once_may_each_make_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "new"
    first, second = (Collection(base / "run" / host, {}) for host in ("host1", "host2"))
    looked_before = Path.exists

    def exists(path: Path) -> bool:
        there = looked_before(path)
        if path == base and not there:
            monkeypatch.setattr(Path, "exists", looked_before)
            first.create()
        return there

    monkeypatch.setattr(Path, "exists", exists)
    second.create()
    assert (base / "run" / "host1").is_dir()
    assert (base / "run" / "host2").is_dir()
    assert (base / ".gitignore").read_text() == "*\n"


def test_nothing_is_ever_overwritten(collection: Collection, entry: Entry, tmp_path: Path) -> None:
    check_free(collection.path)
    keep(collection, entry("clock", b"now"))
    with pytest.raises(BadInput, match="never overwritten"):
        Collection(collection.path, {}).create()
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(BadInput, match="never overwritten"):
        check_free(tmp_path / "link")


def test_a_file_planted_under_the_next_name_is_not_followed(
    collection: Collection, entry: Entry, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (collection.path / "001-clock.json").symlink_to(victim)
    with pytest.raises(FileExistsError):
        keep(collection, entry("clock", b"now"))
    assert victim.read_text() == "mine"


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="Not a directory"):
        Collection(tmp_path / "file" / "run" / "host", {}).create()


def test_a_full_filesystem_is_refused_with_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=100, f_frsize=1 << 20))
    check_room(tmp_path / "not" / "there", 60 << 20, 40 << 20)
    with pytest.raises(BadInput, match="100 MiB are free, and the collection may need 61 MiB beside 40 MiB"):
        check_room(tmp_path / "not" / "there", 61 << 20, 40 << 20)
