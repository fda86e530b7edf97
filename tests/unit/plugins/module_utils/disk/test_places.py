# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Procfs, Space
from ansible_collections.firebreak.incident.plugins.module_utils.disk.model import Place
from ansible_collections.firebreak.incident.plugins.module_utils.disk.places import find_places
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.host.parts import Parts

ROOM = Space(total=1000, free=500, available=400, inodes=100, inodes_available=50)
NOTHING = Space(0, 0, 0, 0, 0)


class Host:
    """A kernel's account of mounts, of which those below `top` are real directories."""

    def __init__(self, top: Path, lines: list[tuple[str, str, str, str]]) -> None:
        self.asked: list[str] = []
        root = top / "proc"
        (root / "self").mkdir(parents=True)
        (root / "filesystems").write_text("nodev\ttmpfs\n\text4\n")
        number = top.stat().st_dev
        device = f"{number >> 8}:{number & 255}"
        (root / "self/mountinfo").write_text(
            "".join(
                f"1 1 {dev or device} {inside} {point} rw - {kind} /dev/x rw\n"
                for point, kind, dev, inside in lines
            )
        )
        self.procfs = Procfs(root=root, fstab=Path("/nowhere/fstab"))

    def space(self, point: str) -> Space:
        self.asked.append(point)
        return NOTHING if point == "/proc" else ROOM

    def places(self, *paths: str) -> tuple[Place, ...]:
        return find_places(paths, self.procfs, Parts(), self.space)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    for name in ("data", "data/sub", "again", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "data/file").write_text("x")
    return Host(
        tmp_path,
        [
            ("/", "ext4", "8:1", "/"),
            ("/proc", "proc", "0:5", "/"),
            ("/mnt/dead", "nfs4", "0:9", "/"),
            (f"{tmp_path}/data", "ext4", "", "/"),
            (f"{tmp_path}/again", "ext4", "", "/inside"),
        ],
    )


def test_without_paths_every_local_filesystem_is_a_place(host: Host, tmp_path: Path) -> None:
    found = host.places()
    assert [(place.name, place.whole) for place in found] == [("/", True), (f"{tmp_path}/data", True)]
    assert "/mnt/dead" not in host.asked and "/proc" not in host.asked


def test_a_part_of_the_filesystem_mounted_elsewhere_is_not_walked_twice(host: Host, tmp_path: Path) -> None:
    assert host.places(f"{tmp_path}/data")[0].roots == (f"{tmp_path}/data",)


def test_what_the_first_mount_does_not_show_of_a_filesystem_is_walked_too(tmp_path: Path) -> None:
    for name in ("home", "srv"):
        (tmp_path / name).mkdir()
    host = Host(
        tmp_path,
        [
            ("/", "ext4", "8:1", "/"),
            (f"{tmp_path}/home", "ext4", "", "/@home"),
            (f"{tmp_path}/srv", "ext4", "", "/@srv"),
        ],
    )
    assert host.places(f"{tmp_path}/home")[0].roots == (f"{tmp_path}/home", f"{tmp_path}/srv")


def test_a_directory_is_a_part_and_a_file_stands_for_its_filesystem(host: Host, tmp_path: Path) -> None:
    part, whole = host.places(f"{tmp_path}/data/sub/", f"{tmp_path}/data/file")
    assert (part.roots, part.whole) == ((f"{tmp_path}/data/sub",), False)
    assert (whole.name, whole.whole) == (f"{tmp_path}/data", True)


def test_links_in_a_path_are_resolved_and_a_place_is_looked_at_once(host: Host, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "data/sub")
    assert len(host.places(f"{tmp_path}/link", f"{tmp_path}/data/sub", f"{tmp_path}/data/../data/sub")) == 1


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("var/log", "not absolute"),
        ("/mnt/dead", "network"),
        ("/mnt/dead/x/../y", "network"),
        ("/proc", "takes no room"),
        ("/nowhere-at-all", "No such file"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(host: Host, path: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        host.places(path)
    assert "/mnt/dead" not in host.asked


def test_a_link_into_the_network_is_refused(host: Host, tmp_path: Path) -> None:
    (tmp_path / "away").symlink_to("/mnt/dead")
    with pytest.raises(BadInput, match="network"):
        host.places(f"{tmp_path}/away")
