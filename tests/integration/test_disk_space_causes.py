# SPDX-License-Identifier: GPL-3.0-or-later
"""What else than live logs fills a disk: an application that could not write can, or is told who must act."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firebreak_lab import Lab

from .conftest import module, postgres_cluster
from .disk_filesystem import FULL, ROOT, WORKING, Site, small_filesystem

DESTRUCTIVE = {"max_risk": "destructive"}
WAL, WAL_PORT = f"{ROOT}/pg_wal", 5504
# A reader that never came back, and what was written since.
SLOT = """
SELECT pg_create_physical_replication_slot('left_behind', true) IS NULL;
SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000)) IS NULL FROM generate_series(1, 20);
CHECKPOINT;
"""
CROWD = f"""
import os
os.mkdir("{ROOT}/sessions")
os.chdir("{ROOT}/sessions")
for number in range(1000000):
    os.mknod(f"sess_{{number}}")
"""


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Iterator[Site]:
    with small_filesystem(lab, tmp_path) as site:
        yield site


def test_package_caches_are_emptied(site: Site) -> None:
    apt = "/var/cache/apt"
    with site.holding(apt):
        site.sh(f"mkdir -p {apt}/archives/partial; head -c 12000000 /dev/zero > {apt}/archives/a_1_all.deb")
        site.fill()
        assert (site.answers(), site.room()) == (FULL, 0)
        done = site.clear()
        assert done["verdict"] == "resolved", done
        assert [act["action"] for act in done["actions"]] == ["disk.cache.clean"]
        assert (site.answers(), site.room() >= 11000000) == (WORKING, True)
        assert "a_1_all.deb" in site.sh("cat /var/lib/firebreak/manifests/*.jsonl")


def test_the_journal_is_cut_but_for_what_is_kept(site: Site) -> None:
    # Journald takes a tenth of it at most.
    site.sh(f"mount -o remount,size=200m {ROOT}")
    restart = "systemctl restart systemd-journald; journalctl --flush"
    try:
        with site.holding("/var/log/journal"):
            site.sh(restart)
            site.sh("head -c 12000000 /dev/urandom | base64 -w 1500 | systemd-cat -t fb; journalctl --sync")
            site.fill()
            assert (site.answers(), site.room()) == (FULL, 0)
            asked = {"levers": ["journal"], "journal_keep": "2m", **DESTRUCTIVE}
            kept = site.clear(security_incident="open", **asked)
            assert kept["failed"], kept
            assert "evidence" in kept["msg"]
            assert site.answers() == FULL
            done = site.clear(**asked)
            assert done["verdict"] in ("resolved", "improved"), done
            assert done["after"]["freed"] > 0
            assert site.answers() == WORKING
    finally:
        site.lab.run(site.host, ["bash", "-c", restart])


def test_a_container_s_log_is_cut_and_docker_logs_still_answers(lab: Lab, tmp_path: Path) -> None:
    with small_filesystem(lab, tmp_path, "matrixon1") as site:
        image = site.sh("docker inspect -f '{{.Config.Image}}' matrixon-cadvisor-1").strip()
        script = "trap exit TERM; yes line | head -c 1400000; while :; do echo more; sleep 0.1; done"
        create = f"docker create --name fb-disk --network none --entrypoint sh {image} -c '{script}'"
        lab.run(site.host, ["docker", "rm", "-f", "fb-disk"])
        try:
            place = f"/var/lib/docker/containers/{site.sh(create).strip()}"
            with site.holding(place):
                site.sh("docker start fb-disk")
                site.sh(f"until grep -q more {place}/*-json.log; do sleep 0.1; done")
                site.fill()
                assert (site.answers(), site.room()) == (FULL, 0)
                done = site.clear(levers=["container_logs"], **DESTRUCTIVE)
                assert done["verdict"] == "resolved", done
                assert [act["action"] for act in done["actions"]] == [
                    "disk.container_log.truncate",
                    "disk.container.restart",
                ]
                assert site.answers() == WORKING
                time.sleep(0.5)
                tail = lab.run(site.host, ["timeout", "5", "docker", "logs", "--tail", "1", "fb-disk"])
                assert tail.check("docker logs").stdout
                lab.run(site.host, ["docker", "rm", "-f", "fb-disk"])
        finally:
            lab.run(site.host, ["docker", "rm", "-f", "fb-disk"])


def test_logs_that_are_old_go_where_nothing_milder_gives_room(site: Site) -> None:
    site.sh(f"""cd {ROOT}/app
for days in 6 8 9 10 11 12 13; do
  head -c 2000000 /dev/urandom > app.log.$days.gz; touch -d "$days days ago" app.log.$days.gz
done""")
    site.fill()
    assert (site.answers(), site.room()) == (FULL, 0)
    failed = site.clear(log_roots=[ROOT])
    assert failed["failed"], failed
    (missing,) = [each for each in failed["findings"] if each["id"] == "disk.space.missing"]
    assert site.answers() == FULL
    done = site.clear(**missing["remedy"]["inputs"])
    assert done["verdict"] == "resolved", done
    assert [act["action"] for act in done["actions"]] == ["disk.logs.delete"]
    assert site.answers() == WORKING
    # A tenth is wanted: the three that are the oldest.
    assert site.sh(f"cd {ROOT}/app; ls *.gz | sort -V").split() == [f"app.log.{n}.gz" for n in (6, 8, 9, 10)]
    written = site.sh("cat /var/lib/firebreak/manifests/*.jsonl")
    assert all(f"app.log.{days}.gz" in written for days in (11, 12, 13))


def test_backups_but_for_the_newest_that_verify_go(site: Site) -> None:
    site.sh(f"""cd {ROOT}; mkdir -m 700 backups; cd backups
as="runuser -u postgres --"; fill="SELECT repeat('x', 1000) FROM generate_series(1, 3500)"
$as psql -qc "CREATE TABLE fb_disk AS $fill" postgres
$as pg_dump -Fc -Z0 postgres > /run/fb-dump; $as psql -qc "DROP TABLE fb_disk" postgres
for day in 10 11 12 13 14; do
  name=shop-202611${{day}}T030000Z.dump; cp /run/fb-dump $name; touch -d "2026-11-$day 03:05 UTC" $name
done
name=shop-20261115T030000Z.dump; head -c 900 /run/fb-dump > $name; touch -d '2026-11-15 03:05 UTC' $name
head -c 3000000 /dev/zero > unknown.bin; echo "--" > backup-20260101.dump""")
    site.fill()
    assert (site.answers(), site.room()) == (FULL, 0)
    backup = {"directory": f"{ROOT}/backups", "keep": 2}
    asked = {"levers": ["backups"], "backup": backup, "free": "20%", **DESTRUCTIVE}
    planned = site.clear("--check", **asked)
    assert len(planned["actions"]) == 3, planned
    assert site.answers() == FULL
    done = site.clear(**asked)
    assert [act["status"] for act in done["actions"]] == ["done"] * 3, done
    assert done["verdict"] == "resolved"
    assert site.answers() == WORKING
    assert site.sh(f"ls {ROOT}/backups").split() == [
        "backup-20260101.dump",
        "shop-20261113T030000Z.dump",
        "shop-20261114T030000Z.dump",
        "shop-20261115T030000Z.dump",
        "unknown.bin",
    ]


def test_a_slot_that_nobody_reads_is_named_and_left_to_who_may_drop_it(site: Site) -> None:
    settings = "-c fsync=off -c min_wal_size=2MB -c max_wal_size=4MB"
    words = f"--wal-segsize=1 --waldir={WAL}"
    site.sh(f"install -d -o postgres {WAL}")
    with postgres_cluster(site.lab, "/var/lib/postgresql/fb-disk", WAL_PORT, SLOT, settings, words):
        segments = site.sh(f"ls {WAL}")
        site.fill()
        assert (site.answers(), site.room()) == (FULL, 0)
        server = {"socket": "/var/run/postgresql", "port": WAL_PORT}
        seen = module(site.host, "disk_space_info", paths=[ROOT], postgres=server)
        (wal,) = [each for each in seen["findings"] if each["id"] == "disk.wal.retained"]
        assert wal["evidence"]["path"] == WAL and wal["evidence"]["bytes"] > 20_000_000, wal
        assert "slot left_behind, which nobody reads, keeps" in wal["summary"]
        assert wal["remedy"] is None
        failed = site.clear(levers=["compress", "old_logs"], log_roots=[ROOT], older_than="1h", **DESTRUCTIVE)
        assert (failed["failed"], site.sh(f"ls {WAL}")) == (True, segments), failed
        assert site.answers() == FULL
        # As the finding says.
        psql = f"cd /; runuser -u postgres -- psql -qX -p {WAL_PORT}"
        site.sh(f"{psql} -c \"SELECT pg_drop_replication_slot('left_behind')\" -c CHECKPOINT")
        assert site.answers() == WORKING


def test_a_million_small_files_that_use_up_the_inodes_are_counted(site: Site) -> None:
    site.sh(f"rm {ROOT}/app/requests.log; mount -o remount,nr_inodes=1000003 {ROOT}")
    site.lab.run(site.host, ["python3", "-"], input=CROWD).check("a million files")
    assert site.answers() == FULL
    seen = module(site.host, "disk_space_info", paths=[ROOT])
    (found,) = seen["filesystems"]
    walk, crowd = found["walk"], found["inode_directories"][0]
    assert walk["complete"] and not walk["unreadable"], walk
    assert (walk["files"], walk["directories"]) == (1_000_000, 3)
    assert (crowd["path"], crowd["entries"]) == (f"{ROOT}/sessions", 1_000_001)
    (eaten,) = [each for each in seen["findings"] if each["id"] == "disk.inodes.eaten"]
    assert eaten["evidence"]["path"] == f"{ROOT}/sessions" and "sessions that nobody" in eaten["summary"]
    site.sh(f"rm {ROOT}/sessions/sess_0")
    assert site.answers() == WORKING
