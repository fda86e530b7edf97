# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.persistence import look
from ansible_collections.firebreak.incident.plugins.module_utils.persistence.look import (
    expand,
    item_at,
    read,
    text_of,
)


def test_hidden_files_and_folders_in_between_are_expanded(tmp_path: Path) -> None:
    for name in ("a.d/x.conf", ".b.d/.y.conf", "c/z.conf", "a.d/x.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    found = [path[len(str(tmp_path)) :] for path in expand(f"{tmp_path}/*.d/*.conf")]
    assert found == ["/.b.d/.y.conf", "/a.d/x.conf"]
    assert list(expand(f"{tmp_path}/nothing")) == list(expand(f"{tmp_path}/nothing/*")) == []


def test_a_file_is_read_with_its_checksum(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"caf\xe9\n")
    item = item_at("cron", str(path))
    assert item is not None
    found = read(item)
    assert found.sha256 == hashlib.sha256(b"caf\xe9\n").hexdigest()
    assert found.text == "caf\udce9\n"


def test_links_pipes_and_folders_are_neither_followed_nor_waited_for(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    link = item_at("cron", str(tmp_path / "link"))
    assert link is not None
    assert link.detail == {"link": "/etc/passwd"}
    assert read(link).sha256 == ""
    assert item_at("cron", str(tmp_path / "pipe")) is None
    assert item_at("cron", str(tmp_path)) is None
    assert text_of(str(tmp_path / "link")) == text_of(str(tmp_path / "pipe")) == text_of("\0") == ""


def test_what_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_text("x" * 100)
    monkeypatch.setattr(look, "HASH_LIMIT", 99)
    item = item_at("cron", str(path))
    assert item is not None
    assert read(item).sha256 == ""


def test_of_a_program_only_the_checksum_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\x7fELF\0\0curl x | sh")
    item = item_at("suid", str(path))
    assert item is not None
    assert read(item).text == ""
