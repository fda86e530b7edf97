# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.container_logs import ContainerLog
from ansible_collections.firebreak.incident.plugins.module_utils.clients.open_files import (
    Deleted,
    DeletedFile,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Space
from ansible_collections.firebreak.incident.plugins.module_utils.disk.inform import inform
from ansible_collections.firebreak.incident.plugins.module_utils.disk.judge import judge
from ansible_collections.firebreak.incident.plugins.module_utils.disk.model import (
    Area,
    Backups,
    Directory,
    Docker,
    File,
    Log,
    Place,
    Seen,
    Share,
    Snapshot,
    Usage,
    Volume,
    Wal,
)
from ansible_collections.firebreak.incident.plugins.module_utils.finding import Finding
from ansible_collections.firebreak.incident.plugins.module_utils.host.filesystems import Filesystem
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import GIB

NOW = 1_800_000_000.0
NUMBER = "0123456789ab" + "c" * 52
LOGFILE = f"/srv/docker/containers/{NUMBER}/{NUMBER}-json.log"
FULL = Space(100 * GIB, 0, 0, 1_000_000, 900_000)
ROOMY = Space(100 * GIB, 60 * GIB, 60 * GIB, 1_000_000, 900_000)


def place(room: Space, whole: bool = True, kind: str = "ext4") -> Place:
    return Place(Filesystem("/srv", kind, "/dev/sda1", room, False, False, "8:1"), ("/srv",), whole)


def seen(room: Space = FULL, logs: tuple[Log, ...] = (), kind: str = "ext4", **given: Any) -> Seen:
    used = room.total - room.free
    return Seen(place(room, kind=kind), replace(Usage(("/srv",), 1.0, bytes=used), **given), logs)


def snapshot(item: Seen, **given: Any) -> Snapshot:
    return replace(Snapshot(NOW, 20, (item,), Deleted()), **given)


def told(item: Seen, **given: Any) -> dict[str, Finding]:
    found = snapshot(item, **given)
    json.dumps(inform(found)[0])
    return {
        finding.id: finding
        for finding in judge(found)
        if finding.id.startswith("disk.") and finding.id != "disk.directory.large"
    }


def file(kind: str, size: int, path: str = "/srv/x", age: float = 3600.0) -> File:
    return File(path, kind, size, size, NOW - age, 1, 2)


def of(kind: str, size: int, age: str = "older") -> dict[str, Any]:
    return {"shares": (Share(kind, age, size, 1),), "biggest": (file(kind, size),)}


@pytest.mark.parametrize(
    ("kind", "expected", "levers"),
    [
        ("rotated_log", "disk.log.rotated_kept", ["compress"]),
        ("journal", "disk.journal.large", ["journal"]),
        ("package_cache", "disk.cache.large", ["caches"]),
        ("core", "disk.core.left", None),
        ("dump", "disk.dump.large", None),
        ("temporary", "disk.temporary.large", None),
    ],
)
def test_what_takes_much_is_a_cause_where_there_is_no_room(
    kind: str, expected: str, levers: list[str] | None
) -> None:
    [finding] = told(seen(**of(kind, 5 * GIB))).values()
    assert (finding.id, finding.level) == (expected, "warning")
    assert "5.0 GiB, 5 % of /srv" in finding.summary
    assert (finding.remedy.inputs if finding.remedy else None) == (
        {"path": "/srv", "levers": levers} if levers else None
    )
    assert told(seen(**of(kind, GIB))) == {}
    assert told(seen(ROOMY, **of(kind, 9 * GIB))) == {}
    assert told(seen(ROOMY, **of(kind, 10 * GIB)))[expected].level == "notice"


def log(size: int, grown: int = 0, rotated: bool = True, age: float = 3600.0, seconds: float = 2.0) -> Log:
    return Log(file("log", size, "/srv/app.log", age), grown, seconds, rotated)


def test_a_log_that_is_written_grows_and_one_that_is_not_may_be_forgotten() -> None:
    growing = told(seen(logs=(log(5 * GIB, grown=3 << 20),)))["disk.log.growing"]
    assert "grew by 3.0 MiB in 2.0 s" in growing.summary and "Nothing rotates" not in growing.summary
    assert set(told(seen(logs=(log(5 * GIB, age=10, rotated=False),)))) == {"disk.log.growing"}
    assert set(told(seen(logs=(log(5 * GIB, rotated=False),)))) == {"disk.log.unrotated"}
    assert told(seen(logs=(log(5 * GIB),))) == {}


def test_a_log_that_fills_the_rest_within_an_hour_is_told_while_there_is_room() -> None:
    fast = log(5 * GIB, grown=200 << 20, seconds=2.0)
    finding = told(seen(ROOMY, logs=(fast,)))["disk.log.growing"]
    assert finding.level == "warning" and "fills the rest in 10 min" in finding.summary
    assert told(seen(ROOMY, logs=(log(5 * GIB, grown=20 << 20),))) == {}
    assert told(seen(ROOMY, logs=(replace(fast, seconds=0.1),))) == {}


def container(size: int, limit: str = "") -> ContainerLog:
    return ContainerLog(NUMBER, "shop-web", LOGFILE, 1, 2, size, True, "", limit)


def test_a_containers_log_is_named_after_it_and_after_its_limit() -> None:
    item = seen(biggest=(file("container_log", 5 * GIB, LOGFILE),))
    found = told(item, docker=Docker(logs=(container(5 * GIB),)))["disk.container_log.large"]
    assert "container shop-web" in found.subject and "nothing limits it" in found.summary
    found = told(item, docker=Docker(logs=(container(5 * GIB, "3g"),)))["disk.container_log.large"]
    assert "may grow to 3g" in found.summary
    # The engine is down, which it may be because the disk is full.
    assert told(item)["disk.container_log.large"].subject == "log of container 0123456789ab"


def area(path: str, kind: str, size: int, name: str = "docker", waiting: int = 0) -> Area:
    return Area(path, kind, name, size, 10, waiting)


def test_what_containers_have_written_and_what_nobody_uses_is_told() -> None:
    areas = (
        area("/srv/overlay2", "container_layer", 30 * GIB),
        area("/srv/overlay2/a/diff", "container_layer", 5 * GIB),
        area("/srv/volumes/old/_data", "other", 6 * GIB),
        area("/srv/volumes/live/_data", "other", 7 * GIB),
    )
    docker = Docker(
        layers={"/srv/overlay2/a/diff": "shop-web"},
        volumes=(
            Volume("old", "/srv/volumes/old/_data", False),
            Volume("live", "/srv/volumes/live/_data", True),
        ),
        images_unused=4 * GIB,
        build_cache_unused=GIB,
    )
    found = told(seen(areas=areas), docker=docker)
    assert set(found) == {"disk.layer.large", "disk.volume.unused", "disk.images.unused"}
    assert "5.0 GiB" in found["disk.images.unused"].summary and found["disk.volume.unused"].remedy is None
    assert told(seen(), docker=docker) == {}


def test_backups_beyond_those_to_keep_are_told_where_they_lie() -> None:
    backups = Backups("/srv/backups", 7, 20, 50 * GIB, 1.0, 2.0, 13, 30 * GIB)
    assert "13 dumps beyond the 7" in told(seen(), backups=backups)["disk.backups.beyond_keep"].summary
    assert told(seen(), backups=replace(backups, directory="/elsewhere")) == {}
    assert told(seen(mounts=("/srv/backups",)), backups=backups) == {}


WAL = Wal("postgresql shop", 20 * GIB, GIB, (), {"failed_seconds_ago": None}, None)


@pytest.mark.parametrize(
    ("wal", "slots", "waiting", "said"),
    [
        (None, (), 900, "900 segments wait for the archiver: mend"),
        (None, ("standby1",), 0, "slot standby1 may keep it"),
        (None, (), 0, "neither a slot nor the archiver"),
        (
            replace(WAL, slots=({"name": "s1", "active": False, "retained_bytes": 19 * GIB},)),
            (),
            0,
            "slot s1, which nobody reads, keeps 19.0 GiB",
        ),
        (replace(WAL, archiver={"failed_seconds_ago": 600.0}), (), 900, "which failed 10 min ago"),
    ],
)
def test_what_keeps_wal_is_named_and_nobody_is_told_to_delete_it(
    wal: Wal | None, slots: tuple[str, ...], waiting: int, said: str
) -> None:
    item = seen(areas=(area("/srv/pg_wal", "wal", 20 * GIB, waiting=waiting),))
    finding = told(item, wal=wal, slots={"/srv/pg_wal": slots})["disk.wal.retained"]
    assert said in finding.summary and "Never remove anything" in finding.summary
    assert finding.remedy is None


def test_wal_within_its_size_is_no_cause() -> None:
    item = seen(areas=(area("/srv/pg_wal", "wal", 20 * GIB),))
    assert told(item, wal=replace(WAL, max_bytes=20 * GIB)) == {}


def test_who_has_the_inodes_is_told_where_there_are_none() -> None:
    crowded = (Directory("/srv/www/sessions", 10, 800_000, 10, 800_000), Directory("/srv/b", 1, 9, 1, 9))
    none = replace(ROOMY, inodes_available=0)
    finding = told(seen(none, crowded=crowded))["disk.inodes.eaten"]
    assert "800000 files, 80 %" in finding.summary and "sessions that nobody clears" in finding.summary
    assert told(seen(ROOMY, crowded=crowded)) == {}


def test_room_that_no_file_explains_is_told_with_what_may_hide_it() -> None:
    item = seen(bytes=80 * GIB, mounts=("/srv/data",))
    found = told(item)["disk.space.unaccounted"]
    assert "20.0 GiB, 20 % of /srv" in found.summary and "/srv/data" in found.summary
    held = DeletedFile("/srv/gone", "8:1", 19 * GIB, 1, "x", 1, "/srv")
    assert "disk.space.unaccounted" not in told(item, deleted=Deleted((held,)))
    assert "disk.space.unaccounted" not in told(replace(item, place=place(FULL, kind="overlay")))
    assert "disk.space.unaccounted" not in told(replace(item, place=place(FULL, whole=False)))
    for unsure in ({"complete": False}, {"unreadable": 1}):
        assert "disk.space.unaccounted" not in told(replace(item, usage=replace(item.usage, **unsure)))


def test_blocks_kept_for_root_are_told_where_they_would_help() -> None:
    kept = replace(FULL, free=5 * GIB)
    assert "5.0 GiB, 5 % of /srv" in told(seen(kept))["disk.space.reserved"].summary
    assert told(seen(replace(ROOMY, available=55 * GIB))) == {}


def test_what_was_not_seen_is_a_warning() -> None:
    assert told(seen(ROOMY, complete=False))["disk.walk.incomplete"].level == "warning"
    unreadable = seen(ROOMY, unreadable=3, first_unreadable={"/srv/a\n": "Permission denied"})
    assert r"/srv/a\n (Permission denied)" in told(unreadable)["disk.walk.unreadable"].summary
    found = told(seen(ROOMY), unseen={"docker": "no answer"}, deleted=Deleted(complete=False))
    assert {"docker", "open files"} == set(found["disk.part.unseen"].evidence)


def test_directories_of_one_filesystem_share_its_findings() -> None:
    one = Seen(place(FULL, whole=False), Usage(("/srv",), 1.0))
    two = replace(one, place=replace(one.place, roots=("/srv/b",)))
    found = [finding.id for finding in judge(replace(snapshot(one), seen=(one, two)))]
    assert found.count("host.filesystem.full") == 1


def test_a_name_chosen_to_fool_a_terminal_is_shown_escaped() -> None:
    name = "/srv/a\n\x1b[2J\udcff\u202e"
    found = told(seen(shares=(Share("dump", "day", 5 * GIB, 1),), biggest=(file("dump", 5 * GIB, name),)))
    assert r"/srv/a\n\x1b[2J\xff\u202e" in found["disk.dump.large"].summary
    item = seen(biggest=(file("dump", 5, name),), large=(Directory(name, 1, 1, 1, 1),))
    json.dumps(inform(snapshot(item))[0], ensure_ascii=False).encode("utf-8")
