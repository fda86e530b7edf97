# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import tree as tree_module
from ansible_collections.firebreak.incident.plugins.module_utils.clients.tree import Tree, names_in


def never() -> bool:
    return False


def walked(tree: Tree) -> list[str]:
    return sorted(os.path.relpath(path, tree.root) for path, _status in tree)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c").write_text("x")
    (tmp_path / "z").write_text("x")
    return tmp_path


def test_everything_below_comes_once_and_a_directory_before_what_is_in_it(top: Path) -> None:
    tree = Tree(str(top) + "/", never, mounts=())
    paths = [os.path.relpath(path, top) for path, _status in tree]
    assert sorted(paths) == ["a", "a/b", "a/b/c", "z"]
    assert paths.index("a") < paths.index("a/b") < paths.index("a/b/c")
    assert tree.complete and not tree.unreadable and not tree.mounts


def test_links_are_listed_and_not_followed(top: Path) -> None:
    (top / "a/loop").symlink_to(top)
    (top / "dangling").symlink_to("/nowhere")
    assert walked(Tree(str(top), never, mounts=())) == ["a", "a/b", "a/b/c", "a/loop", "dangling", "z"]


def test_an_inode_with_several_names_comes_once(top: Path) -> None:
    os.link(top / "z", top / "a/other")
    found = set(walked(Tree(str(top), never, mounts=())))
    assert len(found & {"z", "a/other"}) == 1


def test_pipes_and_sockets_are_listed_and_not_opened(top: Path) -> None:
    os.mkfifo(top / "pipe")
    assert "pipe" in walked(Tree(str(top), never, mounts=()))


def test_names_that_are_no_text_are_kept(top: Path) -> None:
    (top / "new\nline").write_text("x")
    Path(os.fsdecode(os.fsencode(str(top)) + b"/\xff\x1b[31m")).mkdir()
    assert {"new\nline", "\udcff\x1b[31m"} <= set(walked(Tree(str(top), never, mounts=())))


def test_mounts_are_passed_over_directories_and_files_alike(top: Path) -> None:
    tree = Tree(str(top), never, mounts=[f"{top}/a/b", f"{top}/z", "/elsewhere"])
    assert walked(tree) == ["a"]
    assert sorted(tree.mounts) == [f"{top}/a/b", f"{top}/z"]


def test_another_filesystem_is_passed_over_even_if_no_mount_is_known() -> None:
    others = [str(path) for path in Path("/").iterdir() if path.name != "proc"]
    tree = Tree("/", never, skip=others, mounts=())
    assert not any(path.startswith("/proc") for path, _status in tree)
    assert tree.mounts == ["/proc"]


def test_what_is_to_be_skipped_is_left_out(top: Path) -> None:
    assert walked(Tree(str(top), never, skip=[f"{top}/a"], mounts=())) == ["z"]


def test_a_walk_without_time_says_so(top: Path) -> None:
    tree = Tree(str(top), lambda: True, mounts=())
    assert list(tree) == [] and not tree.complete


def test_the_time_is_asked_for_within_a_large_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_module, "_BATCH", 10)
    for number in range(100):
        (tmp_path / str(number)).touch()
    answers = iter([False, False, True])
    tree = Tree(str(tmp_path), lambda: next(answers), mounts=())
    assert len(list(tree)) == 20 and not tree.complete


def test_what_vanishes_meanwhile_is_left_out(top: Path) -> None:
    tree = Tree(str(top), never, mounts=())
    folders = tree.folders()
    next(folders)
    shutil.rmtree(top / "a")
    assert list(folders) == [] and tree.complete and not tree.unreadable


def test_a_directory_that_became_a_link_is_not_entered(top: Path) -> None:
    tree = Tree(str(top), never, mounts=())
    folders = tree.folders()
    next(folders)
    shutil.rmtree(top / "a")
    (top / "a").symlink_to("/etc")
    assert list(folders) == [] and not tree.unreadable


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[str]:
    """A directory whose path is longer than the kernel takes at once."""
    here = Path.cwd()
    os.chdir(tmp_path)
    for _level in range(60):
        Path("d" * 200).mkdir()
        os.chdir("d" * 200)
    Path("bottom").write_text("x")
    os.chdir(here)
    yield str(tmp_path)
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_a_tree_deeper_than_the_longest_path_is_walked_to_its_end(deep: str) -> None:
    tree = Tree(deep, never, mounts=())
    found = [path for path, _status in tree]
    assert len(found) == 61 and any(path.endswith("/bottom") for path in found) and not tree.unreadable


def test_directories_that_cannot_be_read_are_counted_and_the_first_named(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tree_module._open

    def refuse(path: str, directory: int = -1) -> int:
        if path.endswith("/a"):
            raise PermissionError(13, "Permission denied")
        return real(path, directory)

    monkeypatch.setattr(tree_module, "_open", refuse)
    tree = Tree(str(top), never, mounts=())
    assert walked(tree) == ["z"]
    assert (tree.unreadable, tree.first_unreadable) == (1, {f"{top}/a": "Permission denied"})


def test_a_root_that_is_not_there_is_an_error(top: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(Tree(f"{top}/nowhere", never, mounts=()))


def test_no_descriptor_is_left_open(top: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _entry in Tree(str(top), never, mounts=()):
        break
    list(Tree(str(top), never, mounts=()))
    assert sorted(names_in(str(top))) == ["a", "z"]
    assert len(list(Path("/proc/self/fd").iterdir())) == before
