# SPDX-License-Identifier: GPL-3.0-or-later
"""Every byte of a filesystem is attributed, by a walk that changes nothing and is surprised by nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from firebreak_lab import Lab

from .conftest import module

HOST, POINT = "zekka1", "/mnt/firebreak-disk"
NUMBER = "0123456789ab" + "c" * 52
# 64 MiB with everything that is known to fill disks, each of it large enough to matter.
FILL = f"""
cd {POINT}
mkdir -p app logs cache/apt/archives db log/journal/0 below docker/containers/{NUMBER} main/pg_replslot/reader
mkdir -p main/pg_wal/archive_status uploads
take() {{ head -c "$2" /dev/zero > "$1"; }}
take logs/app.log 8000000
take logs/web.log 3000000; take logs/web.log.1 2000000; take logs/web.log-20260101.gz 1500000
touch -d '3 days ago' logs/web.log; touch -d '40 days ago' logs/web.log.1 logs/web.log-20260101.gz
take logs/lonely.log 2500000; touch -d '2 days ago' logs/lonely.log
take cache/apt/archives/big_1.0_amd64.deb 3000000
for day in 01 02 03 04; do take db/shop-202601${{day}}T030000Z.sql 1500000; done
take log/journal/0/system.journal 2000000
take app/core.4242 2000000
take docker/containers/{NUMBER}/{NUMBER}-json.log 2500000
take main/pg_wal/000000010000000000000001 2000000
touch main/pg_wal/archive_status/00000001000000000000000{{1,2,3}}.ready
truncate -s 1G app/sparse
take app/one 3000000; ln app/one app/two
take "app/$(printf 'new\\nline\\033[31m\\377')" 1000000
take below/hidden 4000000
mkfifo app/pipe; mknod app/null c 1 3; ln -s . app/loop; ln -s /etc app/away
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("app/socket")'
mount -t tmpfs -o size=4m tmpfs below; head -c 1000000 /dev/zero > below/elsewhere
mkdir -p app/again; mount --bind uploads app/again; head -c 700000 /dev/zero > uploads/photo
head -c 100m /dev/zero > app/rest 2> /dev/null || true
"""
HOLDER = """
mkdir $0/logs; exec 3> $0/logs/gone.log; head -c 5000000 /dev/zero >&3; rm $0/logs/gone.log; exec sleep 600
"""
UNIT = ["systemd-run", "-q", "--collect", "--unit", "lab-disk", "bash", "-c"]
# After this, whoever reads a directory without care leaves a new time of access.
LIST = f"""
find {POINT} -path {POINT}/db -prune -o -print0 > /run/lab-disk.list; sleep 0.1
find {POINT} -type d -print0 | xargs -0 touch -m
"""
STATE = "xargs -0 stat --printf '%n %i %s %b %X %Y %Z %x\\n' < /run/lab-disk.list | sha256sum"


def run(lab: Lab, script: str) -> str:
    done = lab.run(HOST, ["bash", "-ec", script])
    done.check(script)
    return done.stdout


def mount(lab: Lab, options: str) -> None:
    run(lab, f"umount -R {POINT} 2> /dev/null || true; mkdir -p {POINT}")
    run(lab, f"mount -t tmpfs -o {options} tmpfs {POINT}")


@pytest.fixture
def point(lab: Lab) -> Iterator[str]:
    yield POINT
    clear = f"umount -R {POINT}; rmdir {POINT}; rm -f /run/lab-disk.list"
    lab.run(HOST, ["bash", "-c", f"systemctl stop lab-disk 2> /dev/null; {clear}"])


def ids(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {finding["id"]: finding for finding in result["findings"]}


def test_every_cause_of_a_full_filesystem_is_named_and_all_bytes_are_accounted_for(
    lab: Lab, point: str
) -> None:
    mount(lab, "size=64m,nr_inodes=2000")
    lab.run(HOST, [*UNIT, HOLDER, POINT]).check("holding a file")
    descriptors = "/proc/$(systemctl show -P MainPID lab-disk)/fd"
    run(lab, f"until ls -l {descriptors} | grep -q deleted; do sleep .1; done; {FILL}")
    before = run(lab, LIST + STATE)
    result = module(
        HOST, "disk_space_info", paths=[point], backup={"directory": f"{point}/db", "keep": 2}, top=50
    )
    assert not result["failed"] and not result["changed"], result
    assert run(lab, STATE) == before
    du, used, available = run(
        lab,
        f"du -sx --block-size=1 {point} | cut -f1; df --block-size=1 --output=used,avail {point} | tail -1",
    ).split()
    [found] = result["filesystems"]
    walk, taken = found["walk"], {file["path"]: file["bytes"] for file in found["files"]}
    assert (found["used"], found["available"]) == (int(used), int(available))
    # du enters the directory that is mounted a second time.
    photo = taken[f"{point}/uploads/photo"]
    assert walk["bytes"] == int(du) - photo
    gone = found["deleted_open"]
    assert gone["files"][0]["path"] == f"{point}/logs/gone.log" and gone["bytes"] >= 5_000_000
    hidden = found["unaccounted"]["bytes"]
    assert 4_000_000 <= hidden < 4_200_000
    assert walk["bytes"] + gone["bytes"] + hidden == found["used"]
    assert sorted(walk["mounts"]) == [f"{point}/app/again", f"{point}/below"]
    assert walk["complete"] and not walk["unreadable"]
    assert walk["sparse_files"] == 1 and walk["apparent_bytes"] > 1 << 30
    assert len({f"{point}/app/one", f"{point}/app/two"} & set(taken)) == 1
    assert rf"{point}/app/new\nline\x1b[31m\xff" in taken
    assert f"{point}/app/sparse" not in taken and f"{point}/below/elsewhere" not in taken
    told = ids(result)
    assert {
        "host.filesystem.full",
        "host.disk.deleted_open",
        "disk.log.growing",
        "disk.log.unrotated",
        "disk.log.rotated_kept",
        "disk.journal.large",
        "disk.cache.large",
        "disk.core.left",
        "disk.dump.large",
        "disk.backups.beyond_keep",
        "disk.container_log.large",
        "disk.wal.retained",
        "disk.space.unaccounted",
        "disk.directory.large",
    } == set(told)
    assert told["host.filesystem.full"]["level"] == "critical"
    assert f"{point}/logs/app.log" in told["disk.log.growing"]["summary"]
    assert "sleep" in told["host.disk.deleted_open"]["summary"]
    assert "2 dumps beyond the 2" in told["disk.backups.beyond_keep"]["summary"]
    assert "3 segments wait" in told["disk.wal.retained"]["summary"]
    assert told["disk.wal.retained"]["remedy"] is None
    assert told["disk.journal.large"]["remedy"]["inputs"] == {"path": point, "levers": ["journal"]}
    assert f"{point}/below" in told["disk.space.unaccounted"]["summary"]
    types = found["types"]
    assert types["log"]["files"] == 3 and types["rotated_log"]["bytes"] >= 3_500_000
    assert sum(one["files"] for one in types.values()) == walk["files"]
    assert found["ages"]["older"]["files"] == 2
    # One directory of it, and all figures are of what is below.
    part = module(HOST, "disk_space_info", paths=[f"{point}/logs/"])["filesystems"][0]
    assert not part["whole"] and part["unaccounted"]["bytes"] is None
    du = run(lab, f"du -sx --block-size=1 {point}/logs | cut -f1")
    assert part["walk"]["bytes"] == int(du) and part["deleted_open"]["bytes"] == gone["bytes"]


def test_what_uses_up_the_inodes_is_named(lab: Lab, point: str) -> None:
    mount(lab, "size=64m,nr_inodes=3000")
    run(lab, f"mkdir -p {point}/www/sessions {point}/other; cd {point}/www/sessions; touch sess_{{1..2500}}")
    run(lab, f"cd {point}/other; touch {{1..600}} 2> /dev/null || true")
    result = module(HOST, "disk_space_info", paths=[point])
    told = ids(result)
    assert told["host.filesystem.inodes"]["level"] == "critical"
    assert told["host.filesystem.inodes"]["remedy"]["inputs"] == {"path": point}
    first = next(finding for finding in result["findings"] if finding["id"] == "disk.inodes.eaten")
    assert first["evidence"]["path"] == f"{point}/www/sessions" and "sessions that nobody" in first["summary"]
    [found] = result["filesystems"]
    assert found["inodes_available"] == 0
    assert found["walk"]["files"] + found["walk"]["directories"] == found["inodes_used"] == 3000


def test_a_tree_that_is_deep_crowded_and_changes_while_it_is_walked(lab: Lab, point: str) -> None:
    mount(lab, "size=512m,nr_inodes=500000")
    run(lab, f"mkdir {point}/crowd {point}/deep; cd {point}/crowd; seq 200000 | xargs touch")
    run(
        lab,
        f"cd {point}/deep; python3 -c 'import os\nfor level in range(600):\n"
        f' os.mkdir("directory-{{}}".format(level)); os.chdir("directory-{{}}".format(level))\n'
        f'open("bottom", "wb").write(bytes(1000000))\'',
    )
    du = int(run(lab, f"du -sx --block-size=1 {point} | cut -f1"))
    churn = (
        "while :; do for n in {1..50}; do echo x > $0/c$n; mkdir -p $0/d$n/e; done; rm -rf $0/c* $0/d*; done"
    )
    run(lab, f"mkdir {point}/churn")
    lab.run(HOST, [*UNIT, churn, f"{point}/churn"]).check("changing files")
    result = module(HOST, "disk_space_info", paths=[point], timeout="30s")
    run(lab, "systemctl stop lab-disk")
    assert not result["failed"], result
    walk = result["filesystems"][0]["walk"]
    assert walk["complete"] and not walk["unreadable"]
    assert abs(walk["bytes"] - du) < 2_000_000 and walk["files"] >= 200_001 and walk["directories"] >= 603
    crowd = result["filesystems"][0]["inode_directories"][0]
    assert (crowd["path"], crowd["entries"]) == (f"{point}/crowd", 200_001)
    # Too little time: what was seen by then, and that it is not all.
    cut = module(HOST, "disk_space_info", paths=[point], timeout="1s")
    told = ids(cut)
    if not cut["filesystems"][0]["walk"]["complete"]:
        assert "time was over" in told["disk.walk.incomplete"]["summary"]


def test_an_ordinary_user_is_told_what_was_not_seen(lab: Lab, point: str) -> None:
    mount(lab, "size=64m")
    run(
        lab, f"chmod 755 {point}; mkdir -m 700 {point}/private; head -c 1000000 /dev/zero > {point}/private/x"
    )
    result = module(HOST, "disk_space_info", "-e", "ansible_become=false", paths=[point])
    walk, told = result["filesystems"][0]["walk"], ids(result)
    assert walk["unreadable"] == 1 and f"{point}/private" in told["disk.walk.unreadable"]["summary"]
    assert "disk.space.unaccounted" not in told and "root" in told["disk.part.unseen"]["summary"]


def test_paths_that_cannot_be_looked_at_are_refused(lab: Lab) -> None:
    for path, said in (("var", "not absolute"), ("/nowhere", "No such file"), ("/proc/sys", "takes no room")):
        result = module(HOST, "disk_space_info", paths=[path])
        assert result["failed"] and said in result["msg"], result


@pytest.mark.parametrize("host", ["zekka1", "matrixon1"])
def test_a_healthy_host_has_nothing_to_complain_of(lab: Lab, host: str) -> None:
    result = module(host, "disk_space_info", backup={"directory": "/var/backups"})
    assert not result["failed"] and not result["unseen"]
    assert [finding for finding in result["findings"] if finding["level"] != "notice"] == []
    root = result["filesystems"][0]
    assert root["point"] == "/" and root["unaccounted"]["bytes"] is None
    roots = " ".join(root["walk"]["roots"])
    du = lab.run(host, ["bash", "-c", f"du -xsc --block-size=1 {roots} | tail -1 | cut -f1"]).stdout
    assert abs(root["walk"]["bytes"] - int(du)) < 20_000_000
    journal = lab.run(host, ["bash", "-c", "du -s --block-size=1 /var/log/journal | cut -f1"]).stdout
    assert abs(result["journal"]["directories"]["/var/log/journal"] - int(journal)) < 10_000_000
    if host == "matrixon1":
        docker = result["docker"]
        logs = {log["container"]: log for log in docker["logs"]}
        taken = lab.run(host, ["stat", "-c", "%b %B", logs["matrixon-nginx"]["path"]]).stdout.split()
        assert abs(logs["matrixon-nginx"]["bytes"] - int(taken[0]) * int(taken[1])) < 1_000_000
        assert {layer["container"] for layer in docker["layers"]} >= {"matrixon-nginx", "matrixon-postgres"}
        assert all(layer["bytes"] is not None for layer in docker["layers"])
        assert {volume["name"] for volume in docker["volumes"]} >= {"matrixon_postgres-data"}
        assert docker["images_bytes"] > 100_000_000
        assert any("/volumes/matrixon_postgres-data/" in wal["path"] for wal in result["wal"])
