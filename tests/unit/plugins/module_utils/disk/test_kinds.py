# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.disk.kinds import (
    KINDS,
    NOTHING,
    context_of,
    kind_of,
    settles,
)

NUMBER = "0123456789ab" + "c" * 52


def kind_of_path(path: str) -> str:
    """As a walk comes to it, from one directory into the next."""
    parts, context = path.split("/"), NOTHING
    for end in range(2, len(parts)):
        context = context_of("/".join(parts[:end]), context)
    return kind_of(parts[-1], context)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/var/log/syslog", "log"),
        ("/var/log/nginx/access.log", "log"),
        ("/var/log/syslog.1", "rotated_log"),
        ("/var/log/syslog.2.gz", "rotated_log"),
        ("/var/log/messages-20261122", "rotated_log"),
        ("/var/log/Xorg.0.log.old", "rotated_log"),
        ("/opt/zekka/logs/app.log", "log"),
        ("/opt/zekka/logs/app.log.1", "rotated_log"),
        ("/opt/zekka/app.log.2026-11-22", "rotated_log"),
        ("/opt/zekka/app-2026-11-22.log.gz", "rotated_log"),
        ("/opt/zekka/app-2026-11-22.log", "rotated_log"),
        ("/opt/zekka/app.log.gz", "rotated_log"),
        ("/opt/zekka/stdout.err", "log"),
        ("/usr/share/man/man1/ls.1.gz", "other"),
        ("/usr/lib/libz.so.1", "other"),
        ("/usr/lib/libz.so.1.2.13", "other"),
        ("/usr/share/doc/x/changelog.gz", "other"),
        ("/var/backups/zekka/shop-20261122T030000Z.dump", "dump"),
        ("/var/backups/zekka/all.sql.gz", "dump"),
        ("/root/site.tar.gz", "dump"),
        ("/root/site.TGZ.zip", "dump"),
        ("/srv/backup/disk.img", "dump"),
        ("/home/x/java_pid1.hprof", "dump"),
        ("/var/lib/systemd/coredump/core.node.1000.zst", "core"),
        ("/srv/app/core.4242", "core"),
        ("/srv/app/core", "core"),
        ("/srv/app/core.js", "other"),
        ("/srv/app/core/index", "other"),
        ("/var/crash/x.crash", "core"),
        ("/var/log/journal/0c09/system.journal", "journal"),
        ("/run/log/journal/0c09/user-1000@x.journal~", "journal"),
        ("/var/cache/apt/archives/nginx_1.22.deb", "package_cache"),
        ("/var/lib/apt/lists/deb_Packages", "package_cache"),
        ("/root/.cache/pip/http/a/b", "package_cache"),
        ("/home/node/.npm/_cacache/content-v2/x", "package_cache"),
        ("/var/cache/dnf/baseos/x.rpm", "package_cache"),
        (f"/var/lib/docker/containers/{NUMBER}/{NUMBER}-json.log", "container_log"),
        (f"/var/lib/docker/containers/{NUMBER}/{NUMBER}-json.log.1", "container_log"),
        (f"/var/lib/docker/containers/{NUMBER}/config.v2.json", "other"),
        ("/var/log/pods/x/y/0.log", "container_log"),
        ("/var/lib/docker/overlay2/abc/diff/var/log/x.log", "container_layer"),
        ("/var/lib/containers/storage/overlay/abc/diff/x", "container_layer"),
        ("/var/lib/docker/volumes/data/_data/base/16384/2619", "database"),
        ("/var/lib/docker/volumes/data/_data/pg_wal/000000010000000000000001", "wal"),
        ("/var/lib/docker/volumes/data/_data/app.log", "log"),
        ("/var/lib/postgresql/15/main/base/16384/2619", "database"),
        ("/var/lib/postgresql/15/main/pg_wal/000000010000000000000001", "wal"),
        ("/var/lib/postgresql/15/main/pg_wal/archive_status/1.ready", "wal"),
        ("/var/lib/mysql/shop/orders.ibd", "database"),
        ("/var/lib/mysql/binlog.000123", "wal"),
        ("/mnt/archive/0000000100000000000000A1.gz", "wal"),
        ("/usr/lib/postgresql/15/bin/postgres", "other"),
        ("/tmp/upload123", "temporary"),
        ("/tmp/big.sql", "dump"),
        ("/srv/x.tmp", "temporary"),
        ("/srv/photo.jpg", "other"),
        ("/srv/.bashrc", "other"),
        ("/srv/new\nline", "other"),
        ("/srv/\udcff", "other"),
        ("/srv/.", "other"),
    ],
)
def test_a_path_tells_what_a_file_is(path: str, expected: str) -> None:
    assert kind_of_path(path) == expected
    assert expected in KINDS


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (".jpg", True),
        (".sql", True),
        (".log", False),
        (".gz", False),
        (".1", False),
        ("", False),
        ("t", False),
    ],
)
def test_only_endings_that_leave_no_doubt_are_remembered(ending: str, expected: bool) -> None:
    assert settles(ending) is expected
