# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.git import checkout

OLD, NEW = "a" * 40, "b" * 40
LOG = (
    f"{'0' * 40} {OLD} Alice <alice@zekka.example> 1795300000 +0000\tclone: from https://git.example/app\n"
    f"{OLD} {NEW} Bob B. <bob@zekka.example> 1795310000 +0100\tcheckout: moving from main to v1.2.3\n"
)


def repository(directory: Path, head: str = f"{NEW}\n", log: str | None = LOG) -> Path:
    (directory / ".git" / "logs").mkdir(parents=True)
    (directory / ".git" / "HEAD").write_text(head)
    if log is not None:
        (directory / ".git" / "logs" / "HEAD").write_text(log)
    return directory


def test_the_last_moves_of_head_are_read_with_who_and_when(tmp_path: Path) -> None:
    found = checkout(str(repository(tmp_path)))
    assert found is not None
    assert (found.branch, found.commit) == (None, NEW)
    last = found.moves[-1]
    assert (last.time, last.old, last.new, last.who) == (1795310000.0, OLD, NEW, "Bob B.")
    assert last.subject == "checkout: moving from main to v1.2.3"
    assert len(found.moves) == 2


def test_on_a_branch_the_commit_is_that_of_the_last_move(tmp_path: Path) -> None:
    found = checkout(str(repository(tmp_path, "ref: refs/heads/main\n")))
    assert found is not None
    assert (found.branch, found.commit) == ("main", NEW)


def test_a_work_tree_of_another_repository_is_followed(tmp_path: Path) -> None:
    repository(tmp_path / "main")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / ".git").write_text("gitdir: ../main/.git\n")
    found = checkout(str(tmp_path / "tree"))
    assert found is not None
    assert found.commit == NEW


@pytest.mark.parametrize("log", [None, "", "garbage\n", f"{OLD} {NEW} x\n", "\0\0\xff\n"])
def test_without_a_log_only_what_is_checked_out_is_known(tmp_path: Path, log: str | None) -> None:
    found = checkout(str(repository(tmp_path, log=log)))
    assert found is not None
    assert (found.commit, found.moves) == (NEW, ())


def test_of_a_long_log_the_end_is_read(tmp_path: Path) -> None:
    found = checkout(str(repository(tmp_path, log=LOG * 2000)))
    assert found is not None
    assert found.moves[-1].new == NEW
    assert len(found.moves) < 1000


def test_what_is_no_work_tree_is_none(tmp_path: Path) -> None:
    assert checkout(str(tmp_path)) is None
    (tmp_path / ".git").write_text("nonsense")
    assert checkout(str(tmp_path)) is None
