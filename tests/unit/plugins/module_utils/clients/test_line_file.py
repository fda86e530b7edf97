# SPDX-License-Identifier: GPL-3.0-or-later
"""One line changed, the file otherwise untouched."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.line_file import (
    Edit,
    edited,
    read,
    replace,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import (
    FirebreakError,
    IdentityChanged,
    Unreachable,
)

TEXT = "one\ntwo\r\nthree"


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (Edit("f", 2, "two", None), "one\nthree"),
        (Edit("f", 2, "two", "zwei"), "one\nzwei\r\nthree"),
        (Edit("f", 2, None, "new"), "one\nnew\ntwo\r\nthree"),
        (Edit("f", 9, None, "last"), "one\ntwo\r\nthree\nlast\n"),
        (Edit("f", 1, "three", None), "one\ntwo\r\n"),
    ],
)
def test_a_line_is_changed_and_the_others_keep_their_endings(edit: Edit, expected: str) -> None:
    assert edited(TEXT, edit) == expected


@pytest.mark.parametrize(
    "edit", [Edit("f", 2, "gone", None), Edit("f", 2, "gone", "two"), Edit("f", 1, None, "two")]
)
def test_an_edit_that_is_done_already_changes_nothing(edit: Edit) -> None:
    assert edited(TEXT, edit) == TEXT


def test_a_line_that_reads_otherwise_now_is_refused() -> None:
    with pytest.raises(IdentityChanged, match="no longer stands there"):
        edited(TEXT, Edit("f", 2, "gone", "else"))


def test_of_two_equal_lines_elsewhere_none_is_guessed() -> None:
    with pytest.raises(IdentityChanged):
        edited("a\nsame\nsame\n", Edit("f", 1, "same", None))
    assert edited("a\nsame\nsame\n", Edit("f", 3, "same", None)) == "a\nsame\n"


@pytest.mark.parametrize("edit", [Edit("f", 2, "two", None), Edit("f", 2, "two", "zwei")])
def test_the_reverse_puts_the_line_back(edit: Edit) -> None:
    text = "one\ntwo\nthree\n"
    assert edited(edited(text, edit), edit.reverse) == text


def test_mode_owner_and_symbolic_link_survive(tmp_path: Path) -> None:
    target, link = tmp_path / "real", tmp_path / "link"
    target.write_bytes(b"caf\xe9\n")
    target.chmod(0o640)
    link.symlink_to(target)
    replace(str(link), read(str(link)) + "more\n")
    assert link.is_symlink()
    assert target.read_bytes() == b"caf\xe9\nmore\n"
    assert target.stat().st_mode & 0o777 == 0o640
    assert {path.name for path in tmp_path.iterdir()} == {"real", "link"}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="missing"):
        read(str(tmp_path / "missing"))
    with pytest.raises(FirebreakError, match="The file is as it was"):
        replace(str(tmp_path / "nowhere" / "file"), "x")


@pytest.mark.parametrize("step", ["fsync", "chown"])
def test_a_full_disk_leaves_the_old_file_whole_and_nothing_beside_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str
) -> None:
    def full(*_words: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "hosts.deny"
    path.write_text("sshd: 192.0.2.1\n")
    monkeypatch.setattr(os, step, full)
    cure = f"hosts.deny: No space left on device.*as it was.*{tmp_path} is writable and has room"
    with pytest.raises(FirebreakError, match=cure):
        replace(str(path), "")
    assert path.read_text() == "sshd: 192.0.2.1\n"
    assert list(tmp_path.iterdir()) == [path]
