# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.open_files import (
    Deleted,
    DeletedFile,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Mount, Procfs, Space
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.host import filesystems
from ansible_collections.firebreak.incident.plugins.module_utils.host.filesystems import (
    Filesystem,
    deleted_on,
    filesystems_of,
    local_mounts,
)
from ansible_collections.firebreak.incident.plugins.module_utils.host.parts import Parts

REAL = Procfs(root=Path(__file__).parents[3] / "fixtures" / "triage" / "proc", fstab=Path("/nowhere/fstab"))
BLOCK = frozenset({"ext4", "xfs", "fuseblk", "squashfs"})
RW = frozenset({"rw"})
ROOM = Space(total=1000, free=500, available=400, inodes=100, inodes_available=50)


def mount(point: str, kind: str = "ext4", device: str = "8:1") -> Mount:
    return Mount(point, kind, "/dev/x", device, RW, RW)


@dataclass
class Disks:
    """Answers for every path and notes which were asked."""

    broken: str = ""

    def __post_init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, point: str) -> Space:
        self.asked.append(point)
        if point == self.broken:
            raise Unreachable(f"filesystem {point}", "Input/output error", "Look at the disk.")
        return replace(ROOM, total=ROOM.total + len(self.asked))


def test_nothing_that_may_hang_is_ever_asked() -> None:
    disks = Disks()
    filesystems_of(REAL, Parts(), disks)
    assert disks.asked == ["/", "/dev/shm", "/etc/hosts", "/pool", "/run", "/srv/with space"]


def test_the_disk_below_a_containers_root_is_not_told_twice() -> None:
    found = filesystems_of(REAL, Parts(), lambda _point: ROOM)
    assert [filesystem.point for filesystem in found] == ["/"]


def test_a_filesystem_that_stopped_itself_is_told_from_one_meant_to_be_read_only() -> None:
    found = {item.point: item for item in filesystems_of(REAL, Parts(), Disks())}
    assert found["/srv/with space"].remounted
    assert not found["/"].remounted
    assert not found["/"].read_only


def test_an_administrators_remount_is_held_against_fstab(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    line = "30 1 8:1 / /data ro,relatime - ext4 /dev/sda1 ro\n"
    (tmp_path / "self" / "mountinfo").write_text(line)
    (tmp_path / "filesystems").write_text("\text4\n")
    fstab = tmp_path / "fstab"
    for options, remounted in (("defaults", True), ("ro,noatime", False)):
        fstab.write_text(f"/dev/sda1 /data ext4 {options} 0 2\n")
        (found,) = filesystems_of(Procfs(root=tmp_path, fstab=fstab), Parts(), lambda _point: ROOM)
        assert (found.read_only, found.remounted) == (True, remounted)


def test_one_broken_filesystem_does_not_hide_the_others() -> None:
    parts = Parts()
    found = filesystems_of(REAL, parts, Disks(broken="/pool"))
    assert "/run" in [filesystem.point for filesystem in found]
    assert "Input/output error" in parts.unseen["filesystem /pool"]


def test_each_filesystem_once_at_its_shortest_mount_point() -> None:
    mounts = [mount("/var/lib/docker"), mount("/"), mount("/home", device="8:2")]
    assert [item.point for item in local_mounts(mounts, BLOCK)] == ["/", "/home"]


def test_what_is_hidden_by_a_later_mount_is_not_asked() -> None:
    mounts = [mount("/data"), mount("/data", kind="nfs4", device="0:9")]
    assert local_mounts(mounts, BLOCK) == []
    assert [item.device for item in local_mounts([mounts[1], mounts[0]], BLOCK)] == ["8:1"]


@pytest.mark.parametrize(
    ("path", "device", "expected"),
    [
        ("/var/log/app.log", "8:1", "/var"),
        ("/tmp/x", "0:50", "/var"),
        ("/srv/pool/x", "0:99", "/srv"),
        ("/nowhere/x", "0:98", None),
    ],
    ids=["a disk", "in a container", "a volume of a pool", "not looked at"],
)
def test_a_deleted_file_takes_room_where_it_lies(
    monkeypatch: pytest.MonkeyPatch, path: str, device: str, expected: str | None
) -> None:
    mounts = (
        mount("/var"),
        replace(
            mount("/var/lib/docker/overlay2/a/merged", "overlay", "0:50"),
            super_options=frozenset({"rw", "upperdir=/var/lib/docker/overlay2/a/diff"}),
        ),
        mount("/srv", "btrfs", "0:30"),
        mount("/home", "nfs4", "0:31"),
    )
    remote: list[str] = []

    def found(_procfs: Procfs, _over: object, away: list[str]) -> Deleted:
        remote.extend(away)
        return Deleted((DeletedFile(path, device, 4096, 7),))

    monkeypatch.setattr(Procfs, "mounts", lambda _self: mounts)
    monkeypatch.setattr(filesystems, "deleted_files", found)
    looked_at = [
        Filesystem("/var", "ext4", "/dev/x", ROOM, False, False, "8:1"),
        Filesystem("/srv", "btrfs", "/dev/x", ROOM, False, False, "0:30"),
    ]
    seen = deleted_on(REAL, looked_at, lambda: False)
    assert [file.point for file in seen.files] == ([expected] if expected else [])
    assert remote == ["/home"]
